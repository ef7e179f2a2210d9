package cpu

import (
	"lockstep/graph"
	"lockstep/op"
)

// Bands: the rows of a batch go through a step a few at a time.
//
// Most of what a step computes of a batch it computes row by row: activations, their tangents and cotangents. One after the other over all rows, each op would
// fetch what the one before has made from a far cache. So what goes by rows is one node, bands, that takes a band of the rows through all of it, whose values
// stay in the nearest caches and take the same memory in every band, and leaves whole only what the rest of the step reads: the operands of the products
// and sums over the batch. Each row's bits are the same, whoever is computed beside it. Bands do not hang on each other, so threads that have no cell take some.

// bands is the node.
type bands struct {
	count  int
	nodes  []op.Node // as they stood in the step, over all rows
	types  []op.Type // of the step's values
	in     []op.Value
	out    []op.Value
	rows   map[op.Value]bool // operands of which a band is read; all results are such
	layout *layout           // of a band: the values have the step's numbers
	units  []unit            // compiled
	local  int               // words of the values of a band
	ws     int               // words of the kernels
	work   int               // of all bands, as workspace.split counts it
	holds  map[op.Value]int  // operand or result -> its place in in, or len(in) and its place in out
	copied []int             // places of results that are copied when a band is done
}

// lay lays a band out, and compiles it.
func (b *bands) lay(e *Engine, t *graph.Tape) {
	for i, v := range b.in {
		b.holds[v] = i
	}
	made := map[op.Value]bool{}
	for i, o := range t.P.Out { // the rewrites may have given it another number, or have found it to be a part of another value, or the same as one
		place := len(b.in) + i
		if root, _ := t.Root(o.V); root != o.V || made[o.V] {
			b.copied = append(b.copied, place)
			continue
		}
		b.holds[o.V], made[o.V] = place, true
	}
	l := &layout{t: t, inner: map[op.Value]bool{}, updated: map[op.Value]op.Value{}}
	l.fuse(e)
	l.phases = []phase{{groups: t.Groups}}
	l.local = t.Plan(func(v op.Value) bool { return !made[v] })
	b.layout = l
	_, b.ws = l.words(1, 1)
	b.local = l.local.Words
	for _, g := range t.Groups {
		b.units = append(b.units, unitsOf(t, g, e.variants)...)
	}
}

func (b *bands) Name() string    { return "bands" }
func (b *bands) Class() op.Class { return op.Ordered }

func (b *bands) Shape([]op.Type) (out []op.Type, err error) {
	for _, v := range b.out {
		out = append(out, b.types[v])
	}
	return out, nil
}

// Law is the laws of the nodes, over all rows.
func (b *bands) Law(out, in []op.Tensor) {
	has := map[op.Value]op.Tensor{}
	for i, v := range b.in {
		has[v] = in[i]
	}
	for _, n := range b.nodes {
		var ins, outs []op.Tensor
		for _, v := range n.In {
			ins = append(ins, has[v])
		}
		for _, v := range n.Out {
			has[v] = op.New(b.types[v])
			outs = append(outs, has[v])
		}
		n.Op.Law(outs, ins)
	}
	for i, v := range b.out {
		copy(out[i].W, has[v].W)
	}
}

// JVP and VJP are not for what an engine makes of a program.
func (b *bands) JVP(op.Emitter, op.Node, []op.Value) []op.Value { panic("cpu: JVP of bands") }
func (b *bands) VJP(op.Emitter, op.Node, []op.Value) []op.Value { panic("cpu: VJP of bands") }

func init() {
	twin("go", func(b *bands, _ []op.Type) kernel { return b.run })
	scratch(func(b *bands, _ []op.Type, _ int) int { return b.local + b.layout.parts + b.ws })
}

// run takes the rows of a cell through, a band at a time; threads that have nothing to do take some of the bands.
func (b *bands) run(w *workspace, out, in []op.Tensor) {
	for at := range b.count {
		if rest := b.count - at; rest > 1 && w.splits(b.work/b.count*rest) {
			w.split(rest, 1, b.work/b.count*rest, func(w *workspace, from, to int) { b.some(w, out, in, at+from, at+to) })
			return
		}
		b.some(w, out, in, at, at+1)
	}
}

