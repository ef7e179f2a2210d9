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

// Count adds up the work of a step, composites as their expansions; slots is how many values there are of a domain. Products count
// whole, whatever ends them early.
func (p *Program) Count(slots func(op.Domain) int64) Work { return p.CountRagged(slots, nil) }

// CountRagged is Count where lengths are what inputs u32[] hold, by name: products that one of them ends early count as much as it
// leaves.
func (p *Program) CountRagged(slots func(op.Domain) int64, lengths map[string]int64) (w Work) {
	t := Lower(p, func(o op.Op, _ []op.Type) bool {
		switch o.(type) {
		case op.MatMulTail, op.TernaryMMTail: // their expansions would not know where the outputs end
			return true
		}
		return false
	})
	held := map[op.Value]int64{}
	for _, in := range t.P.In {
		if n, ok := lengths[in.Name]; ok {
			held[in.V] = n
		}
	}
	for _, n := range t.Step {
		out := t.P.Types[n.Out[0]]
		shape := func(i int) op.Shape { return t.P.Types[n.In[i]].Shape }
		until := func(i, all int) int64 { // what the operand i, if there is one, leaves of so many
			if i < len(n.In) {
				if length, ok := held[n.In[i]]; ok {
					return min(length, int64(all))
				}
			}
			return int64(all)
		}
		times, o, chains, klen := slots(out.Domain), n.Op, int64(1), 2
		if j, ok := o.(op.MatMulJVP); ok {
			o, chains, klen = op.MatMul(j), 2, 4
		}
		switch o := o.(type) {
		case op.MatMul:
			d, _ := o.Dims(shape(0), shape(1))
			w.MACs += chains * times * int64(d.Batch) * int64(d.M) * until(klen, d.K) * int64(d.N)
		case op.MatMulTail:
			d, _ := op.MatMul(o).Dims(shape(0), shape(1))
			w.MACs += times * int64(d.Batch) * int64(d.M) * int64(d.K) * until(klen, d.N)
		case op.TernaryMM:
			m, k, n, _ := o.Dims(shape(0), shape(1))
			w.Codes += times * int64(m) * until(klen, k) * int64(n)
		case op.TernaryMMTail:
			m, k, n, _ := op.TernaryMM(o).Dims(shape(0), shape(1))
			w.Codes += times * int64(m) * int64(k) * until(klen, n)
		case op.Pointwise:
			if out.DType == op.F32 {
				w.Points += times * int64(out.Len())
			}
		}
	}
	return w
}
