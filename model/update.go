package model

import (
	"lockstep/graph"
	"lockstep/op"
)

// update is a rule at work: it emits one step of a cell.
type update struct {
	b  *graph.Builder
	k  map[string]op.Value // constants f32[] by name, see Rule.Constants
	to op.Shape            // of z
}

// updates: the formula of each rule, from z, its gradient g and the learning rate lr f32[]; one line per entry.
var updates = map[string]func(u update, z, g, lr op.Value) op.Value{
	"sgd": func(u update, z, g, lr op.Value) op.Value {
		return u.sub(z, u.mul(u.wide(lr), g)) // z = z - lr * g
	},
	"momentum": func(u update, z, g, lr op.Value) op.Value {
		v := u.state("v")
		v = u.next(v, u.add(u.mul(u.wide(u.k["mu"]), v), g)) // v = mu * v + g
		return u.sub(z, u.mul(u.wide(lr), v))                // z = z - lr * v
	},
	"adam": update.adam,
	"adamw": func(u update, z, g, lr op.Value) op.Value {
		z = u.sub(z, u.mul(u.wide(u.mul(lr, u.k["wd"])), z)) // z = z - (lr * wd) * z
		return u.adam(z, g, lr)
	},
}

// adam is the update of Kingma and Ba 2015 (arXiv 1412.6980, algorithm 1). The bias corrections 1 - b^t are kept as q1
// and q2 by the same recursion as the moments.
func (u update) adam(z, g, lr op.Value) op.Value {
	m, v := u.state("m"), u.state("v")
	q1, q2 := u.scalar("q1"), u.scalar("q2")
	m = u.next(m, u.add(u.mul(u.wide(u.k["b1"]), m), u.mul(u.wide(u.k["c1"]), g)))           // m = b1 * m + c1 * g
	v = u.next(v, u.add(u.mul(u.wide(u.k["b2"]), v), u.mul(u.wide(u.k["c2"]), u.mul(g, g)))) // v = b2 * v + c2 * (g * g)
	q1 = u.next(q1, u.add(u.mul(u.k["b1"], q1), u.k["c1"]))                                  // q1 = b1 * q1 + c1
	q2 = u.next(q2, u.add(u.mul(u.k["b2"], q2), u.k["c2"]))                                  // q2 = b2 * q2 + c2
	root := u.b.Do(op.Sqrt, u.b.Do(op.Div, v, u.wide(q2)))
	ratio := u.b.Do(op.Div, u.b.Do(op.Div, m, u.wide(q1)), u.add(root, u.wide(u.k["eps"])))
	return u.sub(z, u.mul(u.wide(lr), ratio)) // z = z - lr * ((m / q1) / (sqrt(v / q2) + eps))
}

// clip is g times the least of 1 and clip / (|g| + 1e-6), |g| the root of the sum of its squares: a gradient of at most the norm clip (Pascanu et
// al. 2013, arXiv 1211.5063, algorithm 1; the 1e-6 is that of torch.nn.utils.clip_grad_norm_).
func (u update) clip(g op.Value) op.Value {
	var axes []int
	for i := range int(u.to.Rank) {
		axes = append(axes, i)
	}
	norm := u.b.Do(op.Sqrt, u.b.Do(op.Reshape{}, u.b.Do(op.Sum{Axes: op.List(axes...)}, u.mul(g, g))))
	ratio := u.b.Do(op.Div, u.k["clip"], u.add(norm, u.b.Fill(1e-6)))
	return u.mul(g, u.wide(u.b.Do(op.Min, u.b.Fill(1), ratio)))
}

// Update emits one step of the rule on z with gradient g (one shape): the next z. The optimiser's memory and the
// schedule's are States of the cell, all from +0; nothing comes from the host. step u32[] counts the steps done, steps
// f32[] is their total; constants holds an f32[] for each of Rule.Constants. loss f32[] is what g is the gradient of; only
// a projection needs it.
func (r Rule) Update(b *graph.Builder, constants map[string]op.Value, step, steps, loss, z, g op.Value) op.Value {
	u := update{b, constants, b.Type(z).Shape}
	clipped := g
	if r.Clips() {
		clipped = u.clip(g)
	}
	next := updates[r.Type](u, z, clipped, r.rate(b, constants, step, steps))
	return r.Project.project(u, loss, z, g, next)
}

// rate emits lr(step), f32[].
func (r Rule) rate(b *graph.Builder, k map[string]op.Value, step, steps op.Value) op.Value {
	lr := k["lr"]
	switch r.Schedule.Type {
	case "cosine": // lr * (0.5 * (1 + cospi(step / steps)))
		turn := b.Do(op.CosPi, b.Do(op.Div, b.Do(op.Cast{To: op.F32}, step), steps))
		return b.Do(op.Mul, lr, b.Do(op.Mul, b.Fill(0.5), b.Do(op.Add, b.Fill(1), turn)))
	case "step": // factor starts at 1 and is multiplied by gamma after every Every steps
		factor := b.State("schedule.factor", b.Fill(1), op.Cell)
		count := b.State("schedule.count", b.FillU(0), op.Cell)
		one := b.Do(op.IAdd{}, count, b.FillU(1))
		full := b.Do(op.Eq, one, b.FillU(uint32(r.Schedule.Every)))
		b.Next(count, b.Do(op.Select{}, full, b.FillU(0), one))
		b.Next(factor, b.Do(op.Select{}, full, b.Do(op.Mul, factor, k["gamma"]), factor))
		return b.Do(op.Mul, lr, factor)
	}
	return lr
}

func (u update) add(x, y op.Value) op.Value { return u.b.Do(op.Add, x, y) }
func (u update) sub(x, y op.Value) op.Value { return u.b.Do(op.Sub, x, y) }
func (u update) mul(x, y op.Value) op.Value { return u.b.Do(op.Mul, x, y) }

// wide spreads a scalar over z.
func (u update) wide(x op.Value) op.Value { return u.b.Do(op.Broadcast{To: u.to}, x) }

func (u update) state(name string) op.Value {
	return u.b.State("rule."+name, u.b.Do(op.Fill{DType: op.F32, To: u.to}), op.Cell)
}

func (u update) scalar(name string) op.Value {
	return u.b.State("rule."+name, u.b.Fill(0), op.Cell)
}

func (u update) next(state, v op.Value) op.Value {
	u.b.Next(state, v)
	return v
}
