package cpu

import (
	"cmp"
	"slices"

	"lockstep/op"
)

// blocked is how the cells of a pack are cut into blocks, as long as the lengths by which they are sorted stay what they are.
type blocked struct {
	blocks  [][]int
	lengths [][]int // of each cell
}

// blocks cuts the cells of a pack into blocks, which threads take in this order: cells that share what joint nodes read, those of like
// lengths side by side; as few as keep the threads equally busy, and those with the most work first.
func (x *exec) blocks() [][]int {
	var now [][]int
	if x.block(x.p.cells, x.p.engine.threads) > 1 {
		for cell := range x.p.cells {
			now = append(now, x.lengths(cell))
		}
	}
	if x.cut.blocks == nil || !slices.EqualFunc(x.cut.lengths, now, slices.Equal) {
		x.cut = blocked{x.cutBlocks(now), now}
	}
	return x.cut.blocks
}

// lengths are what the klen operands of joint nodes are for a cell, but of those that a step computes.
func (x *exec) lengths(cell int) (all []int) {
	for _, ph := range x.phases {
		if j := ph.joint; j != nil && j.length != 0 {
			if root, _ := x.t.Root(j.length); x.home[root] != nil {
				all = append(all, int(x.homeOf(j.length, cell).W[0]))
			}
		}
	}
	return all
}

func (x *exec) cutBlocks(lengths [][]int) (blocks [][]int) {
	cells := make([]int, x.p.cells)
	for i := range cells {
		cells[i] = i
	}
	threads := x.p.engine.threads
	most := x.block(x.p.cells, threads)
	if most == 1 {
		for i := range cells {
			blocks = append(blocks, cells[i:i+1])
		}
		return blocks
	}
	slots := make([][]int, len(cells))
	for cell := range cells {
		for _, ph := range x.phases {
			if ph.joint != nil {
				slots[cell] = append(slots[cell], x.p.slots.Of(ph.joint.domain)[cell])
			}
		}
	}
	slices.SortStableFunc(cells, func(a, b int) int {
		return cmp.Or(slices.Compare(slots[a], slots[b]), slices.Compare(lengths[a], lengths[b]))
	})
	from := 0
	for i := 1; i <= len(cells); i++ {
		if i == len(cells) || !slices.Equal(slots[cells[i]], slots[cells[from]]) {
			parts := (i - from + most - 1) / most
			for k := range parts {
				blocks = append(blocks, cells[from+(i-from)*k/parts:from+(i-from)*(k+1)/parts])
			}
			from = i
		}
	}
	w := x.workOf(cells, lengths)
	return balance(blocks, w.block, threads)
}

// cellWork is an estimate of what cells of a block have to do in a step, in multiply-adds.
type cellWork struct {
	own    []float64 // by cell
	shared float64   // of a block, whatever its cells: reading what they share
}

func (w cellWork) block(cells []int) (sum float64) {
	for _, c := range cells {
		sum += w.own[c]
	}
	return sum + w.shared
}

// workOf estimates the work of cells: of the joint nodes in proportion to their lengths, of all else the same for each.
func (x *exec) workOf(cells []int, lengths [][]int) (w cellWork) {
	total := x.t.P.Count(func(d op.Domain) int64 {
		if d == op.Cell {
			return 1
		}
		return 0
	})
	base, joint := float64(total.MACs+total.Codes), 0.0
	for _, ph := range x.phases {
		if j := ph.joint; j != nil {
			in := x.t.P.Types[j.In[0]]
			macs := float64(in.Len()) * float64(x.t.P.Types[j.Out[0]].At(-1)) // [m, k] by [k, n]
			joint += macs
			if _, codes := j.Op.(op.TernaryMM); codes {
				w.shared += macs / 4 // as measured: a sixteenth of the bytes, and tables
			} else {
				w.shared += 2 * macs // reading a dense basis takes as long as two cells' products with it
			}
		}
	}
	base = max(base-joint, 0)
	longest := 0
	for _, l := range lengths {
		for _, n := range l {
			longest = max(longest, n)
		}
	}
	w.own = make([]float64, len(cells))
	for c := range w.own {
		part := 1.0
		if longest > 0 && len(lengths[c]) > 0 {
			part = float64(slices.Max(lengths[c])) / float64(longest)
		}
		w.own[c] = base + joint*part
	}
	return w
}

// balance cuts blocks in two, the largest first, if threads that take the largest block left then end sooner; and puts the largest
// first.
func balance(blocks [][]int, work func(cells []int) float64, threads int) [][]int {
	const worth = 0.98 // of the time before
	sorted := func(b [][]int) [][]int {
		slices.SortStableFunc(b, func(x, y []int) int { return cmp.Compare(work(y), work(x)) })
		return b
	}
	best := sorted(blocks)
	if threads == 1 {
		return best
	}
	finer := best
	for range 2 * threads { // one cut alone may not help
		at := slices.IndexFunc(finer, func(b []int) bool { return len(b) > 1 })
		if at < 0 {
			break
		}
		half := len(finer[at]) / 2
		finer = sorted(append(slices.Delete(slices.Clone(finer), at, at+1), finer[at][:half], finer[at][half:]))
		if lasts(finer, work, threads) < worth*lasts(best, work, threads) {
			best = finer
		}
	}
	return best
}

// lasts is how long threads work that take one block after the other.
func lasts(blocks [][]int, work func(cells []int) float64, threads int) float64 {
	busy := make([]float64, threads)
	for _, b := range blocks {
		first := 0
		for i := range busy {
			if busy[i] < busy[first] {
				first = i
			}
		}
		busy[first] += work(b)
	}
	return slices.Max(busy)
}
