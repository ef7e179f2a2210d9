// Command peers measures lockstep on the CPU beside JAX, PyTorch, OpenBLAS and gonum, in one run: training steps of packs, matrix
// products, a whole small sweep, gradients and products with curvature matrices, and how many bits of a result change with what should not matter. `make peers` runs it.
//
//	bin/peers [-quick] [-only PATTERN] [-rounds N] [-burst TIME] [-threads N] [-python FILE] [-scripts DIR] > record
//
// Each peer is a process that rests while another side is measured. Every round measures every side on every case, one after the
// other; medians over rounds, and ratios within a round, are what a slow moment of the machine changes least. Standard output is a
// JSON object a line:
//
//	machine     what ran where (bench.Machine)
//	versions    of a peer's libraries
//	agree/..    how near a peer's z is to lockstep's after 20 steps: both train the same cells (agreement)
//	bits/..     words that change between packs, batches and numbers of threads (difference)
//	deviation/..    how far a side's products with curvature matrices are from those in float64, by the length of these (agreement)
//	train/.., matmul/.., curvature/.., job/.., peak    what was measured so far, after each round (result): the last line of a case and side counts
//	quiet       who took processors beside (quiet)
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"lockstep/bench"
	"lockstep/cpu"
	"lockstep/graph"
)

// options choose how much is measured.
type options struct {
	threads   int
	rounds    int
	burst     time.Duration
	packs     []int // ascending, the first 1
	products  []product
	job       job
	curvature []curved
	rows      int                 // of what is differentiated
	peers     map[string][]string // the command of each
	only      *regexp.Regexp      // cases whose names match
}

// bitsCase is the case that compares bits.
const bitsCase = "bits"

// choose takes the cases whose names match a pattern. Errors: see bench.Pattern.
func (o *options) choose(pattern string) (err error) {
	names := []string{bitsCase}
	for _, sp := range spaces {
		for _, n := range o.packs {
			names = append(names, workload{sp, n}.String())
		}
	}
	for _, m := range o.products {
		names = append(names, m.String())
	}
	for _, c := range o.curvature {
		names = append(names, c.String())
	}
	names = append(names, o.job.String())
	o.only, err = bench.Pattern(pattern, names, "one of "+strings.Join(names, ", "))
	return err
}

// wants tells whether a case is to be measured.
func (o options) wants(name fmt.Stringer) bool { return o.only.MatchString(name.String()) }

