package cpu

import (
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// In bytes. Tests make all smaller.
var (
	nearBand   = 5 << 20  // of a band, at most: its own values, and its share of operands and results, of which a quarter or so is in use at a time
	nearWhole  = 1 << 20  // of what all bands read whole, at most: they ought to find it where they have left it
	smallBands = 16       // nearBand by the size of the smallest bands that are worth their calls
	farRows    = 32 << 20 // of all rows, at least, where every thread has a cell: a gradient of 20 gains nothing then, a Hessian product of 36 a tenth
)

// foldBands puts what a step computes by rows of a batch into one node for each domain, if all of it is more than stays near: far more where every thread has a
// cell, whose chains keep some of it near without bands. What is not per cell has no chains but in bands.
func (l *layout) foldBands(e *Engine, slots *graph.Slots) {
	for _, d := range slots.Domains() {
		f := newBander(l, e, d)
		n, err := slots.Count(d)
		if err != nil || !f.find() {
			continue
		}
		b := f.bands(1) // for its sizes
		if b == nil {
			continue
		}
		few := farRows
		if n < e.threads || d != op.Cell {
			few = nearBand
		}
		count := f.count(b, few, 2*e.threads/n)
		if count > 1 {
			f.put(f.bands(count))
		}
	}
}

// bander looks for what goes by rows.
type bander struct {
	*layout
	e      *Engine
	domain op.Domain
	class  map[op.Value]op.Value // by value whose rows some op reads or makes: a value of the same rows, towards that which names the class
	made   map[op.Value]op.Node  // by result: what runs once, or is another domain's
	joints map[op.Value]bool     // first results of joint nodes

	region, before, after []op.Node
	inRegion              map[op.Value]bool
	byRow, whole          map[op.Value]bool // what the region reads from outside
	again                 map[op.Value]bool // of that, and of what it is made of: what bands make for themselves
	most                  int               // divides the rows of all values of the region
}

func newBander(l *layout, e *Engine, d op.Domain) *bander {
	f := &bander{layout: l, e: e, domain: d, made: map[op.Value]op.Node{}, joints: map[op.Value]bool{}}
	for i, n := range slices.Concat(l.t.Once, l.t.Step) {
		if i < len(l.t.Once) || l.t.P.Types[n.Out[0]].Domain != d {
			f.made[n.Out[0]] = n
		}
	}
	for _, n := range l.t.Step {
		if newJoint(l.t, graph.Group{Nodes: []op.Node{n}}, e.variants) != nil {
			f.joints[n.Out[0]] = true
		}
	}
	return f
}

// typesOf are those of values.
func (f *bander) typesOf(vs []op.Value) []op.Type {
	types := make([]op.Type, len(vs))
	for i, v := range vs {
		types[i] = f.t.P.Types[v]
	}
	return types
}

// goes is which operands a node reads by rows, if it makes its results by rows.
func (f *bander) goes(n op.Node, count int) (band op.Op, by uint32, ok bool) {
	in := f.typesOf(n.In)
	if f.t.P.Types[n.Out[0]].Rank > 0 {
		band, by = bandOf(n.Op, in, count)
	}
	if band == nil {
		return nil, 0, false
	}
	for i := range in {
		if by>>i&1 == 0 {
			continue
		}
		if in[i], ok = bandType(in[i], count); !ok {
			return nil, 0, false
		}
	}
	out, err := band.Shape(in)
	if err != nil {
		return nil, 0, false
	}
	for i, t := range f.typesOf(n.Out) {
		want, ok := bandType(t, count)
		if !ok || out[i].Shape != want.Shape || out[i].DType != want.DType {
			return nil, 0, false
		}
	}
	return band, by, true
}

func (f *bander) root(v op.Value) op.Value {
	for f.class[v] != 0 {
		v = f.class[v]
	}
	return v
}

// find finds the rows that most words of the step belong to, and the nodes that go by them. Where all is pointwise, as in an update of parameters, chains do
// as well.
func (f *bander) find() bool {
	f.class = map[op.Value]op.Value{}
	words, most, busy := map[op.Value]int{}, map[op.Value]int{}, map[op.Value]bool{} // busy: chains have more than pointwise ops between them
	all := slices.Concat(f.t.Once, f.t.Step)
	for _, n := range all {
		if _, by, ok := f.goes(n, 1); ok {
			for i, v := range n.In {
				if by>>i&1 == 1 {
					f.join(n.Out[0], v)
				}
			}
			for _, v := range n.Out[1:] {
				f.join(n.Out[0], v)
			}
		}
	}
	for i, n := range all {
		_, by, ok := f.goes(n, 1)
		if !ok {
			continue
		}
		r := f.root(n.Out[0])
		for k, v := range slices.Concat(n.In, n.Out) {
			if k >= len(n.In) || by>>k&1 == 1 {
				most[r] = gcd(f.t.P.Types[v].At(0), most[r])
			}
		}
		if i >= len(f.t.Once) && f.own(n) && f.t.View[n.Out[0]].Of == 0 {
			for _, t := range f.typesOf(n.Out) {
				if t.Words() > t.At(0) { // a vector's elements are no rows
					words[r] += t.Words()
				}
			}
			_, pointwise := n.Op.(op.Pointwise)
			_, spreads := n.Op.(op.Broadcast)
			busy[r] = busy[r] || !pointwise && !spreads
		}
	}
	rows, best := op.Value(0), 0
	for _, n := range f.t.Step { // in order, so that the choice is always the same
		if r := f.root(n.Out[0]); words[r] > best && most[r] > 1 && busy[r] {
			rows, best = r, words[r]
		}
	}
	if rows == 0 {
		return false
	}
	f.most = most[rows]
	f.part(rows)
	return len(f.region) > 1
}

func (f *bander) join(v, w op.Value) {
	if v, w = f.root(v), f.root(w); v != w {
		f.class[w] = v
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// own tells whether a node is one of the domain's, for each slot by itself.
func (f *bander) own(n op.Node) bool {
	return f.t.P.Types[n.Out[0]].Domain == f.domain && !f.joints[n.Out[0]]
}

// part parts the step into what goes by those rows, what comes before it, and what comes after.
func (f *bander) part(rows op.Value) {
	f.region, f.before, f.after, f.inRegion = nil, nil, nil, map[op.Value]bool{}
	f.byRow, f.whole = map[op.Value]bool{}, map[op.Value]bool{}
	late := map[op.Value]bool{}
	for _, n := range f.t.Step {
		isLate := slices.ContainsFunc(n.In, func(v op.Value) bool { return late[v] })
		_, by, ok := f.goes(n, f.most)
		ok = ok && !isLate && f.own(n) && f.root(n.Out[0]) == rows
		for i, v := range n.In { // one way or the other: whole, it has to be there before
			if by>>i&1 == 1 {
				ok = ok && !f.whole[v] && !wholeToo(n, by, v)
			} else {
				ok = ok && !f.byRow[v] && !f.inRegion[v]
			}
		}
		if !ok {
			if isLate || slices.ContainsFunc(n.In, func(v op.Value) bool { return f.inRegion[v] }) {
				f.after = append(f.after, n)
				for _, v := range n.Out {
					late[v] = true
				}
			} else {
				f.before = append(f.before, n)
			}
			continue
		}
		for i, v := range n.In {
			switch {
			case f.inRegion[v]:
			case by>>i&1 == 1:
				f.byRow[v] = true
			default:
				f.whole[v] = true
			}
		}
		f.region = append(f.region, n)
		for _, v := range n.Out {
			f.inRegion[v] = true
		}
	}
	f.remake()
}

// wholeToo tells whether a node reads an operand that it reads by rows as another operand, whole.
func wholeToo(n op.Node, by uint32, v op.Value) bool {
	for i, w := range n.In {
		if w == v && by>>i&1 == 0 {
			return true
		}
	}
	return false
}

// bands makes the node for so many bands; nil if it would leave nothing.
func (f *bander) bands(count int) *bands {
	b := &bands{count: count, types: f.t.P.Types, rows: map[op.Value]bool{}, holds: map[op.Value]int{}}
	p := &graph.Program{Types: slices.Clone(f.t.P.Types)}
	seen := map[op.Value]bool{}
	var add func(n op.Node)
	add = func(n op.Node) {
		band, by, _ := f.goes(n, count)
		for i, v := range n.In {
			if f.inRegion[v] || seen[v] {
				continue
			}
			seen[v] = true
			if f.again[v] {
				add(f.made[v])
				continue
			}
			b.in = append(b.in, v)
			if by>>i&1 == 1 {
				b.rows[v] = true
				p.Types[v], _ = bandType(p.Types[v], count)
			} else {
				p.Types[v].Domain = op.Cell
			}
		}
		for _, v := range n.Out {
			p.Types[v], _ = bandType(p.Types[v], count)
		}
		b.nodes = append(b.nodes, n)
		p.Nodes = append(p.Nodes, op.Node{Op: band, In: n.In, Out: n.Out})
	}
	for _, n := range f.region {
		add(n)
	}
	read := map[op.Value]bool{}
	for _, n := range f.after {
		for _, v := range n.In {
			read[v] = true
		}
	}
	for _, v := range f.t.Roots() {
		read[v] = true
	}
	for v := range read {
		if root, _ := f.t.Root(v); f.inRegion[root] {
			b.out = append(b.out, root)
		}
	}
	slices.Sort(b.out)
	b.out = slices.Compact(b.out)
	if len(b.out) == 0 {
		return nil
	}
	for _, v := range b.out {
		p.Out = append(p.Out, graph.Output{V: v})
	}
	b.lay(f.e, graph.Straight(p, f.e.has))
	for _, n := range b.nodes {
		for _, t := range f.typesOf(n.Out) {
			b.work += t.Words() * elementWork
		}
		if d, ok := productDims(n, f.typesOf(n.In)); ok {
			b.work += d.Batch * d.M * d.K * d.N
		}
	}
	return b
}

// productDims are the sizes of a product.
func productDims(n op.Node, in []op.Type) (d op.MatDims, ok bool) {
	switch o := n.Op.(type) {
	case op.MatMul:
		return o.Dims(in[0].Shape, in[1].Shape)
	case op.MatMulJVP:
		return op.MatMul(o).Dims(in[0].Shape, in[1].Shape)
	case op.Dual[op.MatMul]:
		return o.Of.Dims(in[0].Shape, in[1].Shape)
	}
	return d, false
}

// count is in how many bands the rows go, of which b is one with all: the fewest that stay near, and at least so many, or as many as leave each some rows; 1: it
// is not worth it, as where all rows are few bytes, or where their number has no such divisor.
func (f *bander) count(b *bands, few, least int) int {
	words, whole := b.local, 0
	for _, v := range b.out {
		words += f.t.P.Types[v].Words()
	}
	for _, v := range b.in {
		switch n := f.t.P.Types[v].Words(); {
		case b.rows[v]:
			words += n
		case !b.isTable(v): // of a table a band reads its own entries
			whole += n
		}
	}
	if 4*whole > nearWhole || 4*words <= few {
		return 1
	}
	best := 1
	for count := 2; count <= f.most && 4*words/count >= nearBand/smallBands; count++ { // of more, kernels would be called for a few rows at a time
		if f.most%count != 0 || 4*words/count > nearBand && count < f.most {
			continue
		}
		if best = count; count >= least {
			break
		}
	}
	return best
}

// isTable tells whether bands only take entries out of an operand.
func (b *bands) isTable(v op.Value) bool {
	return !slices.ContainsFunc(b.nodes, func(n op.Node) bool {
		_, gathers := n.Op.(op.Gather)
		return slices.Contains(n.In, v) && !gathers
	})
}

// put has the step run the bands in the stead of their nodes.
func (f *bander) put(b *bands) {
	f.t.Step = append(f.before, op.Node{Op: b, In: b.in, Out: b.out})
	for _, n := range f.region { // what others may read of a result or an operand
		if root, _ := f.t.Root(n.Out[0]); f.t.View[n.Out[0]].Of != 0 && (!f.inRegion[root] || slices.Contains(b.out, root)) {
			f.t.Step = append(f.t.Step, n)
		}
	}
	f.t.Step = append(f.t.Step, f.after...)
	f.sweep()
}
