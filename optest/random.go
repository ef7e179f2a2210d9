package optest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// Random is a random program with data for a pack of cells: small graphs of any ops, of values that vary over any domains, with states that are
// replaced by what happens to have their type, with a flag for cells that stop, and with derivatives.
type Random struct {
	Program *graph.Program
	Cells   int
	Groups  graph.Groups
	Steps   int
	data    map[string][]op.Tensor // of each input, by slot
}

// NewRandom draws a program; equal entropy gives equal programs and data, and any entropy gives one. Error: the trace's, which is a fault of a rule or of
// the generator.
func NewRandom(entropy []byte) (*Random, error) {
	g := &generator{entropy: entropy}
	return g.draw(g.anyProgram)
}

// generator makes choices of bytes, one after the other; 0 where they have come to an end.
type generator struct {
	entropy []byte
	b       *graph.Builder
	values  []op.Value // what ops may take
	inputs  []op.Value
	used    map[op.Value]bool
	fills   map[string]operand // how the data of an input is drawn
	domains []op.Domain        // of inputs, states and outputs
	batch   int                // the first axis of most shapes; 0: there is no such
	moving  map[op.Value]bool  // values that hang on a state: a step computes nothing else
	smooth  bool               // only what is differentiable, of moderate values
	forward bool               // a tangent has been taken: of a matmul's there is no further one
}

// below chooses one of n.
func (g *generator) below(n int) (k int) {
	for size := n - 1; size > 0; size >>= 8 {
		k <<= 8
		if len(g.entropy) > 0 {
			k |= int(g.entropy[0])
			g.entropy = g.entropy[1:]
		}
	}
	return k % max(n, 1)
}

func (g *generator) oneIn(n int) bool { return g.below(n) == n-1 } // not where the entropy has ended

func choose[T any](g *generator, from ...T) T { return from[g.below(len(from))] }

func (g *generator) draw(program func()) (*Random, error) {
	r := &Random{Cells: 1 + g.below(5), Steps: 1 + g.below(4), Groups: graph.Groups{}, data: map[string][]op.Tensor{}}
	for _, d := range []op.Domain{op.Seed, op.Model} {
		slots := 0
		for range r.Cells { // slots are used in order
			slot := min(g.below(3), slots)
			slots = max(slots, slot+1)
			r.Groups[d] = append(r.Groups[d], slot)
		}
	}
	var err error
	r.Program, err = graph.Trace(func(b *graph.Builder) {
		g.b, g.used, g.fills, g.moving = b, map[op.Value]bool{}, map[string]operand{}, map[op.Value]bool{}
		program()
	})
	if err != nil {
		return nil, fmt.Errorf("a random program: %w", err)
	}
	seed := uint64(g.below(1 << 32))
	for i, in := range r.Program.In {
		t := r.Program.Types[in.V]
		slots := map[op.Domain]int{op.Shared: 1, op.Cell: r.Cells}[t.Domain]
		if of, ok := r.Groups[t.Domain]; ok {
			slots = slices.Max(of) + 1
		}
		for slot := range slots {
			x := op.New(t)
			g.fills[in.Name].fill(rand.New(rand.NewPCG(seed, uint64(i)<<32|uint64(slot))), x)
			if t.DType == op.F32 {
				op.Canonical(x.W)
			}
			r.data[in.Name] = append(r.data[in.Name], x)
		}
	}
	return r, nil
}

// ofBatches are ops that a network does example by example, and those that bring its examples together.
var ofBatches = []op.Op{
	op.Exp, op.Tanh, op.Gelu{}, op.Add, op.Mul, op.Select{}, op.MatMul{}, op.MatMul{}, op.MatMul{}, op.Sum{}, op.Mean{}, op.AMax{}, op.Broadcast{}, op.Reshape{}, op.Transpose{},
	op.Softmax{}, op.LayerNorm{}, op.Xent{}, op.XentGrad{}, op.Gather{}, op.Slice{}, op.Concat{},
}

