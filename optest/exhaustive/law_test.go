package exhaustive

import (
	"crypto/sha256"
	"flag"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/op"
)

var update = flag.Bool("update", false, "compute the digests of the functions that digests.txt lacks, with LOCKSTEP_EXHAUSTIVE=1; delete the line of a law that has changed on purpose")

// lawSums runs a law over all inputs, a block on each processor.
func lawSums(f Function) (s Sums) {
	sums := make([][sha256.Size]byte, Blocks)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for b := int(next.Add(1) - 1); b < Blocks; b = int(next.Add(1) - 1) {
				sums[b] = sha256.Sum256(op.Bytes(f.Law(b)))
			}
		})
	}
	workers.Wait()
	s.All = sumOf(sums)
	for b, sum := range sums {
		s.Blocks[b] = markOf(sum)
	}
	return s
}

// committed reads the files as they are now: an update goes on where another one was stopped.
func committed(t *testing.T) map[string]Sums {
	t.Helper()
	digests, err := os.ReadFile("digests.txt")
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := os.ReadFile("blocks.gz")
	if err != nil {
		t.Fatal(err)
	}
	all, err := read(digests, blocks)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLawOverAllInputs runs every law over all inputs: make test-exhaustive.
func TestLawOverAllInputs(t *testing.T) {
	if os.Getenv("LOCKSTEP_EXHAUSTIVE") != "1" {
		t.Skip("a minute or more for each function; set LOCKSTEP_EXHAUSTIVE=1 to run it")
	}
	all := committed(t)
	for _, f := range Functions() {
		t.Run(f.String(), func(t *testing.T) {
			want, ok := all[f.String()]
			if ok && *update {
				t.Skip("digests.txt has it")
			}
			start := time.Now()
			got := lawSums(f)
			t.Logf("%x in %.1f s on %d processors", got.All, time.Since(start).Seconds(), runtime.GOMAXPROCS(0))
			switch {
			case *update:
				all[f.String()] = got
				if err := write(".", all); err != nil {
					t.Fatal(err)
				}
			case !ok:
				t.Error("digests.txt lacks it")
			case got != want:
				for b := range got.Blocks {
					if got.Blocks[b] != want.Blocks[b] {
						t.Errorf("block %d, of inputs from %08x on, is the first that differs from blocks.gz", b, b*BlockLen)
						break
					}
				}
				t.Errorf("digest %x; digests.txt has %x", got.All, want.All)
			}
		})
	}
}
