package cpu

import (
	"slices"

	"lockstep/op"
)

// What bands read of a wider domain, such as a model's values that each of its vectors needs, comes from a far cache, and a pass over a band that is near
// costs less than that. So bands make again what takes one pass over what they read anyway; and what takes a copy over what they would read otherwise, whose
// copy then mostly is no work, for the products read rows as they lie (heads).

// smaller is how many times as small as a value a thing must be that is read only to make the value again.
const smaller = 8

// remake finds what bands make again.
func (f *bander) remake() {
	f.again = map[op.Value]bool{}
	for _, n := range f.region {
		_, by, _ := f.goes(n, f.most)
		for i, v := range n.In {
			if by>>i&1 == 1 && !f.inRegion[v] {
				f.remakes(v)
			}
		}
	}
}

// remakes tells whether bands make a value again whose rows they need.
func (f *bander) remakes(v op.Value) bool {
	n, is := f.made[v]
	if f.again[v] || !is {
		return f.again[v]
	}
	_, by, ok := f.goes(n, f.most)
	free := false // no operand is read that was not
	switch o := n.Op.(type) {
	case op.Fill, op.Broadcast:
	case op.Transpose:
		if o != headsApart {
			return false
		}
		free = true
	case op.Binary:
		if o != op.Add && o != op.Sub && o != op.Mul {
			return false
		}
	default:
		return false
	}
	for i, w := range n.In { // one way or the other, as in part
		small := free || f.t.P.Types[w].Words()*smaller <= f.t.P.Types[v].Words()
		if by>>i&1 == 1 {
			ok = ok && !f.whole[w] && (small || f.byRow[w] || f.remakes(w))
		} else {
			ok = ok && !f.byRow[w]
		}
	}
	if !ok {
		return false
	}
	for i, w := range n.In {
		if by>>i&1 == 1 {
			f.byRow[w] = true
		} else {
			f.whole[w] = true
		}
	}
	f.again[v], f.byRow[v] = true, true
	return true
}

// sweep drops what only bands have read that make it again.
func (f *bander) sweep() {
	read := map[op.Value]bool{}
	for _, v := range f.t.Roots() {
		read[v] = true
	}
	step := f.t.Step
	for i := len(step) - 1; i >= 0; i-- {
		n := step[i]
		if len(n.Out) == 1 && f.again[n.Out[0]] && !read[n.Out[0]] {
			step = slices.Delete(step, i, i+1)
			continue
		}
		for _, v := range n.In {
			read[v] = true
		}
	}
	f.t.Step = step
}