// anyProgram emits up to 24 ops and what their derivatives take.
func (g *generator) anyProgram() {
	g.domains = choose(g, []op.Domain{op.Cell}, []op.Domain{op.Cell, op.Shared, op.Seed, op.Model}, []op.Domain{op.Seed, op.Shared})
	g.batch = choose(g, 0, 0, 4, 6, 12)
	states := g.states()
	for range 1 + g.below(24) {
		kinds := op.All
		if g.batch > 0 && !g.oneIn(4) {
			kinds = ofBatches
		}
		g.emit(kinds[g.below(len(kinds))])
		if g.oneIn(16) {
			g.derive()
		}
	}
	for _, s := range states {
		t := g.b.Type(s)
		others := slices.DeleteFunc(slices.Clone(g.values), func(v op.Value) bool { return v == s })
		next := g.findAmong(others, func(v op.Type) bool {
			return v.DType == t.DType && v.Shape == t.Shape && op.Join(v.Domain, t.Domain) == t.Domain
		})
		if next == 0 {
			next = s
			if t.DType == op.F32 {
				next = g.b.Do(op.Tanh, s)
			}
		}
		g.used[next] = true
		g.b.Next(s, next)
	}
	g.active(states)
	outputs := 0
	for _, v := range g.values {
		if g.used[v] && !g.oneIn(6) {
			continue
		}
		domain := g.b.Type(v).Domain
		if g.oneIn(4) {
			domain = op.Join(domain, g.domain())
		}
		g.b.OutputOver(fmt.Sprint("out", outputs), v, domain)
		outputs++
	}
}

func (g *generator) domain() op.Domain { return choose(g, g.domains...) }

// states declares up to three states, each from an input or a constant, every other one like the one before, so that they can change places.
func (g *generator) states() (states []op.Value) {
	count := choose(g, 1, 2, 3, 0)
	if g.batch > 0 {
		count = max(count, 1)
	}
	for i := range count {
		var from op.Value
		switch {
		case i == 0 && g.batch > 0: // what most ops take
			from = g.input(op.F32, g.batch, choose(g, 3, 1, 4, 9, 16, 33))
		case i > 0 && g.oneIn(2):
			t := g.b.Type(states[i-1])
			from = g.input(t.DType, t.Dims()...)
		default:
			from = g.input(choose(g, op.F32, op.F32, op.U32, op.Bool), g.dims(g.below(3))...)
		}
		if g.oneIn(2) {
			t := g.b.Type(from)
			from = g.b.Do(op.Fill{DType: t.DType, Bits: op.Bits(choose[uint32](g, 0, 1)), To: t.Shape})
		}
		s := g.b.State(fmt.Sprint("state", i), from, op.Join(g.b.Type(from).Domain, g.domain()))
		g.values, states, g.moving[s] = append(g.values, s), append(states, s), true
	}
	return states
}

// active makes, every other time, a flag of the program, if it can keep all states.
func (g *generator) active(states []op.Value) {
	keeps := func(t op.Type) bool {
		return !slices.ContainsFunc(states, func(s op.Value) bool { return op.Join(g.b.Type(s).Domain, t.Domain) != g.b.Type(s).Domain })
	}
	if !g.oneIn(2) {
		return
	}
	v := g.find(func(t op.Type) bool { return t.DType == op.Bool && t.Rank == 0 && keeps(t) })
	if x := g.find(func(t op.Type) bool { return t.DType == op.F32 && t.Len() > 0 && keeps(t) }); v == 0 && x != 0 {
		var all []int
		for a := range int(g.b.Type(x).Rank) {
			all = append(all, a)
		}
		sum := g.b.Do(op.Reshape{To: op.S()}, g.b.Do(op.Sum{Axes: op.List(all...)}, x))
		v = g.b.Do(op.Gt, sum, op.FillLike(g.b, 0, sum))
	}
	if v != 0 {
		g.used[v] = true
		g.b.Active(v)
	}
}

// find chooses a value whose type fits; 0 if there is none.
func (g *generator) find(fits func(t op.Type) bool) op.Value { return g.findAmong(g.values, fits) }

func (g *generator) findAmong(values []op.Value, fits func(t op.Type) bool) op.Value {
	var all, moving, ofBatch []op.Value
	for _, v := range values {
		t := g.b.Type(v)
		if !fits(t) {
			continue
		}
		all = append(all, v)
		if g.moving[v] {
			moving = append(moving, v)
			if g.batch > 0 && t.Rank > 0 && t.At(0) == g.batch {
				ofBatch = append(ofBatch, v)
			}
		}
	}
	for _, better := range [][]op.Value{moving, ofBatch} {
		if better != nil && !g.oneIn(4) {
			all = better
		}
	}
	if all == nil {
		return 0
	}
	return all[len(all)-1-g.below(len(all))] // the newest where the entropy has ended: chains
}

// dims are small, and now and then some vectors long.
func (g *generator) dims(rank int) (dims []int) {
	words := 1
	for i := range rank {
		n := choose(g, 3, 1, 2, 4, 5, 7, 8, 9, 16, 17, 33, 65, 130, 0)
		if i == 0 && g.batch > 0 && !g.oneIn(4) {
			n = g.batch
		}
		if words*n > 2000 || g.smooth && n == 0 {
			n = 2
		}
		words *= max(n, 1)
		dims = append(dims, n)
	}
	return dims
}

