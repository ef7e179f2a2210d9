package optest

import (
	"math/rand/v2"

	"lockstep/op"
)

// duals adds the cases of the primal with tangents, in one flavour after the other: of all operands that may have one, and of one alone.
// Of long tables it takes a third, out of step with what these repeat, and the last cases, the large ones, of which all operands have tangents: the
// laws of duals are slow.
func duals(g *table) {
	of, _ := g.op.(op.Twofold).Primal()
	primal := &table{op: of, seed: g.seed}
	generators[of.Name()](primal)
	every, last := 1, len(primal.cases)
	if last > 150 {
		every, last = 3, last-8
	}
	for i, c := range primal.cases {
		if (i+i/9)%every != 0 && i < last {
			continue
		}
		all := uint32(0)
		var some []uint32
		for j, t := range c.In {
			if t.DType == op.F32 {
				all |= 1 << j
				some = append(some, 1<<j)
			}
		}
		with := all
		if i%4 == 3 && i < last {
			with = some[i/4%len(some)]
		}
		in, flavour := c.In, flavours[i%len(flavours)]
		for j := range c.In {
			if with>>j&1 == 1 {
				in = append(in[:len(in):len(in)], c.In[j])
			}
		}
		d := &Case{Op: c.Op.(op.Dualer).Dual(with), In: in, Note: c.Note + "; tangents: " + flavour.name, Seed: c.Seed, drew: map[int][]op.Tensor{}, want: map[string][]op.Tensor{}}
		d.fill = func(r *rand.Rand, t []op.Tensor) {
			c.fill(r, t[:len(c.In)])
			for _, x := range t[len(c.In):] {
				for k := range x.W {
					x.SetF(k, flavour.draw(r, k))
				}
			}
		}
		g.cases = append(g.cases, d)
	}
}

// growDual grows the primal and tangents of some of its operands.
func growDual(g *generator, kind op.Op) (op.Op, []op.Value) {
	of, _ := kind.(op.Twofold).Primal()
	o, in := growers[of.Name()](g, of)
	with := uint32(0)
	for i, v := range in {
		if g.b.Type(v).DType == op.F32 && (with == 0 || !g.oneIn(3)) {
			with |= 1 << i
			in = append(in[:len(in):len(in)], g.value(op.F32, g.b.Type(v).Dims()...))
		}
	}
	return o.(op.Dualer).Dual(with), in
}

// randomDual draws a dual of an op that engines have twins for.
func randomDual(d *dice) (op.Op, []operand) {
	draw := one(d, randomProduct, randomProduct, randomClasses, randomElementwise)
	for {
		of, in := draw(d)
		dualer, ok := of.(op.Dualer)
		if !ok {
			continue
		}
		if dualer.Dual(1) == nil {
			continue
		}
		with, tangents := uint32(0), []operand(nil)
		for i, x := range in {
			if x.t.DType == op.F32 && (with == 0 || !d.oneIn(3)) {
				with |= 1 << i
				tangents = append(tangents, d.f32(x.t.Dims()...))
			}
		}
		return dualer.Dual(with), append(in, tangents...)
	}
}
