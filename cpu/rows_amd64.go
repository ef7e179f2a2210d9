//go:build !purego

package cpu

import (
	"reflect"
	"slices"
	"unsafe"

	"lockstep/graph"
	"lockstep/op"
)

// The vector twins of composites that go over the last axis row by row: of softmax's derivative, the layer norm, and of the duals of
// both. A twin runs the composite's expansion on a block of rows at a time, small enough for the nearest cache, with the kernels
// that the ops of the expansion have anyway; so it has their bits.

// rowTwin registers the twins of composites of kind O, whose operands and results are [.., c] or [.., 1], all with equal leading axes.
func rowTwin[O op.Composite]() {
	for family := range rowSets {
		twin(family, func(o O, in []op.Type) kernel {
			p := newRowProgram(o, in, family)
			if p == nil {
				return nil
			}
			return p.run
		})
	}
	scratch(func(o O, in []op.Type, _ int) int {
		words := 0
		for family := range rowSets {
			if p := newRowProgram(o, in, family); p != nil {
				words = max(words, p.words())
			}
		}
		return words
	})
}

// rowProgram is an expansion for blocks of rows.
type rowProgram struct {
	*rowSet
	c, rows int        // of all rows
	block   [2]rowCode // of as many rows as a block has, and of the last ones
	count   int        // of the first kind
}

// rowCode is the expansion for a number of rows.
type rowCode struct {
	rows  int
	steps []rowStep
	refs  int // operands and results of all steps
	need  int // words of scratch besides the kernels' own
	most  int // of the kernels' own
}

// rowStep is a node. Its operands and results are tensors of a block, or lie in scratch.
type rowStep struct {
	kernel  kernel // nil: a repetition of a number for each row over its row, or a constant
	fixed   bool   // is the same in every block
	value   uint32 // the constant
	in, out []rowRef
}

// rowRef is an operand of the program, a result, or a place in the scratch.
type rowRef struct {
	op.Type
	operand, result int // -1: it is none
	at              int // offset in the scratch
	words, width    int // of the block, of a row
}

// newRowProgram compiles o for a family; nil if an op of the expansion has no kernel that goes row by row.
func newRowProgram(o op.Composite, in []op.Type, family string) *rowProgram {
	p := &rowProgram{rowSet: rowSets[family], c: 1}
	for _, t := range in {
		p.c = max(p.c, t.At(-1))
	}
	p.rows = in[0].Len() / max(1, in[0].At(-1))
	for _, t := range in {
		if n := t.At(-1); n != p.c && n != 1 || t.Len() != p.rows*n || t.DType != op.F32 && (t.DType != op.U32 || n != 1) {
			return nil
		}
	}
	most := max(1, rowWords/p.c)
	if p.rows > 0 {
		most = min(most, p.rows)
	}
	p.count = p.rows / most
	for i, rows := range []int{most, p.rows % most} {
		if rows > 0 {
			code, ok := p.compile(o, in, rows, family)
			if !ok {
				return nil
			}
			p.block[i] = code
		}
	}
	return p
}

// compile traces the expansion on rows rows.
func (p *rowProgram) compile(o op.Composite, in []op.Type, rows int, family string) (rowCode, bool) {
	code := rowCode{rows: rows}
	allowed := []string{family, "go"}
	where := map[op.Value]rowRef{}
	traced, err := graph.Trace(func(b *graph.Builder) {
		var operands []op.Value
		for i, t := range in {
			t = op.T(t.DType, op.Cell, rows, t.At(-1))
			v := b.Input(string(rune('a'+i)), t)
			where[v] = rowRef{Type: t, operand: i, result: -1}
			operands = append(operands, v)
		}
		for i, y := range o.Expand(b, operands) {
			b.Output(string(rune('A'+i)), y)
		}
	})
	if err != nil {
		return code, false // the caller's types are wrong: it will be told
	}
	traced = graph.Lower(traced, func(o op.Op, in []op.Type) bool {
		_, variant := pick(o, in, allowed)
		_, mean := o.(op.Mean)
		_, pointwise := o.(op.Pointwise)
		return variant != Law && (mean || pointwise)
	}).P
	last := map[op.Value]int{}
	for i, n := range traced.Nodes {
		for _, v := range n.In {
			last[v] = i
		}
	}
	results := map[op.Value]int{}
	for i, out := range traced.Out {
		if _, twice := results[out.V]; twice {
			return code, false
		}
		results[out.V] = i
	}
	var free []int // places of rows * c words that nothing needs any more
	for i, n := range traced.Nodes {
		s, ok := p.step(n, traced.Types, allowed)
		if !ok {
			return code, false
		}
		for _, v := range n.In {
			s.in = append(s.in, where[v])
		}
		for _, v := range n.Out {
			r := rowRef{Type: traced.Types[v], operand: -1, result: -1}
			if k, is := results[v]; is {
				r.result = k
			} else if len(free) > 0 && !s.fixed {
				r.at, free = free[len(free)-1], free[:len(free)-1]
			} else {
				r.at, code.need = code.need, code.need+(rows*p.c+slack+15)/16*16
			}
			where[v] = r
			s.out = append(s.out, r)
			if s.fixed {
				last[v] = len(traced.Nodes)
			}
		}
		for _, v := range slices.Compact(slices.Sorted(slices.Values(n.In))) {
			if r := where[v]; last[v] == i && r.operand < 0 && r.result < 0 {
				free = append(free, r.at)
			}
		}
		types := make([]op.Type, len(n.In))
		for j, v := range n.In {
			types[j] = traced.Types[v]
		}
		if words := scratches[reflect.TypeOf(n.Op)]; words != nil {
			code.most = max(code.most, words(n.Op, types, 1))
		}
		for _, refs := range [2][]rowRef{s.out, s.in} {
			for j := range refs {
				refs[j].words, refs[j].width = refs[j].Len(), refs[j].At(-1)
			}
			code.refs += len(refs)
		}
		code.steps = append(code.steps, s)
	}
	return code, true
}

