package graph

import (
	"slices"

	"lockstep/op"
)

// VJP emits the cotangents of the values wrt, given the cotangent ct of y (reverse mode; Griewank and Walther,
// Evaluating Derivatives, 2nd ed., section 3.2). 0 stands for a cotangent known to vanish. The reverse sweep meets uses
// highest op first and, within an op, operand 0 first; adjoints of a value are added in that order.
//
// With ct = 1 and a scalar y it is the gradient.
func (b *Builder) VJP(y, ct op.Value, wrt ...op.Value) []op.Value {
	b.likePrimal("cotangent", ct, y)
	need, adjoint := b.p.depends(wrt), map[op.Value]op.Value{y: ct}
	of := func(v op.Value) bool { return int(v) < len(need) && need[v] }
	op.Pullback(b, slices.Clip(b.p.Nodes), of, adjoint) // nodes that the rules append are not visited
	out := make([]op.Value, len(wrt))
	for i, w := range wrt {
		out[i] = adjoint[w]
	}
	return out
}

// JVP emits the tangents of ys, given the tangents ts of xs (forward mode). 0 stands for a tangent known to vanish, in
// and out. A tangent's domain may be finer than its primal's: K vectors at one model are K cells of a group.
//
// JVP of a VJP is a Hessian-vector product, forward over reverse (Pearlmutter 1994, Fast Exact Multiplication by the
// Hessian).
func (b *Builder) JVP(ys, xs, ts []op.Value) []op.Value {
	if len(xs) != len(ts) {
		b.failf("JVP at %d values along %d tangents", len(xs), len(ts))
	}
	tangent := map[op.Value]op.Value{}
	for i, x := range xs {
		if ts[i] != 0 {
			b.likePrimal("tangent", ts[i], x)
		}
		tangent[x] = ts[i]
	}
	needed := b.p.ancestors(ys) // others may have tangents too, but nobody asks for them
	op.Pushforward(b, slices.Clip(b.p.Nodes), func(n op.Node) bool {
		return slices.ContainsFunc(n.Out, func(v op.Value) bool { return needed[v] })
	}, tangent)
	out := make([]op.Value, len(ys))
	for i, y := range ys {
		out[i] = tangent[y]
	}
	return out
}

func (b *Builder) likePrimal(what string, t, primal op.Value) {
	have, want := b.Type(t), b.Type(primal)
	if have.DType != op.F32 || have.DType != want.DType || have.Shape != want.Shape {
		b.failf("a %s %s at a value %s; want f32 of its shape", what, have, want)
	}
}

// Gradient emits the gradients of a loss f32[] with respect to values; a gradient that vanishes is a fill of +0.
func (b *Builder) Gradient(loss op.Value, wrt ...op.Value) []op.Value {
	g := b.VJP(loss, op.FillLike(b, 1, loss), wrt...)
	for i, v := range g {
		if v == 0 {
			g[i] = op.FillLike(b, 0, wrt[i])
		}
	}
	return g
}

// HVP emits the product of a loss's Hessian with the vector v, block by block: JVP(VJP(loss)).
func (b *Builder) HVP(loss op.Value, wrt, v []op.Value) []op.Value {
	h := b.JVP(b.Gradient(loss, wrt...), wrt, v)
	for i := range h {
		if h[i] == 0 {
			h[i] = op.FillLike(b, 0, wrt[i])
		}
	}
	return h
}

// GGN emits the product of the generalised Gauss-Newton matrix J^T H J with the vector v, where J is the Jacobian of
// outputs and H the Hessian of the loss with respect to them: VJP . H_loss . JVP (Schraudolph 2002, Fast Curvature
// Matrix-Vector Products). lossOf emits the loss f32[] from the outputs.
func (b *Builder) GGN(outputs op.Value, lossOf func(outputs op.Value) op.Value, wrt, v []op.Value) []op.Value {
	jv := b.JVP([]op.Value{outputs}, wrt, v)[0]
	out := make([]op.Value, len(wrt))
	if jv != 0 {
		if hjv := b.HVP(lossOf(outputs), []op.Value{outputs}, []op.Value{jv})[0]; hjv != 0 {
			out = b.VJP(outputs, hjv, wrt...)
		}
	}
	for i := range out {
		if out[i] == 0 {
			out[i] = op.FillLike(b, 0, wrt[i])
		}
	}
	return out
}

// Fisher emits the product of sum over rows i of g_i g_i^T with the vector v, g_i the gradient of loss i of perRow f32[rows, 1]: VJP . JVP, so that no
// gradient of a row is ever made. With the losses of the data's own labels that is the empirical Fisher matrix, times the number of rows; with
// labels drawn from the model's own distribution a Monte Carlo estimate of the Fisher matrix (Kunstner, Balles and Hennig 2019, arXiv 1905.12558,
// equations 4 and 5).
func (b *Builder) Fisher(perRow op.Value, wrt, v []op.Value) []op.Value {
	out := make([]op.Value, len(wrt))
	if along := b.JVP([]op.Value{perRow}, wrt, v)[0]; along != 0 {
		out = b.VJP(perRow, along, wrt...)
	}
	for i := range out {
		if out[i] == 0 {
			out[i] = op.FillLike(b, 0, wrt[i])
		}
	}
	return out
}
