package gpu

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"lockstep/op"
)

// failing is a lazy device whose calls fail by an error of the given code.
type failing struct {
	lazy
	onPinned, onSync int // codes; 0: success
	closed           int
	capability       int
	code             kernelCode
}

func (d *failing) info() Info { return Info{Name: "a card", Capability: d.capability} }

func (d *failing) function(name string, _ int) (function, error) {
	if d.code == 0 {
		return nil, fmt.Errorf("there is no kernel %s", name)
	}
	return d.code, nil
}

// kernelCode is a kernel of that version of PTX.
type kernelCode int

func (kernelCode) argBytes() int { return 0 }
func (k kernelCode) ptx() int    { return int(k) }

// Clusters need a card that has them, and code that knows of them: what a driver makes of the PTX for older cards does not.
func TestClustersNeedCardAndCode(t *testing.T) {
	for _, c := range []struct {
		capability int
		code       kernelCode
		want       bool
	}{{90, 90, true}, {120, 120, true}, {90, 80, false}, {110, 80, false}, {80, 80, false}, {80, 90, false}, {90, 0, false}} {
		d := &failing{lazy: lazy{memory: make([]byte, 4096)}, capability: c.capability, code: c.code}
		e, err := open(func() (device, error) { return d, nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Choose("resident:2"); e.hasClusters() != c.want || (err == nil) != c.want {
			t.Errorf("a card of compute capability %d with code of %d: clusters %v, %v", c.capability, c.code, e.hasClusters(), err)
		}
		if got := e.clusters(); (len(got) > 1 || got[0] > 1) != c.want {
			t.Errorf("a card of compute capability %d with code of %d may have %v blocks a cell", c.capability, c.code, got)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A call that is refused spoils no context, a fault does.
func TestSticky(t *testing.T) {
	for code, want := range map[int]bool{1: false, codeOutOfMemory: false, 701: false, 912: false, 700: true, 719: true, 999: true} {
		if e := (&Error{Code: code}); e.sticky() != want {
			t.Errorf("%d is sticky: %v", code, !want)
		}
	}
}

func (d *failing) pinned(bytes int) ([]byte, error) {
	return make([]byte, bytes), codeError(d.onPinned)
}

func (d *failing) alloc(bytes int64) (uint64, error) { return 256, nil }
func (d *failing) clear(p uint64, bytes int64) error { return nil }
func (d *failing) sync() error                       { return codeError(d.onSync) }
func (d *failing) close() error                      { d.closed++; return nil }

func codeError(code int) error {
	if code == 0 {
		return nil
	}
	return &Error{Call: "cuCall", Name: "CUDA_ERROR_OF_A_TEST", Code: code}
}

// An error that spoils the context closes the device, once, and is what every later call says; one that refuses a call is of no
// consequence.
func TestEngineCloses(t *testing.T) {
	d := &failing{lazy: lazy{memory: make([]byte, 4096)}}
	e, err := open(func() (device, error) { return d, nil })
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.NewPack(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	word := make([]byte, 4)
	if err := p.Put("x", op.T(op.U32, op.Cell), 0, word); err != nil {
		t.Fatal(err)
	}
	d.onSync = codeOutOfMemory
	if err := p.Read("x", 0, word); err == nil || d.closed > 0 {
		t.Errorf("%v, and the device was closed %d times; want an error, and none", err, d.closed)
	}
	d.onSync = 0
	if err := p.Read("x", 0, word); err != nil {
		t.Error(err)
	}
	d.onSync = 719
	if err := p.Read("x", 0, word); err == nil || d.closed != 1 {
		t.Errorf("%v, and the device was closed %d times; want an error, and once", err, d.closed)
	}
	d.onSync = 0
	for _, err := range []error{p.Read("x", 0, word), p.Put("x", op.T(op.U32, op.Cell), 0, word), p.Close()} {
		if err == nil || !strings.Contains(err.Error(), "a card was closed by an earlier error: CUDA: cuCall says CUDA_ERROR_OF_A_TEST (719)") {
			t.Error(err)
		}
	}
	if err := errors.Join(e.Close(), e.Close()); err != nil || d.closed != 1 {
		t.Errorf("%v, and the device was closed %d times; want no error, and once", err, d.closed)
	}
	d = &failing{onPinned: codeOutOfMemory}
	if _, err := open(func() (device, error) { return d, nil }); err == nil || !strings.Contains(err.Error(), "8.4 MB of pinned memory") || d.closed != 1 {
		t.Errorf("%v, and the device was closed %d times; want an error about pinned memory, and once", err, d.closed)
	}
}