// some takes some bands through.
func (b *bands) some(w *workspace, out, in []op.Tensor, from, to int) {
	mark, part := w.used, w.part
	p := b.place(w)
	w.part = true // a band is not cut again
	for i := range p.whole {
		m := &p.whole[i]
		*m.words = m.of(out, in)
	}
	for at := from; at < to; at++ {
		for i := range p.moving {
			m := &p.moving[i]
			first := at*m.stride + m.off
			*m.words = m.of(out, in)[first : first+m.n : first+m.n]
		}
		for i := range p.units {
			u, used := &p.units[i], w.used
			if u.chain != nil {
				u.chain.run(w)
			} else {
				u.kernel(w, u.out, u.in)
			}
			w.used = used
		}
	}
	w.used, w.part = mark, part
}

// bandPlace is where a workspace computes bands.
type bandPlace struct {
	memory        []uint32
	units         []boundUnit
	whole, moving []bandOperand
}

// bandOperand is an operand that lives in the memory of one of the node's operands or results.
type bandOperand struct {
	words          *[]uint32
	place          int // of in, or of out after them
	stride, off, n int
}

func (m *bandOperand) of(out, in []op.Tensor) []uint32 {
	if m.place < len(in) {
		return in[m.place].W
	}
	return out[m.place-len(in)].W
}

// place is the workspace's place for these bands, made at the first call, and when the memory that it gets is another.
func (b *bands) place(w *workspace) *bandPlace {
	memory := w.Words(b.local + b.layout.parts)
	p := w.places[b]
	if p != nil && (len(memory) == 0 || &memory[0] == &p.memory[0]) {
		return p
	}
	if w.places == nil {
		w.places = map[*bands]*bandPlace{}
	}
	p = &bandPlace{memory: memory}
	w.places[b] = p
	for _, u := range b.units {
		if u.chain != nil {
			parts := memory[b.local:]
			p.units = append(p.units, boundUnit{chain: u.chain.bind(func(v op.Value) op.Tensor { return b.tensor(v, memory) }, func(v op.Value, words *[]uint32) { b.moves(p, v, words) }, parts)})
			continue
		}
		p.units = append(p.units, boundUnit{kernel: u.kernel, operandsOf: operandsOf{b.tensors(p, u.In), b.tensors(p, u.Out)}})
	}
	for _, place := range b.copied {
		v := b.layout.t.P.Out[place-len(b.in)].V
		words := b.layout.t.P.Types[v].Words()
		u := boundUnit{kernel: copyWords, operandsOf: operandsOf{b.tensors(p, []op.Value{v}), make([]op.Tensor, 1)}}
		p.units = append(p.units, u)
		p.moving = append(p.moving, bandOperand{words: &u.out[0].W, place: place, stride: words, n: words})
	}
	return p
}

func copyWords(_ *workspace, out, in []op.Tensor) { copy(out[0].W, in[0].W) }

// tensor is a value of a band; it has no words yet if it lives in an operand or a result, and none if it is an inner one of a chain.
func (b *bands) tensor(v op.Value, memory []uint32) op.Tensor {
	t := b.layout.t
	root, off := t.Root(v)
	x := op.Tensor{Type: t.P.Types[v]}
	if at := b.layout.local.Off[root]; at >= 0 {
		n := x.Type.Words()
		x.W = memory[at+off : at+off+n : at+off+n]
	}
	return x
}

func (b *bands) tensors(p *bandPlace, vs []op.Value) []op.Tensor {
	ts := make([]op.Tensor, len(vs))
	for i, v := range vs {
		ts[i] = b.tensor(v, p.memory)
		b.moves(p, v, &ts[i].W)
	}
	return ts
}

// moves notes that words are those of a value, if that lives in an operand or a result.
func (b *bands) moves(p *bandPlace, v op.Value, words *[]uint32) {
	t := b.layout.t
	root, off := t.Root(v)
	place, holds := b.holds[root]
	if !holds {
		return
	}
	m := bandOperand{words: words, place: place, off: off, n: t.P.Types[v].Words()}
	if place < len(b.in) && !b.rows[root] {
		p.whole = append(p.whole, m)
		return
	}
	m.stride = t.P.Types[root].Words()
	p.moving = append(p.moving, m)
}
