package gpu

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// lazy is a device whose queue runs only when somebody waits for it, and then no further than it must. It has memory and copies,
// no kernels.
type lazy struct {
	device
	memory []byte
	queue  []func()
	marks  [2]int // how long the queue was
	ran    int
	waits  int // that had something to wait for
	syncs  int
}

func (d *lazy) pinned(bytes int) ([]byte, error) { return make([]byte, bytes), nil }

func (d *lazy) copyIn(dst uint64, src []byte) error {
	d.queue = append(d.queue, func() { copy(d.memory[dst:], src) })
	return nil
}

func (d *lazy) copyOut(dst []byte, src uint64) error {
	d.queue = append(d.queue, func() { copy(dst, d.memory[src:]) })
	return nil
}

func (d *lazy) mark(i int) error {
	d.marks[i] = len(d.queue)
	return nil
}

func (d *lazy) until(n int) (waited bool) {
	for ; d.ran < n; d.ran++ {
		d.queue[d.ran]()
		waited = true
	}
	return waited
}

func (d *lazy) wait(i int) error {
	if d.until(d.marks[i]) {
		d.waits++
	}
	return nil
}

func (d *lazy) sync() error {
	d.until(len(d.queue))
	d.syncs++
	return nil
}

// Copies of any size through a small staging memory, in any order, are those of memory itself.
func TestStaging(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		d := &lazy{memory: make([]byte, 4096)}
		s, err := newStaging(d, []int{128, 256, 384, 1000}[seed%4])
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, len(d.memory))
		for step := range 100 {
			at := r.IntN(len(want))
			n := 1 + r.IntN(min(1<<r.IntN(12), len(want)-at))
			if r.IntN(3) > 0 {
				src := make([]byte, n)
				for i := range src {
					src[i] = byte(r.Uint32())
				}
				copy(want[at:], src)
				err = s.write(uint64(at), src)
				clear(src) // it is the caller's again
			} else {
				got := make([]byte, n)
				err = s.read(got, uint64(at))
				if !bytes.Equal(got, want[at:at+n]) {
					t.Fatalf("seed %d, step %d: a read of %d bytes at %d is wrong", seed, step, n, at)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The many small arrays of a pack wait for nothing; a large write waits for half of the staging memory at a time, a large read
// copies one half while the other one is filled.
func TestStagingWaits(t *testing.T) {
	d := &lazy{memory: make([]byte, 1<<20)}
	s, err := newStaging(d, 1<<17)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 64 * 10 {
		if err := s.write(uint64(64*i), make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
	}
	if d.waits+d.syncs > 0 || d.ran > 0 {
		t.Errorf("640 small writes waited %d times", d.waits+d.syncs)
	}
	if err := s.sync(); err != nil {
		t.Fatal(err)
	}
	if err := s.write(0, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if halves := 1 << 20 / (1 << 16); d.waits != halves-2 || d.syncs != 1 {
		t.Errorf("a write of %d halves waited %d times for one, and %d times for all", halves, d.waits, d.syncs-1)
	}
	if err := s.sync(); err != nil {
		t.Fatal(err)
	}
	d.waits, d.syncs = 0, 0
	if err := s.read(make([]byte, 1<<20), 0); err != nil {
		t.Fatal(err)
	}
	if d.waits != 1<<20/(1<<16)-1 || d.syncs != 1 {
		t.Errorf("a read of 16 halves waited %d times for one, and %d times for all; want 15 and 1", d.waits, d.syncs)
	}
}
