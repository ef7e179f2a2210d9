package gpu

import (
	"lockstep/graph"
	"lockstep/op"
)

// keepArgs are those of cuda/keep.cu.
type keepArgs struct {
	to, from, active view
	words            uint32
	always           uint32
}

// copy adds the launch that copies a value into an array, slot by slot.
func (x *exec) copy(list *[]work, to *array, from op.Value) error {
	at, err := x.view(from, to.Domain)
	if err != nil {
		return err
	}
	into, err := x.p.view(to, 0, to.Domain)
	if err != nil {
		return err
	}
	x.move(list, into, at, view{}, to.Words(), to.Domain)
	return nil
}

// move adds the launch that copies words from one place to another, for each slot of a domain, where the gate is true.
func (x *exec) move(list *[]work, to, from, gate view, words int, over op.Domain) {
	a := keepArgs{to: to, from: from, active: gate, words: uint32(words)}
	if gate.base == 0 {
		a.always = 1
	}
	if w := newWork("keep", blocks(words, 256), len(x.p.slots.Speakers(over)), 1, 256, 0, bytesOf(a)); w != nil {
		*list = append(*list, *w)
	}
}

// settleIn makes the program of the executor `resident`: the states move in before the first step, and out after the last one.
func (x *exec) settleIn() error {
	var in, out []work
	for _, s := range x.t.P.State {
		t := x.t.P.Types[s.In]
		there, err := x.p.view(x.home[s.In], 0, op.Cell)
		if err != nil {
			return err
		}
		here, err := x.view(s.In, op.Cell)
		if err != nil {
			return err
		}
		x.move(&in, here, there, view{}, t.Words(), op.Cell)
		if !x.t.Still(s) {
			x.move(&out, there, here, view{}, t.Words(), op.Cell)
		}
	}
	return x.resident.program(x.p, in, x.step, out)
}

// staged tells whether the value is a state, or a part of one: then it must be read before any state is replaced.
func (x *exec) staged(v op.Value) bool {
	root, _ := x.t.Root(v)
	for _, s := range x.t.P.State {
		if s.In == root {
			return true
		}
	}
	return false
}

// stagedSlots is how many slots of a domain a staged value takes side by side: by `resident` one, as each cell has its values to itself.
func (x *exec) stagedSlots(d op.Domain) int {
	if x.resident != nil {
		return 1
	}
	return len(x.p.slots.Speakers(d))
}

// stagedWords is the temporary memory that the staged values take together; by `resident`, those of a cell.
func (x *exec) stagedWords() (words int) {
	for _, s := range x.t.P.State {
		if x.staged(s.Next) && !x.t.Still(s) {
			words += graph.Stride(x.t.P.Types[s.In]) * x.stagedSlots(x.t.P.Types[s.In].Domain)
		}
	}
	if q := x.t.P; q.Active != 0 && x.staged(q.Active) {
		words += graph.Stride(x.t.P.Types[q.Active]) * x.stagedSlots(op.Cell)
	}
	return words
}

// finish adds what ends a step: outputs that were not computed in place are copied, then the states are replaced, but for
// cells that are not active.
func (x *exec) finish() error {
	q := x.t.P
	for _, o := range q.Out {
		if a := x.p.arrays[o.Name]; x.home[o.V] != a {
			if err := x.copy(&x.step, a, o.V); err != nil {
				return err
			}
		}
	}
	at := x.temp
	stage := func(v op.Value, t op.Type) (view, error) {
		from, err := x.view(v, t.Domain)
		to := view{base: at, stride: uint64(graph.Stride(t))}
		at += 4 * uint64(graph.Stride(t)*x.stagedSlots(t.Domain))
		if x.resident != nil {
			to.stride = uint64(x.own)
		}
		if err == nil {
			x.move(&x.step, to, from, view{}, t.Words(), t.Domain)
		}
		return to, err
	}
	next := make([]view, len(q.State))
	for i, s := range q.State {
		var err error
		if x.t.Still(s) {
			continue
		}
		if x.staged(s.Next) {
			next[i], err = stage(s.Next, q.Types[s.In])
		} else {
			next[i], err = x.view(s.Next, q.Types[s.In].Domain)
		}
		if err != nil {
			return err
		}
	}
	gates := map[op.Domain]view{}
	if q.Active != 0 {
		var staged *view
		if x.staged(q.Active) {
			v, err := stage(q.Active, op.T(op.Bool, op.Cell))
			if err != nil {
				return err
			}
			staged = &v
		}
		for _, s := range q.State {
			over := q.Types[s.In].Domain
			var err error
			if gates[over], err = x.view(q.Active, over); staged != nil {
				gates[over] = *staged
				g := gates[over]
				g.slot, err = x.p.slotMap(over, op.Cell)
				gates[over] = g
			}
			if err != nil {
				return err
			}
		}
	}
	for i, s := range q.State {
		if x.t.Still(s) {
			continue
		}
		t := q.Types[s.In]
		into, err := x.view(s.In, t.Domain)
		if err != nil {
			return err
		}
		x.move(&x.step, into, next[i], gates[t.Domain], t.Words(), t.Domain)
	}
	return nil
}
