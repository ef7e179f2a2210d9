package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// process is a peer: a script that answers requests, see peer.py.
type process struct {
	name    string
	threads int
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// start starts a peer's command on so many threads and hands it the folder with the inputs. It returns what the peer says of its versions.
func start(ctx context.Context, name string, threads int, folder string, command ...string) (p *process, versions map[string]string, err error) {
	p = &process{name: name, threads: threads, cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	n := fmt.Sprint(threads)
	p.cmd.Env = append(os.Environ(), "PEER_THREADS="+n, "OMP_NUM_THREADS="+n, "OPENBLAS_NUM_THREADS="+n, "MKL_NUM_THREADS="+n, "CUDA_VISIBLE_DEVICES=", "JAX_PLATFORMS=cpu")
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("peer %s: %w", name, err)
	}
	var answer struct {
		Versions map[string]string `json:"versions"`
	}
	if err := p.ask(map[string]any{"do": "hello", "folder": folder}, &answer); err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	return p, answer.Versions, nil
}

// ask sends a request and waits for its answer. Error: the peer's own, or that it has gone.
func (p *process) ask(request map[string]any, answer any) error {
	fail := func(err error) error { return fmt.Errorf("peer %s, %v: %w", p.name, request["do"], err) }
	b, err := json.Marshal(request)
	if err != nil {
		return fail(err)
	}
	if _, err := p.in.Write(append(b, '\n')); err != nil {
		return fail(err)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fail(fmt.Errorf("it has gone, for the reasons above: %w", err))
	}
	var failed struct {
		Error string `json:"error"`
	}
	if err := errors.Join(json.Unmarshal(line, &failed), json.Unmarshal(line, answer)); err != nil {
		return fail(err)
	}
	if failed.Error != "" {
		return fail(errors.New(failed.Error))
	}
	return nil
}

// prepared is the answer to train and matmul.
type prepared struct {
	Way     string  `json:"way"`     // how it does it
	Seconds float64 `json:"seconds"` // to compile it
}

// train makes a pack ready, and gives a burst of it.
func (p *process) train(_ context.Context, w workload) (b burst, made prepared, err error) {
	err = p.ask(map[string]any{"do": "train", "id": w.String(), "space": w.Space, "lr": w.rates()}, &made)
	return p.burst(w.String()), made, err
}

// matmul makes a batch of products ready.
func (p *process) matmul(_ context.Context, m product) (b burst, made prepared, err error) {
	err = p.ask(map[string]any{"do": "matmul", "id": m.String(), "batch": m.Batch, "n": m.N}, &made)
	return p.burst(m.String()), made, err
}

func (p *process) burst(id string) burst {
	return func(_ context.Context, d time.Duration) (float64, time.Duration, error) {
		var r struct{ Done, Seconds float64 }
		if err := p.ask(map[string]any{"do": "burst", "id": id, "seconds": d.Seconds()}, &r); err != nil {
			return 0, 0, err
		}
		return r.Done, time.Duration(r.Seconds * 1e9), nil
	}
}

// words asks for float32 words.
func (p *process) words(request map[string]any) ([]byte, error) {
	var r struct{ Words string }
	if err := p.ask(request, &r); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(r.Words)
}

func (p *process) after(_ context.Context, w workload, steps int) ([]byte, error) {
	return p.words(map[string]any{"do": "after", "space": w.Space, "lr": w.rates(), "steps": steps})
}

func (p *process) logits(_ context.Context, rows int) ([]byte, error) {
	return p.words(map[string]any{"do": "logits", "batch": rows})
}

func (p *process) job(_ context.Context, j job) (seconds float64, accuracy [2]float64, err error) {
	d, lr, baseline, err := j.facts()
	if err != nil {
		return 0, accuracy, err
	}
	var r struct {
		Seconds  float64
		Accuracy [2]float64
	}
	err = p.ask(map[string]any{"do": "job", "d": d, "rate": lr, "baseline": baseline}, &r)
	return r.Seconds, r.Accuracy, err
}

// Close ends the peer: the end of its input is the end of it.
func (p *process) Close() error {
	err := p.in.Close()
	if e := p.cmd.Wait(); e != nil {
		err = errors.Join(err, fmt.Errorf("peer %s: %w", p.name, e))
	}
	return err
}

func (p *process) pid() int { return p.cmd.Process.Pid }
