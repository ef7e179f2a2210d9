//go:build cuda

package gpu

import (
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// The emulated driver reads it when it starts; a card's driver does not know it.
func init() {
	if os.Getenv("LOCKSTEP_EMU_DEVICES") == "" {
		os.Setenv("LOCKSTEP_EMU_DEVICES", "2")
	}
}

// emulated skips what would spoil a card for the rest of the process, or needs a device's memory for itself.
func emulated(t *testing.T, e *Engine) {
	t.Helper()
	if e.Info().Name != "lockstep emulator" {
		t.Skipf("SKIPPED: it is for the emulated driver, not for %s", e.Info().Name)
	}
}

// counting is a program with a state x = x + 1, of 5 words, and an output 2 x.
func counting(t *testing.T) *graph.Program {
	t.Helper()
	p, err := graph.Trace(func(b *graph.Builder) {
		x := b.State("x", b.Fill(0, 5), op.Cell)
		y := b.Do(op.Softmax{}, x)
		b.Next(x, b.Do(op.Add, x, b.Fill(1, 5)))
		b.Output("double", b.Do(op.Add, x, x))
		b.Output("softmax", y)
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// compiled is a pack of two cells with a program on it, its states at their beginnings.
func compiled(t *testing.T, e *Engine, p *graph.Program) (*pack, *exec) {
	t.Helper()
	q, err := e.NewPack(2, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := q.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	return q.(*pack), x.(*exec)
}

func opened(t *testing.T, index int) *Engine {
	t.Helper()
	e, err := Open(index)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// works tells whether an engine runs a program and gives its numbers.
func works(t *testing.T, e *Engine) {
	t.Helper()
	p, x := compiled(t, e, counting(t))
	if err := x.Run(t.Context(), 3); err != nil {
		t.Error(err)
	}
	b := make([]byte, 4*5)
	if err := p.Read("x", 1, b); err != nil || binary.LittleEndian.Uint32(b[16:]) != 0x40400000 {
		t.Errorf("x = % x, %v; want 3", b, err)
	}
	if err := errors.Join(x.Close(), p.Close()); err != nil {
		t.Error(err)
	}
}

// A kernel that follows a wild pointer closes its engine: what is tried then says why. Other engines work on, and the card can
// be opened again.
func TestFaultClosesTheEngine(t *testing.T) {
	device0(t)
	for _, c := range []struct {
		blocking   string
		want, none []string
	}{
		{"0", []string{"CUDA_ERROR_ILLEGAL_ADDRESS (700)", " launches of ", "softmax", "chain", "keep", "LOCKSTEP_CUDA_BLOCKING=1 tells which"}, []string{"arguments"}},
		{"1", []string{"CUDA_ERROR_ILLEGAL_ADDRESS (700)", "(kernel keep, grid [1 2 1], 256 threads, 0 bytes of shared memory, arguments {to:{base:0x10 slot:0x0 stride:0x10} from:{base:0x"}, []string{"LOCKSTEP_CUDA_BLOCKING", "launches"}},
	} {
		t.Setenv(blockingVariable, c.blocking)
		e, other := opened(t, 1), device0(t)
		emulated(t, e)
		e.executor = "stream"
		_, x := compiled(t, e, counting(t))
		last := &x.step[len(x.step)-1]
		bad := last.args.fields.(keepArgs)
		bad.to.base = 0x10
		last.args = bytesOf(bad)
		err := x.Run(t.Context(), 1)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s=%s: %v; want %q", blockingVariable, c.blocking, err, want)
			}
		}
		for _, none := range c.none {
			if err != nil && strings.Contains(err.Error(), none) {
				t.Errorf("%s=%s: %v; want nothing about %q", blockingVariable, c.blocking, err, none)
			}
		}
		for name, again := range map[string]error{
			"run": x.Run(t.Context(), 1), "put": x.p.Put("new", op.T(op.U32, op.Cell), 0, make([]byte, 4)), "close": x.p.Close(),
		} {
			if again == nil || !strings.Contains(again.Error(), "closed by an earlier error") || !strings.Contains(again.Error(), "keep") {
				t.Errorf("%s after the fault: %v", name, again)
			}
		}
		works(t, other)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		e = opened(t, 1)
		works(t, e)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Where every launch is waited for, each array is an allocation of its own that ends with its last word: a write to the word
// behind it, which meets nothing but the padding before the next array otherwise, is found out by whoever watches allocations.
func TestArraysApart(t *testing.T) {
	for blocking, found := range map[string]bool{"0": false, "1": true} {
		t.Setenv(blockingVariable, blocking)
		e := opened(t, 0)
		emulated(t, e)
		p, x := compiled(t, e, counting(t))
		if apart := len(p.regions) > 2; apart != found {
			t.Errorf("%s=%s: %d allocations", blockingVariable, blocking, len(p.regions))
		}
		last := &x.step[len(x.step)-1]
		far := last.args.fields.(keepArgs)
		far.words = 6 // of 5: in the last slot, the first word behind the array
		last.args = bytesOf(far)
		if err := x.Run(t.Context(), 1); (err != nil) != found {
			t.Errorf("%s=%s: a write beyond the end gives %v", blockingVariable, blocking, err)
		}
		x.Close()
		p.Close()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Nodes that run once, and could not, run again.
func TestOnceAfterRefusal(t *testing.T) {
	e := device0(t)
	prog, err := graph.Trace(func(b *graph.Builder) {
		in := b.Input("in", op.T(op.F32, op.Cell, 3))
		b.Output("double", b.Do(op.Add, in, in)) // depends on no state
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.NewPack(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	one := op.Bytes([]uint32{0x3f800000, 0x3f800000, 0x3f800000})
	if err := p.Put("in", op.T(op.F32, op.Cell, 3), 0, one); err != nil {
		t.Fatal(err)
	}
	run, err := p.Compile(prog)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	x := run.(*exec)
	if len(x.once) == 0 {
		t.Fatal("the sum is no once node, and this test has nothing to look at")
	}
	block := x.once[0].block
	x.once[0].block = 4096 // which is refused
	if err := x.Run(t.Context(), 1); err == nil {
		t.Fatal("a block of 4096 threads is taken")
	}
	x.once[0].block = block
	if err := x.Run(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 12)
	if err := p.Read("double", 0, got); err != nil || binary.LittleEndian.Uint32(got[8:]) != 0x40000000 {
		t.Errorf("1 + 1 = % x, %v; want 2", got, err)
	}
}

// A launch that the driver refuses is named with what it was given, and harms nothing: the step is recorded when it can be.
func TestRefusedLaunch(t *testing.T) {
	e := device0(t)
	e.executor = "stream"
	_, x := compiled(t, e, counting(t))
	block := x.step[0].block
	x.step[0].block = 4096
	err := x.Run(t.Context(), 1)
	for _, want := range []string{"cuLaunchKernel", "(kernel " + x.step[0].kernel, "4096 threads", "arguments"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	works(t, e)
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	x.step[0].block = block
	if err := errors.Join(x.Run(t.Context(), 2), x.Close(), x.Close()); err != nil {
		t.Error(err)
	}
}

// An engine that waits for every launch has no launches of many steps.
func TestBlockingAndResident(t *testing.T) {
	device0(t)
	t.Setenv(blockingVariable, "1")
	t.Setenv(executorVariable, "resident:2")
	if e, err := Open(0); err == nil || !strings.Contains(err.Error(), "no place beside it") {
		t.Errorf("%v, %v", e, err)
	}
}

// A fault in a program of the executor resident closes its engine, too.
func TestFaultOfResident(t *testing.T) {
	device0(t)
	e := opened(t, 1)
	emulated(t, e)
	e.executor = "resident"
	_, x := compiled(t, e, counting(t))
	x.resident.args.code = 0x10
	err := x.Run(t.Context(), 3)
	if !errors.Is(err, graph.ErrLost) || !strings.Contains(err.Error(), "CUDA_ERROR_ILLEGAL_ADDRESS (700)") || !strings.Contains(err.Error(), "(kernel resident, grid [2 1 1], 256 threads, ") {
		t.Errorf("%v; want an illegal address of the kernel resident", err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// Waiting for every launch changes no bit.
func TestBlocking(t *testing.T) {
	t.Setenv(blockingVariable, "1")
	e := device0(t)
	works(t, e)
	t.Setenv(blockingVariable, "yes")
	if _, err := Open(0); err == nil || !strings.Contains(err.Error(), "LOCKSTEP_CUDA_BLOCKING=yes") {
		t.Error(err)
	}
}
