package graph

import "lockstep/op"

// Work is the arithmetic of a step.
type Work struct {
	MACs   int64 // float32 multiply-adds of matrix products
	Codes  int64 // ternary codes that are added, each for one row of activations
	Points int64 // results of pointwise float32 ops, of which each is an operation or a function
}

// FLOPs counts a multiply-add as two operations, the addition of a code and a pointwise result as one.
func (w Work) FLOPs() int64 { return 2*w.MACs + w.Codes + w.Points }

// Count adds up the work of a step, composites as their expansions; slots is how many values there are of a domain.
func (p *Program) Count(slots func(op.Domain) int64) (w Work) {
	t := Lower(p, func(op.Op, []op.Type) bool { return false })
	for _, n := range t.Step {
		out := t.P.Types[n.Out[0]]
		shape := func(i int) op.Shape { return t.P.Types[n.In[i]].Shape }
		times, o, chains := slots(out.Domain), n.Op, int64(1)
		if j, ok := o.(op.MatMulJVP); ok {
			o, chains = op.MatMul(j), 2
		}
		switch o := o.(type) {
		case op.MatMul:
			d, _ := o.Dims(shape(0), shape(1))
			w.MACs += chains * times * int64(d.Batch) * int64(d.M) * int64(d.K) * int64(d.N)
		case op.TernaryMM:
			m, k, n, _ := o.Dims(shape(0), shape(1))
			w.Codes += times * int64(m) * int64(k) * int64(n)
		case op.Pointwise:
			if out.DType == op.F32 {
				w.Points += times * int64(out.Len())
			}
		}
	}
	return w
}