// step is the kernel of a node.
func (p *rowProgram) step(n op.Node, types []op.Type, allowed []string) (s rowStep, ok bool) {
	in := make([]op.Type, len(n.In))
	for i, v := range n.In {
		in[i] = types[v]
	}
	switch o := n.Op.(type) {
	case op.Fill:
		return rowStep{fixed: true, value: uint32(o.Bits)}, true
	case op.Broadcast:
		return rowStep{}, in[0].Rank == 2 && in[0].At(0) == types[n.Out[0]].At(0)
	case op.Sum:
		ok = o.Axes == "1"
	case op.Mean:
		ok = o.Axes == "1"
	case op.AMax:
		ok = o.Axis == 1
	case op.OneHot:
		ok = o.Axis == 1
	case op.Pointwise:
		ok = true
	}
	k, variant := pick(n.Op, in, allowed)
	return rowStep{kernel: k}, ok && variant != Law
}

// words is the scratch that the program takes.
func (p *rowProgram) words() int {
	return max(p.block[0].need+p.block[0].most, p.block[1].need+p.block[1].most) + rounding
}

// run is the kernel.
func (p *rowProgram) run(w *workspace, out, in []op.Tensor) {
	if p.rows == 0 {
		return
	}
	for i, code := range p.block {
		blocks, from := p.count, 0
		if i == 1 {
			blocks, from = 1, p.count*p.block[0].rows
		}
		if code.rows > 0 {
			work := blocks * code.rows * p.c * len(code.steps) * elementWork
			if !w.splits(work) {
				code.run(p, w, out, in, from, blocks)
				continue
			}
			w.split(blocks, 1, work, func(w *workspace, first, end int) {
				code.run(p, w, out, in, from+first*code.rows, end-first)
			})
		}
	}
}

// run goes over blocks of rows from row from on.
func (code *rowCode) run(p *rowProgram, w *workspace, out, in []op.Tensor, from, blocks int) {
	before := w.used
	memory := w.Words(code.need)
	mark := w.used
	defer func() { w.used = before }()
	// All tensors are found once; from block to block the words move of those that are operands or results.
	tensors := w.tensorsOf(code.refs)
	for i, k := 0, 0; i < len(code.steps); i++ {
		for _, refs := range [2][]rowRef{code.steps[i].out, code.steps[i].in} {
			for _, r := range refs {
				t := op.Tensor{Type: r.Type}
				if r.operand < 0 && r.result < 0 {
					n := r.Len()
					t.W = memory[r.at : r.at+n : r.at+n+slack]
				}
				tensors[k] = t
				k++
			}
		}
	}
	for b := range blocks {
		row, left := from+b*code.rows, tensors
		for i := range code.steps {
			s := &code.steps[i]
			outs, ins := left[:len(s.out)], left[len(s.out):len(s.out)+len(s.in)]
			left = left[len(s.out)+len(s.in):]
			move(outs, s.out, out, in, row)
			if s.kernel == nil && len(s.in) == 0 {
				if b == 0 || s.out[0].result >= 0 {
					fill(outs[0].W, s.value)
				}
				continue
			}
			move(ins, s.in, out, in, row)
			if s.kernel == nil {
				p.spread(outs[0], ins[0], s.out[0].result >= 0)
				continue
			}
			s.kernel(w, outs, ins)
			w.used = mark
		}
	}
}

// move turns the tensors of operands and results to the block that begins with a row.
func move(ts []op.Tensor, refs []rowRef, out, in []op.Tensor, row int) {
	for i := range refs {
		r := &refs[i]
		switch {
		case r.operand >= 0:
			from := row * r.width
			ts[i].W = in[r.operand].W[from : from+r.words : from+r.words]
		case r.result >= 0:
			from := row * r.width
			ts[i].W = out[r.result].W[from : from+r.words : from+r.words]
		}
	}
}

// spread repeats the number of each row over the row; exact: nothing may be written behind the last.
func (p *rowProgram) spread(y, x op.Tensor, exact bool) {
	n := y.At(1)
	switch {
	case x.At(1) == n: // rows of one element
		copy(y.W, x.W)
	case exact:
		for i, v := range x.W {
			fill(y.W[i*n:(i+1)*n], v)
		}
	default:
		p.repeat(unsafe.SliceData(y.W), &x.W[0], len(x.W), n)
	}
}