// input declares data of an element type.
func (g *generator) input(d op.DType, dims ...int) op.Value {
	name := fmt.Sprint("in", len(g.fills))
	x := g.data(d, dims)
	g.fills[name] = x
	v := g.b.Input(name, op.Type{DType: d, Domain: g.domain(), Shape: x.t.Shape})
	g.values, g.inputs = append(g.values, v), append(g.inputs, v)
	return v
}

// data is a rule for values: mostly such that results are finite, and indices in their places.
func (g *generator) data(d op.DType, dims []int) operand {
	switch d {
	case op.F32:
		return f32(g.flavour(), dims...)
	case op.Bool:
		return flags(dims...)
	case op.I8:
		return int8s(anyInt8, dims...)
	case op.T2:
		return codes(dims[0], dims[1])
	}
	if g.oneIn(6) && !g.smooth {
		return integers(d, dims...)
	}
	n := uint32(choose(g, 3, 1, 2, 7, 12))
	return words(d, func(r *rand.Rand) uint32 { return r.Uint32N(n) }, dims...)
}

func (g *generator) flavour() flavour {
	if g.smooth || !g.oneIn(3) {
		return gauss
	}
	return flavours[g.below(len(flavours))]
}

// value is one of a type and shape: one that is there, or new data, or a constant.
func (g *generator) value(d op.DType, dims ...int) op.Value {
	s := op.S(dims...)
	v := g.find(func(t op.Type) bool { return t.DType == d && t.Shape == s })
	switch k := g.below(6); {
	case v != 0 && k < 4:
		return v
	case k == 4 && d != op.I8 && d != op.T2:
		v = g.b.Do(op.Fill{DType: d, Bits: g.constant(d), To: s})
		g.values = append(g.values, v)
		return v
	}
	return g.input(d, dims...)
}

func (g *generator) constant(d op.DType) op.Bits {
	if d == op.F32 {
		return op.B(choose[float32](g, 1, 0, -1, 0.5, 2, -0.1))
	}
	return op.Bits(choose[uint32](g, 0, 1))
}

// any is a value of an element type with a number of axes from lo to hi.
func (g *generator) any(d op.DType, lo, hi int) op.Value {
	return g.anySuch(d, lo, hi, func(op.Shape) bool { return true })
}

// anySuch is one whose shape fits; all of whose axes are of more than no places must.
func (g *generator) anySuch(d op.DType, lo, hi int, fits func(s op.Shape) bool) op.Value {
	v := g.find(func(t op.Type) bool {
		return t.DType == d && int(t.Rank) >= lo && int(t.Rank) <= hi && t.Len() <= 4000 && fits(t.Shape)
	})
	if v != 0 && !g.oneIn(4) {
		return v
	}
	dims := g.dims(lo + g.below(min(hi, 3)-lo+1))
	if !fits(op.S(dims...)) {
		for i := range dims {
			dims[i] = max(dims[i], 1)
		}
	}
	return g.input(d, dims...)
}

// emit appends an op of a kind, with attributes and operands.
func (g *generator) emit(kind op.Op) {
	grow := growers[kind.Name()]
	if grow == nil {
		g.b.Fail(fmt.Errorf("no grower for %s: add one to growers.go of package optest", kind.Name()))
	}
	o, in := grow(g, kind)
	switch o.(type) {
	case op.MatMulJVP, op.Dual[op.MatMul]:
		g.forward = true
	}
	g.append(g.b.Emit(o, in...), in...)
	for _, v := range in {
		g.used[v] = true
	}
}

// append takes what is computed from values.
func (g *generator) append(vs []op.Value, from ...op.Value) {
	moving := slices.ContainsFunc(from, func(v op.Value) bool { return g.moving[v] })
	for _, v := range vs {
		if v != 0 {
			g.values = append(g.values, v)
			g.moving[v] = moving
		}
	}
}

// derive appends cotangents, or a tangent, of some value.
func (g *generator) derive() {
	y := g.find(func(t op.Type) bool { return t.DType == op.F32 })
	x := g.find(func(t op.Type) bool { return t.DType == op.F32 })
	if y == 0 {
		return
	}
	if g.forward || g.oneIn(2) {
		g.append(g.b.VJP(y, g.value(op.F32, g.b.Type(y).Dims()...), x), x, y)
		return
	}
	g.forward = true
	g.append(g.b.JVP([]op.Value{y}, []op.Value{x}, []op.Value{g.value(op.F32, g.b.Type(x).Dims()...)}), x, y)
}
