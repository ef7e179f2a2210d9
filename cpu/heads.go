package cpu

import (
	"slices"

	"lockstep/op"
)

// headsApart turns [example, position, head, width], as heads lie in the rows that a projection gives, into [example, head, position, width], and
// back: it exchanges the same axes.
var headsApart = op.Transpose{Perm: "0,2,1,3"}

// heads is a batch of products of which some operands, or the results, lie as [example, position, head, width], where those of Of have the
// positions of a head together: what Of with transposes before and after it computes, without the copies that these make.
type heads[O op.Op] struct {
	Of  O
	In  uint32 // bit i: operand i lies so
	Out bool   // the results lie so
}

func (h heads[O]) Name() string    { return h.Of.Name() }
func (h heads[O]) Class() op.Class { return h.Of.Class() }

// inner are the operands of Of.
func (h heads[O]) inner(in []op.Type) []op.Type {
	in = slices.Clone(in)
	for i := range in {
		if h.In>>i&1 != 0 {
			in[i].Shape = exchanged(in[i].Shape)
		}
	}
	return in
}

func exchanged(s op.Shape) op.Shape {
	s.D[1], s.D[2] = s.D[2], s.D[1]
	return s
}

func (h heads[O]) Shape(in []op.Type) ([]op.Type, error) {
	out, err := h.Of.Shape(h.inner(in))
	if err == nil && h.Out {
		for i := range out {
			out[i].Shape = exchanged(out[i].Shape)
		}
	}
	return out, err
}

// Law computes what the transposes and the law of Of do.
func (h heads[O]) Law(out, in []op.Tensor) {
	in, results := slices.Clone(in), slices.Clone(out)
	for i := range in {
		if h.In>>i&1 != 0 {
			in[i] = transposed(in[i])
		}
	}
	if h.Out {
		for i := range out {
			results[i] = op.New(op.Type{DType: out[i].DType, Domain: out[i].Domain, Shape: exchanged(out[i].Shape)})
		}
	}
	h.Of.Law(results, in)
	if h.Out {
		for i := range out {
			headsApart.Law(out[i:i+1], results[i:i+1])
		}
	}
}

func transposed(x op.Tensor) op.Tensor {
	y := op.New(op.Type{DType: x.DType, Domain: x.Domain, Shape: exchanged(x.Shape)})
	headsApart.Law([]op.Tensor{y}, []op.Tensor{x})
	return y
}

// JVP and VJP are not for what an engine makes of a program.
func (h heads[O]) JVP(op.Emitter, op.Node, []op.Value) []op.Value { panic("cpu: JVP of " + h.Name()) }
func (h heads[O]) VJP(op.Emitter, op.Node, []op.Value) []op.Value { panic("cpu: VJP of " + h.Name()) }

// headed is the op with such operands and results; nil of one that cannot have them.
func headed(o op.Op, in uint32, out bool) op.Op {
	switch o := o.(type) {
	case op.MatMul:
		return heads[op.MatMul]{o, in, out}
	case op.MatMulJVP:
		return heads[op.MatMulJVP]{o, in, out}
	case op.Dual[op.MatMul]:
		if o.With == 3 {
			return heads[op.Dual[op.MatMul]]{o, in, out}
		}
	}
	return nil
}

// tangentOf is the place of the tangent of operand i, 0 or 1, of a product with so many operands; 0 where there is none.
func tangentOf(o op.Op, i, operands int) int {
	switch o.(type) {
	case op.MatMulJVP:
		return i + 2
	case op.Dual[op.MatMul]:
		return operands - 2 + i
	}
	return 0
}

// foldHeads has the products of heads read, and write, the rows of the projections: transposes that only exchange the axes of position and head, and
// that nothing but products reads, or that read nothing but products, are no work any more.
func (l *layout) foldHeads(e *Engine) {
	f := l.folding(e)
	f.operands()
	f.results()
	l.t.Step = slices.DeleteFunc(l.t.Step, func(n op.Node) bool { return f.fold[n.Out[0]] && n.Op == headsApart })
}

// operands folds the transposes whose results are operands of products: of each operand and its tangent both, or neither.
func (f *folding) operands() {
	for _, n := range f.t.Step {
		if n.Op == headsApart {
			f.fold[n.Out[0]] = true
		}
	}
	for again := true; again; {
		again = false
		for v := range f.fold {
			if !f.served(v) {
				delete(f.fold, v)
				again = true
			}
		}
	}
	for i, n := range f.t.Step {
		if in := f.mask(n); in != 0 {
			o := op.Node{Op: headed(n.Op, in, false), In: slices.Clone(n.In), Out: n.Out}
			for k, v := range n.In {
				if in>>k&1 != 0 {
					o.In[k] = f.t.Step[f.made[v]].In[0]
				}
			}
			f.t.Step[i] = o
		}
	}
}

// mask are the operands of a product that come from transposes which go.
func (f *folding) mask(n op.Node) (in uint32) {
	if headed(n.Op, 0, false) == nil {
		return 0
	}
	for k, v := range n.In {
		if f.fold[v] {
			in |= 1 << k
		}
	}
	return in
}

// served tells whether all that read a transpose's result can do without: each is a product that reads its tangent, or of which it is the tangent, likewise.
func (f *folding) served(v op.Value) bool {
	for _, i := range f.readers[v] {
		if i < 0 || headed(f.t.Step[i].Op, 0, false) == nil {
			return false
		}
		n := f.t.Step[i]
		for k := range 2 {
			in, t := uint32(1)<<k, tangentOf(n.Op, k, len(n.In))
			if n.In[k] != v && (t == 0 || n.In[t] != v) {
				continue
			}
			if t > 0 {
				in |= 1 << t
			}
			if !f.fold[n.In[k]] || !f.fold[n.In[max(k, t)]] || !f.e.has(headed(n.Op, in, false), f.types(n, in)) {
				return false
			}
		}
	}
	return len(f.readers[v]) > 0
}

// results folds the transposes that are all that reads the results of a product.
func (f *folding) results() {
	for i, n := range f.t.Step {
		o, in := n.Op, uint32(0)
		switch h := n.Op.(type) {
		case heads[op.MatMul]:
			o, in = h.Of, h.In
		case heads[op.MatMulJVP]:
			o, in = h.Of, h.In
		case heads[op.Dual[op.MatMul]]:
			o, in = h.Of, h.In
		}
		to := make([]op.Value, len(n.Out))
		for k, v := range n.Out {
			if by := f.readers[v]; len(by) == 1 && by[0] >= 0 && f.t.Step[by[0]].Op == headsApart && !f.fold[f.t.Step[by[0]].Out[0]] {
				to[k] = f.t.Step[by[0]].Out[0]
			}
		}
		h := headed(o, in, true)
		if h == nil || slices.Contains(to, 0) || !f.e.has(h, f.types(n, 0)) {
			continue
		}
		for _, v := range to {
			f.fold[v] = true
		}
		f.t.Step[i] = op.Node{Op: h, In: n.In, Out: to}
	}
}
