package optest

import (
	"fmt"
	"math/rand/v2"

	"lockstep/op"
)

// stateShapes are those of one number of elements, so that states and values can be seen as each other's parts. They are longer than what engines compute at
// a time.
var stateShapes = [][]int{{40, 64}, {2560}, {1, 2560}, {64, 40}, {8, 320}}

// NewStates draws a program whose steps replace large states, point by point and by rows, of which others read parts: an engine that replaces them in place must
// show nobody what it has replaced too early. A number of such states may be the place of a row, or the flag of the program. See NewRandom.
func NewStates(entropy []byte) (*Random, error) {
	g := &generator{entropy: entropy}
	return g.draw(g.largeStates)
}

func (g *generator) largeStates() {
	b := g.b
	g.domains = []op.Domain{op.Cell}
	input := func(x operand) op.Value {
		name := fmt.Sprint("in", len(g.fills))
		g.fills[name] = x
		return b.Input(name, op.Type{DType: x.t.DType, Domain: op.Cell, Shape: x.t.Shape})
	}
	var states, values []op.Value
	for i := range 2 + g.below(3) {
		s := b.State(fmt.Sprint("state", i), input(f32(gauss, choose(g, stateShapes...)...)), op.Cell)
		states, values = append(states, s), append(values, s)
	}
	flags := b.State("flags", b.Do(op.Fill{DType: op.Bool, Bits: 1, To: op.S(64)}), op.Cell)
	places := b.State("places", input(words(op.U32, func(r *rand.Rand) uint32 { return r.Uint32N(9) }, 8, 320)), op.Cell)
	like := func(s op.Shape) op.Value { return g.findAmong(values, func(t op.Type) bool { return t.Shape == s }) }
	element := func(v op.Value) op.Value {
		for a := range int(b.Type(v).Rank) {
			v = b.Do(op.Slice{Axis: int8(a), Start: int32(g.below(b.Type(v).At(a))), Len: 1}, v)
		}
		return b.Do(op.Reshape{To: op.S()}, v)
	}
	for range 3 + g.below(12) {
		v := choose(g, values...)
		s := b.Type(v).Shape
		switch k := g.below(9); {
		case k < 2:
			v = b.Do(choose[op.Op](g, op.Tanh, op.Neg, op.Sigmoid{}), v)
		case k < 5:
			v = b.Do(choose[op.Op](g, op.Add, op.Mul, op.Max), v, like(s))
		case k == 5:
			v = b.Do(op.Reshape{To: op.S(choose(g, stateShapes...)...)}, v)
		case k == 6 && s.Rank == 2: // a row or a column is spread
			a := g.below(2)
			v = b.Do(op.Mul, v, b.Do(op.Broadcast{To: s}, b.Do(op.Slice{Axis: int8(a), Start: int32(g.below(s.At(a))), Len: 1}, v)))
		case k == 7:
			v = b.Do(op.Add, v, b.Do(op.Broadcast{To: s}, element(v)))
		case k == 8 && s.Rank == 2:
			at := b.FillU(uint32(g.below(s.At(0) + 1)))
			if g.oneIn(2) {
				at = element(places)
			}
			v = b.Do(op.PutRow{}, v, b.Do(op.Slice{Axis: 0, Start: 0, Len: 1}, like(s)), at)
		default:
			continue
		}
		values = append(values, v)
	}
	for _, s := range states {
		b.Next(s, like(b.Type(s).Shape))
	}
	some := b.Do(op.Slice{Axis: 0, Start: 0, Len: 64}, b.Do(op.Reshape{To: op.S(2560)}, choose(g, values...)))
	b.Next(flags, b.Do(op.Gt, b.Do(op.Neg, some), b.Fill(0.2, 64)))
	b.Next(places, b.Do(op.PutRow{}, places, b.FillU(uint32(g.below(8)), 1, 320), b.FillU(uint32(g.below(8)))))
	switch g.below(3) {
	case 0:
		b.Active(element(flags))
	case 1:
		b.Active(b.Do(op.Gt, element(values[len(values)-1]), b.Fill(-0.5)))
	}
	for i, v := range values {
		if g.oneIn(5) {
			b.Output(fmt.Sprint("out", i), v)
		}
	}
}
