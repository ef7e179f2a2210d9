package cpu

import (
	"slices"

	"lockstep/op"
)

// mulMulAdd is a b + c d, each product and the sum rounded by itself, as Mul and Add do: what the tangent of a product is. One pass reads four operands and
// writes one result, where three would write two more and read them again.
type mulMulAdd struct{}

func (mulMulAdd) Name() string    { return "mulmuladd" }
func (mulMulAdd) Class() op.Class { return op.Exact }
func (mulMulAdd) Pointwise()      {}

func (o mulMulAdd) Shape(in []op.Type) ([]op.Type, error) {
	if _, err := op.Mul.Shape(in[2:]); err != nil {
		return nil, err
	}
	return op.Mul.Shape(in[:2])
}

// Law is the laws of Mul and Add.
func (mulMulAdd) Law(out, in []op.Tensor) {
	ab, cd := []op.Tensor{op.New(out[0].Type)}, []op.Tensor{op.New(out[0].Type)}
	op.Mul.Law(ab, in[:2])
	op.Mul.Law(cd, in[2:])
	op.Add.Law(out, []op.Tensor{ab[0], cd[0]})
}

// JVP and VJP are not for what an engine makes of a program.
func (mulMulAdd) JVP(op.Emitter, op.Node, []op.Value) []op.Value { panic("cpu: JVP of mulmuladd") }
func (mulMulAdd) VJP(op.Emitter, op.Node, []op.Value) []op.Value { panic("cpu: VJP of mulmuladd") }

// foldProducts makes one node of a sum of two products that nothing else reads.
func (l *layout) foldProducts(e *Engine) {
	f := l.folding(e)
	for i, n := range l.t.Step {
		if n.Op != op.Add {
			continue
		}
		fused := op.Node{Op: mulMulAdd{}, Out: n.Out}
		for _, v := range n.In {
			at, inStep := f.made[v]
			if inStep && l.t.Step[at].Op == op.Mul && len(f.readers[v]) == 1 && l.t.P.Types[v] == l.t.P.Types[n.Out[0]] {
				fused.In = append(fused.In, l.t.Step[at].In...)
			}
		}
		if len(fused.In) == 4 && e.has(fused.Op, f.types(fused, 0)) {
			l.t.Step[i], f.fold[n.In[0]], f.fold[n.In[1]] = fused, true, true
		}
	}
	l.t.Step = slices.DeleteFunc(l.t.Step, func(n op.Node) bool { return f.fold[n.Out[0]] })
}
