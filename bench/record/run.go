//go:build unix

package record

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"lockstep/internal/build"
)

// grace is what a command has to end by itself.
var grace = 10 * time.Second

// Job is what a part runs.
type Job struct {
	Part    string
	On      string        // the card; "": none
	Small   bool          // a rehearsal, on small problems
	Limit   time.Duration // 0: none
	Command []string
}

// Now is the beginning of a part of this program.
func (j *Job) Now() (*Begin, error) {
	b := &Begin{At: time.Now().UTC().Truncate(time.Second), Command: j.Command, Build: build.Stamp(), Machine: build.Machine(), On: j.On, Small: j.Small}
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	b.Program = hex.EncodeToString(h.Sum(nil))
	return b, err
}

// Run runs a command as a part of the record at path. It copies what the command prints to out, standard error to errs. The
// command ends when its limit has passed or ctx ends: with SIGINT first, ten seconds later with SIGKILL, and all
// processes that it started with it. On Linux it ends with this program, too, whatever kills that; what it started itself
// may then go on. Errors: the record cannot be written; the command did not end well.
func Run(ctx context.Context, path string, j *Job, out, errs io.Writer) (err error) {
	f, err := open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	start := time.Now()
	begin, err := j.Now()
	if err == nil {
		err = f.add(Line{Part: j.Part, Begin: begin})
	}
	if err != nil {
		return err
	}
	if j.Limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, j.Limit, fmt.Errorf("its limit of %v has passed", j.Limit))
		defer stop()
	}
	lines, tail := &splitter{each: func(s string) error {
		fmt.Fprintln(out, s)
		return f.add(lineOf(j.Part, s))
	}}, &last{}
	c := exec.CommandContext(ctx, j.Command[0], j.Command[1:]...)
	c.Stdout, c.Stderr = lines, io.MultiWriter(errs, tail)
	c.SysProcAttr = child()
	c.Cancel = func() error {
		time.AfterFunc(grace, func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
		return syscall.Kill(-c.Process.Pid, syscall.SIGINT)
	}
	c.WaitDelay = 2 * grace
	runtime.LockOSThread() // the kernel takes the end of the thread that starts a child for that of its parent
	failed := c.Run()
	runtime.UnlockOSThread()
	if c.Process != nil {
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // what it left behind
	}
	if err := lines.flush(); err != nil {
		return err
	}
	end := &End{Status: OK, Seconds: math.Round(time.Since(start).Seconds()*100) / 100}
	switch cause := context.Cause(ctx); {
	case cause != nil:
		end.Status, end.Why = Cut, cause.Error()
	case failed != nil:
		end.Status, end.Why = Failed, failed.Error()
	}
	if end.Status != OK {
		end.Errors = tail.lines()
		failed = fmt.Errorf("part %s: %s: %w", j.Part, end.Status, cmp.Or(context.Cause(ctx), failed))
	}
	return errors.Join(f.add(Line{Part: j.Part, End: end}), failed)
}
