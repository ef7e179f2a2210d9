package main

import "fmt"

// multiprocessor holds what the compute capabilities differ in: the CUDA programming guide, "Technical Specifications per Compute
// Capability". The rest is one for all of 8.0 to 12.0.
type multiprocessor struct {
	warps, blocks int // that it holds
	shared        int // bytes of shared memory
}

var multiprocessors = map[string]multiprocessor{
	"sm_80":  {64, 32, 164 << 10},
	"sm_90a": {64, 32, 228 << 10},
	"sm_100": {64, 32, 228 << 10},
	"sm_120": {48, 24, 100 << 10},
}

const (
	warp          = 32       // threads
	partitions    = 4        // of a multiprocessor, each with a quarter of its registers and warps
	registers     = 64 << 10 // of a multiprocessor
	registerUnit  = 256      // in which they are given to a warp
	mostRegisters = 255      // of a thread
	sharedUnit    = 128      // bytes, in which shared memory is given to a block
	reserved      = 1 << 10  // bytes of it that the driver takes for itself, in every block
)

// holds says how many blocks of so many threads, registers a thread and bytes of shared memory a multiprocessor holds at once, and
// what it has no more of: warps, blocks, registers or shared memory. It is the calculation of NVIDIA's cuda_occupancy.h.
func (m multiprocessor) holds(threads, regs, shared int) (blocks int, limit string) {
	warps := ceil(threads, warp)
	blocks, limit = m.blocks, "blocks"
	least := func(n int, what string) {
		if n < blocks {
			blocks, limit = n, what
		}
	}
	least(m.warps/warps, "warps")
	if regs > mostRegisters {
		least(0, "regs")
	} else if perWarp := ceil(regs*warp, registerUnit) * registerUnit; regs > 0 {
		least(registers/partitions/perWarp*partitions/warps, "regs")
	}
	least(m.shared/(ceil(shared+reserved, sharedUnit)*sharedUnit), "shared")
	return blocks, limit
}

// cliffs says how many registers more of a thread lose a block, and how many fewer win one; 0: no number of them does.
func (m multiprocessor) cliffs(threads, regs, shared int) (lose, win int) {
	now, _ := m.holds(threads, regs, shared)
	at := func(r int) int { n, _ := m.holds(threads, r, shared); return n }
	for r := regs + 1; r <= mostRegisters && lose == 0; r++ {
		if at(r) < now {
			lose = r - regs
		}
	}
	for r := regs - 1; r > 0 && win == 0; r-- {
		if at(r) > now {
			win = regs - r
		}
	}
	return lose, win
}

func ceil(a, b int) int { return (a + b - 1) / b }

func machine(arch string) (multiprocessor, error) {
	m, ok := multiprocessors[arch]
	if !ok {
		return m, fmt.Errorf("no limits of %s: add its line of the programming guide's table to multiprocessors in cuda/report/occupancy.go", arch)
	}
	return m, nil
}
