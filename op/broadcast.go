package op

// Broadcast repeats axes of size 1, and adds leading axes, until the operand has shape To (the axes are aligned at the
// last one, as in NumPy). Any one-word element type.
//
//	x [.., 1, ..] -> [To]
type Broadcast struct{ To Shape }

func (Broadcast) Name() string { return "broadcast" }
func (Broadcast) Class() Class { return Exact }

func (o Broadcast) Shape(in []Type) ([]Type, error) {
	ok := len(in) == 1 && in[0].DType <= Bool && in[0].Rank <= o.To.Rank
	if ok {
		lead := int(o.To.Rank - in[0].Rank)
		for i := range int(in[0].Rank) {
			ok = ok && (in[0].At(i) == 1 || in[0].At(i) == o.To.At(lead+i))
		}
	}
	if !ok {
		return nil, bad(o, in, "an operand whose axes, aligned at the last, are of size 1 or of To's size")
	}
	return result(in[0].DType, o.To), nil
}

// Law: y[.., i, ..] = x[.., i or 0, ..].
func (o Broadcast) Law(out, in []Tensor) {
	from := o.aligned(in[0].Shape)
	for i := range out[0].W {
		out[0].W[i] = in[0].W[project(i, o.To, from)]
	}
}

// Repeats views the broadcast of an operand of shape from as [outer, n, inner], in which the n elements of from vary only along the middle;
// ok is false when its axes alternate more often.
func (o Broadcast) Repeats(from Shape) (outer, n, inner int, ok bool) {
	to := o.To
	outer, n, inner = 1, 1, 1
	lead, d := int(to.Rank-from.Rank), int(to.Rank)-1
	grows := func(d int) bool { return d < lead || from.At(d-lead) != to.At(d) }
	for ; d >= 0 && grows(d); d-- {
		inner *= to.At(d)
	}
	for ; d >= 0 && !grows(d); d-- {
		n *= to.At(d)
	}
	for ; d >= 0 && (grows(d) || to.At(d) == 1); d-- {
		outer *= to.At(d)
	}
	return outer, n, inner, d < 0
}

// aligned is s with leading axes of size 1, of the rank of To.
func (o Broadcast) aligned(s Shape) Shape {
	lead := int(o.To.Rank - s.Rank)
	t := Shape{Rank: o.To.Rank}
	for i := range lead {
		t.D[i] = 1
	}
	copy(t.D[lead:], s.D[:s.Rank])
	return t
}

// project turns the row-major index i in shape from into the index in shape to, which has the same rank, and in which
// axes of size 1 stay at 0.
func project(i int, from, to Shape) int {
	j, stride := 0, 1
	for d := int(from.Rank) - 1; d >= 0; d-- {
		c := i % from.At(d)
		i /= from.At(d)
		if to.At(d) != 1 {
			j += c * stride
		}
		stride *= to.At(d)
	}
	return j
}

func (o Broadcast) JVP(e Emitter, n Node, t []Value) []Value { return e.Emit(o, t[0]) }

func (o Broadcast) VJP(e Emitter, n Node, ct []Value) []Value {
	s := e.Type(n.In[0]).Shape
	from := o.aligned(s)
	var grown []int
	for i := range int(o.To.Rank) {
		if from.D[i] != o.To.D[i] {
			grown = append(grown, i)
		}
	}
	g := ct[0]
	if len(grown) > 0 { // an axis of size 1 that stays 1 is a view, not a Sum
		g = one(e, Sum{List(grown...)}, g)
	}
	if s.Rank != o.To.Rank {
		g = one(e, Reshape{s}, g)
	}
	return []Value{g}
}
