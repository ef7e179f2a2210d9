//go:build cuda

package gpu

import (
	"fmt"
	"maps"
	"os"
	process "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// TestCallsChild runs in a process of its own: a program of so many ops, on so many cells, for so many steps.
func TestCallsChild(t *testing.T) {
	spec := os.Getenv("CALLS_OF")
	if spec == "" {
		t.Skip("TestCallsOfAStep runs it")
	}
	var ops, cells, steps int
	var executor string
	if _, err := fmt.Sscan(spec, &executor, &ops, &cells, &steps); err != nil {
		t.Fatal(err)
	}
	e := device0(t)
	e.executor = executor
	p, err := graph.Trace(func(b *graph.Builder) {
		x := b.State("x", b.Fill(0, 7), op.Cell)
		y := x
		for range ops {
			y = b.Do(op.Softmax{}, y) // which joins no chain
		}
		b.Next(x, y)
	})
	if err != nil {
		t.Fatal(err)
	}
	q, err := e.NewPack(cells, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := q.Compile(p)
	if err == nil {
		err = x.Reset(t.Context())
	}
	if err == nil {
		err = x.Run(t.Context(), steps)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}

// A step of the executor `stream` is one launch of a graph, and nothing else, however many ops and cells there are; a launch of `resident`
// does 64 steps. Counted are the driver's calls in so many more steps.
func TestCallsOfAStep(t *testing.T) {
	emulated(t, device0(t))
	if os.Getenv(blockingVariable) == "1" {
		t.Skip("SKIPPED: where every launch is waited for there are no graphs")
	}
	dir := t.TempDir()
	calls := func(executor string, ops, cells, steps int) map[string]int {
		file := filepath.Join(dir, "calls")
		c := process.Command(os.Args[0], "-test.run", "^TestCallsChild$")
		c.Env = append(os.Environ(), "LOCKSTEP_EMU_CALLS="+file, fmt.Sprintf("CALLS_OF=%s %d %d %d", executor, ops, cells, steps))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for line := range strings.Lines(string(text)) {
			name, n, _ := strings.Cut(strings.TrimSpace(line), " ")
			if strings.Contains(name, "@") { // kernels, which the device runs and nobody calls
				continue
			}
			if counts[name], err = strconv.Atoi(n); err != nil {
				t.Fatal(err)
			}
		}
		return counts
	}
	const more = 3 * burst
	for executor, want := range map[string]map[string]int{
		"stream":   {"cuGraphLaunch": more, "cuStreamSynchronize": more / burst},
		"resident": {"cuLaunchKernel": more / burst, "cuStreamSynchronize": more / burst},
	} {
		for _, ops := range []int{1, 40} {
			for _, cells := range []int{1, 64} {
				few, many := calls(executor, ops, cells, burst), calls(executor, ops, cells, burst+more)
				added := map[string]int{}
				for name, n := range many {
					if n != few[name] {
						added[name] = n - few[name]
					}
				}
				if !maps.Equal(added, want) {
					t.Errorf("%s, %d ops, %d cells: %d more steps take %v calls of the driver; want %v", executor, ops, cells, more, added, want)
				}
			}
		}
	}
}
