package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// NVIDIA's own calculator: testdata/occupancy.cpp.
func TestHoldsWhatTheHeaderSays(t *testing.T) {
	b, err := os.ReadFile("testdata/occupancy.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	regs := strings.Fields(lines[1])[3:]
	cases := 0
	for _, line := range lines[2:] {
		f := strings.Fields(line)
		m, err := machine(f[0])
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range f[3:] {
			if got, limit := m.holds(number(t, f[1]), number(t, regs[i]), number(t, f[2])); got != number(t, want) {
				t.Errorf("%s, %s threads, %s registers, %s bytes: %d blocks (%s), want %s", f[0], f[1], regs[i], f[2], got, limit, want)
			}
			cases++
		}
	}
	if cases < 5000 {
		t.Errorf("only %d cases", cases)
	}
}

func number(t *testing.T, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// CUDA C++ Best Practices Guide, "Calculating Occupancy": 37 registers a thread on a multiprocessor of 65,536 registers and 64 warps
// give 12 blocks of 128 threads, 75 %, but only 4 of 320, 63 %. Programming guide, "Technical Specifications": without registers and shared
// memory, the threads that a multiprocessor holds, 2048 or 1536, and its blocks, 32 or 24.
func TestHoldsWhatTheGuidesSay(t *testing.T) {
	for _, c := range []struct {
		arch                                string
		threads, regs, shared, blocks, lose int
		limit                               string
	}{
		{"sm_80", 128, 37, 0, 12, 4, "regs"},
		{"sm_80", 320, 37, 0, 4, 12, "regs"},
		{"sm_80", 128, 32, 0, 16, 1, "warps"}, // "each thread can use at most 32 registers" for all warps
		{"sm_80", 1024, 16, 0, 2, 17, "warps"},
		{"sm_90a", 32, 16, 0, 32, 49, "blocks"},
		{"sm_120", 32, 16, 0, 24, 65, "blocks"},
		{"sm_120", 512, 16, 0, 3, 25, "warps"},
		{"sm_100", 1024, 65, 0, 0, 0, "regs"},              // more than 64 K registers: cannot start
		{"sm_80", 32, 256, 0, 0, 0, "regs"},                // more than 255 of a thread
		{"sm_90a", 64, 16, 227 << 10, 1, 0, "shared"},      // the most that a block may have
		{"sm_120", 64, 16, 99<<10 + 1, 0, 0, "shared"},     // and a byte more
		{"sm_80", 64, 16, 163<<10/2 - 512, 2, 0, "shared"}, // two halves of 164 KiB, less the driver's KiB of each
	} {
		m, err := machine(c.arch)
		if err != nil {
			t.Fatal(err)
		}
		blocks, limit := m.holds(c.threads, c.regs, c.shared)
		if lose, _ := m.cliffs(c.threads, c.regs, c.shared); blocks != c.blocks || limit != c.limit || lose != c.lose {
			t.Errorf("%+v: %d blocks, limit %s, %d registers lose one", c, blocks, limit, lose)
		}
	}
}

func TestCliffsAreWhereTheBlocksChange(t *testing.T) {
	for arch, m := range multiprocessors {
		for _, threads := range []int{32, 128, 256, 1024} {
			for _, shared := range []int{0, 25600} {
				for regs := 1; regs <= mostRegisters; regs++ {
					now, _ := m.holds(threads, regs, shared)
					lose, win := m.cliffs(threads, regs, shared)
					for r := 1; r <= mostRegisters; r++ {
						n, _ := m.holds(threads, r, shared)
						if n < now && (lose == 0 || r < regs+lose) || n > now && (win == 0 || r > regs-win) {
							t.Fatalf("%s, %d threads, %d registers, %d bytes: %d registers give %d blocks, not %d; lose %d, win %d", arch, threads, regs, shared, r, n, now, lose, win)
						}
					}
					if n, _ := m.holds(threads, regs+lose, shared); lose > 0 && n >= now {
						t.Fatalf("%s, %d threads, %d registers, %d bytes: %d more lose nothing", arch, threads, regs, shared, lose)
					}
					if n, _ := m.holds(threads, regs-win, shared); win > 0 && n <= now {
						t.Fatalf("%s, %d threads, %d registers, %d bytes: %d fewer win nothing", arch, threads, regs, shared, win)
					}
				}
			}
		}
	}
}
