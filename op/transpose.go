package op

// Transpose permutes axes: axis i of the result is axis Perm[i] of the operand. Any one-word element type.
//
//	x [s_0, s_1, ..] -> [s_Perm[0], s_Perm[1], ..]
type Transpose struct{ Perm Ints }

func (Transpose) Name() string { return "transpose" }
func (Transpose) Class() Class { return Exact }

func (o Transpose) Shape(in []Type) ([]Type, error) {
	p, err := o.Perm.parse()
	ok := err == nil && len(in) == 1 && in[0].DType <= Bool && len(p) == int(in[0].Rank) && List(p...) == o.Perm
	var s Shape
	var seen [MaxRank]bool
	for i := 0; ok && i < len(p); i++ {
		if ok = isAxis(p[i], in[0].Shape) && !seen[p[i]]; ok {
			seen[p[i]] = true
			s.Rank++
			s.D[i] = in[0].D[p[i]]
		}
	}
	if !ok {
		return nil, bad(o, in, "Perm as a permutation of the operand's axes, such as 1,0")
	}
	return result(in[0].DType, s), nil
}

// Law: y[i_0, i_1, ..] = x[the same indices, each at its axis Perm[..]].
func (o Transpose) Law(out, in []Tensor) {
	var stride [MaxRank]int // of the operand, by axis of the result
	for i, p := range o.Perm.Slice() {
		stride[i] = 1
		for d := p + 1; d < int(in[0].Rank); d++ {
			stride[i] *= in[0].At(d)
		}
	}
	for i := range out[0].W {
		from, rest := 0, i
		for d := int(out[0].Rank) - 1; d >= 0; d-- {
			from += rest % out[0].At(d) * stride[d]
			rest /= out[0].At(d)
		}
		out[0].W[i] = in[0].W[from]
	}
}

func (o Transpose) JVP(e Emitter, n Node, t []Value) []Value { return e.Emit(o, t[0]) }

func (o Transpose) VJP(e Emitter, n Node, ct []Value) []Value {
	p := o.Perm.Slice()
	inverse := make([]int, len(p))
	for i, a := range p {
		inverse[a] = i
	}
	return e.Emit(Transpose{List(inverse...)}, ct[0])
}
