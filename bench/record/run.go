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
	"syscall"
	"time"

	"lockstep/internal/build"
)

// grace is what a command has to end by itself.
var grace = 10 * time.Second

// Now is the beginning of a part of this program, on a card.
func Now(on string, command []string) (*Begin, error) {
	b := &Begin{At: time.Now().UTC().Truncate(time.Second), Command: command, Build: build.Stamp(), Machine: build.Machine(), On: on}
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

// Run runs a command as a part of the record at path, on a card ("" for none). It copies what the command prints to out, standard error to errs. The
// command ends when limit (if not 0) has passed or ctx ends: with SIGINT first, ten seconds later with SIGKILL, and all
// processes that it started with it. Errors: the record cannot be written; the command did not end well.
func Run(ctx context.Context, path, part, on string, limit time.Duration, command []string, out, errs io.Writer) (err error) {
	f, err := open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	start := time.Now()
	begin, err := Now(on, command)
	if err == nil {
		err = f.add(Line{Part: part, Begin: begin})
	}
	if err != nil {
		return err
	}
	if limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, limit, fmt.Errorf("its limit of %v has passed", limit))
		defer stop()
	}
	lines, tail := &splitter{each: func(s string) error {
		fmt.Fprintln(out, s)
		return f.add(lineOf(part, s))
	}}, &last{}
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Stdout, c.Stderr = lines, io.MultiWriter(errs, tail)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error {
		time.AfterFunc(grace, func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
		return syscall.Kill(-c.Process.Pid, syscall.SIGINT)
	}
	c.WaitDelay = 2 * grace
	failed := c.Run()
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
		failed = fmt.Errorf("part %s: %s: %w", part, end.Status, cmp.Or(context.Cause(ctx), failed))
	}
	return errors.Join(f.add(Line{Part: part, End: end}), failed)
}