func main() {
	log.SetFlags(0)
	log.SetPrefix("peers: ")
	quick := flag.Bool("quick", false, "two rounds of little: to see that all works, not for figures")
	o := options{packs: []int{1, 8, 32, 128}, products: []product{{1, 512}, {64, 64}, {256, 32}}, job: job{steps: 1000}}
	o.curvature, o.rows = curvedCases([]int{1, 16}, []int{1, bench.CurvatureVectors}), bench.CurvatureRows
	flag.IntVar(&o.rounds, "rounds", 7, "measure everything `N` times, the job half as often")
	flag.DurationVar(&o.burst, "burst", 1200*time.Millisecond, "train for `TIME` without a pause")
	flag.IntVar(&o.threads, "threads", 2, "every side has `N` threads, on as many processors")
	only := flag.String("only", "", "measure the cases that match the regular expression `PATTERN`, such as job or train/full; bits are a case, too")
	python := flag.String("python", ".tools/peers/bin/python3", "the interpreter `FILE` that has the peers' packages")
	scripts := flag.String("scripts", "bench/peers", "the `DIR` of jax_peer.py and the others")
	flag.Parse()
	if *quick {
		o.rounds, o.burst, o.packs, o.job = 2, 50*time.Millisecond, []int{1, 4}, job{20, []int{10, 50}}
		o.curvature, o.rows = curvedCases([]int{1, 2}, []int{1, 2}), 16
	}
	switch {
	case flag.NArg() > 0:
		log.Fatalf("%q: no arguments are taken, only flags", flag.Args())
	case o.rounds < 1 || o.burst <= 0 || o.threads < 1:
		log.Fatalf("-rounds %d -burst %v -threads %d: want at least 1 of each", o.rounds, o.burst, o.threads)
	case o.threads > runtime.NumCPU():
		log.Fatalf("-threads %d: there are %d processors", o.threads, runtime.NumCPU())
	}
	if err := o.choose(*only); err != nil {
		log.Fatalf("-only: %v", err)
	}
	if err := confine(o.threads); err != nil {
		log.Fatal(err)
	}
	o.peers = map[string][]string{}
	for _, name := range []string{"jax", "torch_cpu", "numpy"} {
		o.peers[name] = []string{*python, filepath.Join(*scripts, name+"_peer.py")}
		for _, file := range o.peers[name] {
			if _, err := os.Stat(file); err != nil {
				log.Fatalf("%v: `make peers` installs Python's packages and runs this in the repository's folder", err)
			}
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	lines := json.NewEncoder(os.Stdout)
	if err := run(ctx, o, lines.Encode, func(s string) { log.Print(s) }); err != nil {
		log.Fatal(err)
	}
}

// sides are all that is measured: of each the one with all threads, and the one with a single thread.
type sides struct {
	ternary, gaussian, single, gaussianSingle *ours
	jax, torch, numpy                         [2]*process
	gonum                                     [2]gonum
}

// Close gives the packs of lockstep's sides back.
func (s *sides) Close() (err error) {
	for _, o := range []*ours{s.ternary, s.gaussian, s.single, s.gaussianSingle} {
		err = errors.Join(err, o.Close())
	}
	return err
}

// newEngine makes an engine of lockstep's with so many threads.
func newEngine(threads int) (graph.Engine, error) { return cpu.New(cpu.Options{Threads: threads}) }

// run measures everything, and emits a line for each thing.
func run(ctx context.Context, o options, emit func(any) error, say func(string)) (err error) {
	many, err := newEngine(o.threads)
	if err != nil {
		return err
	}
	alone, err := newEngine(1)
	if err != nil {
		return err
	}
	in, err := makeInputs(ctx, many, o.packs[len(o.packs)-1], o.job)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "lockstep-peers")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := in.write(folder); err != nil {
		return err
	}
	if err := o.writeCurvature(ctx, many, in, folder); err != nil {
		return err
	}
	s := &sides{
		ternary: &ours{engine: many, mapType: "ternary", data: in}, gaussian: &ours{engine: many, mapType: "gaussian", data: in},
		single: &ours{engine: alone, mapType: "ternary", data: in}, gaussianSingle: &ours{engine: alone, mapType: "gaussian", data: in},
		gonum: [2]gonum{{o.threads, in}, {1, in}},
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	m := bench.Machine{Engine: "cpu", Device: "cpu, kernels " + strings.Join(cpu.Defaults(), ", "), Threads: o.threads}.Describe()
	if err := emit(struct {
		Machine bench.Machine `json:"machine"`
	}{m}); err != nil {
		return err
	}
	var all []*process
	defer func() {
		for _, p := range all {
			err = errors.Join(err, p.Close())
		}
	}()
	for i, threads := range []int{o.threads, 1} {
		for name, to := range map[string]**process{"jax": &s.jax[i], "torch_cpu": &s.torch[i], "numpy": &s.numpy[i]} {
			say(fmt.Sprintf("starting %s with %d threads", name, threads))
			p, versions, err := start(ctx, name, threads, folder, o.peers[name]...)
			if err != nil {
				return err
			}
			*to = p
			all = append(all, p)
			if i > 0 {
				continue
			}
			if err := emit(map[string]any{"side": name, "versions": versions}); err != nil {
				return err
			}
		}
	}
	if err := emit(map[string]any{"side": "gonum", "versions": map[string]string{"gonum": moduleVersion("gonum.org/v1/gonum")}}); err != nil {
		return err
	}
	return measureAll(ctx, o, s, newWatch(all...), emit, say)
}

// moduleVersion is the version of a module that this program was built with.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "unknown"
}
