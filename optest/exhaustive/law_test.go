package exhaustive

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/internal/files"
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

// write replaces the two files in dir: the functions in the order of Functions.
func write(dir string, all map[string]Sums) error {
	var text, blocks bytes.Buffer
	z, err := gzip.NewWriterLevel(&blocks, gzip.BestCompression)
	if err != nil {
		return err
	}
	fmt.Fprintln(&text, header)
	for _, f := range Functions() {
		sums, ok := all[f.String()]
		if !ok {
			continue
		}
		fmt.Fprintf(&text, "%s %x\n", f, sums.All)
		list := []byte(f.String() + "\n")
		for _, m := range sums.Blocks {
			list = append(list, m[:]...)
		}
		if _, err := z.Write(list); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := files.WriteWhole(filepath.Join(dir, "blocks.gz"), blocks.Bytes()); err != nil {
		return err
	}
	return files.WriteWhole(filepath.Join(dir, "digests.txt"), text.Bytes())
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
