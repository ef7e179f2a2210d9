package gpu

import (
	"errors"
	"strings"
	"testing"

	"lockstep/op"
)

// failing is a lazy device whose calls fail by an error of the given code.
type failing struct {
	lazy
	onPinned, onSync int // codes; 0: success
	closed           int
}

func (d *failing) info() Info { return Info{Name: "a card"} }

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
