package gpu

import (
	"fmt"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// Where the values of a program lie: in arrays of the pack, in the scratch of each cell, in the shared memory of its blocks, or nowhere but in a
// chain.

// bind finds or reserves an array for every value that does not live in scratch.
func (x *exec) bind() (err error) {
	p, q := x.p, x.t.P
	for _, in := range q.In {
		a := p.arrays[in.Name]
		if a == nil && p.planned {
			if a, err = p.newArray(&x.region, q.Types[in.V]); err != nil {
				return fmt.Errorf("cuda: input %q: %w", in.Name, err)
			}
			x.named[in.Name] = a
		}
		if a == nil {
			return fmt.Errorf("cuda: input %q, %s, is not bound", in.Name, q.Types[in.V])
		}
		if a.Type != q.Types[in.V] {
			return fmt.Errorf("cuda: input %q is bound as %s; the program wants %s", in.Name, a.Type, q.Types[in.V])
		}
		x.home[in.V] = a
		x.fresh.Reads(&a.version)
	}
	find := func(name string, t op.Type) (*array, error) {
		a := p.arrays[name]
		if a == nil {
			a = x.named[name]
		}
		if a == nil {
			var err error
			if a, err = p.newArray(&x.region, t); err != nil {
				return nil, fmt.Errorf("array %q: %w", name, err)
			}
			x.named[name] = a
		}
		if a.Type != t {
			return nil, fmt.Errorf("cuda: array %q is %s; the program wants %s", name, a.Type, t)
		}
		return a, nil
	}
	for _, s := range q.State {
		if x.home[s.In], err = find(s.Name, q.Types[s.In]); err != nil {
			return err
		}
	}
	for _, o := range q.Out {
		a, err := find(o.Name, q.OutType(o))
		if err != nil {
			return err
		}
		if x.home[o.V] == nil && a.Type == q.Types[o.V] && x.t.Scratch.Off[o.V] < 0 && x.inside(o.V) == 0 && x.t.View[o.V].Of == 0 {
			x.home[o.V] = a // computed in place
			if slices.ContainsFunc(x.t.Once, func(n op.Node) bool { return slices.Contains(n.Out, o.V) }) {
				x.fresh.Holds(&a.version)
			}
		}
	}
	inner := map[op.Value]bool{} // of a chain: these are nowhere, unless others read them, too, and Once makes them
	for _, g := range x.t.Groups {
		for _, v := range g.Inner {
			inner[v] = true
		}
	}
	for _, n := range x.t.Once {
		for _, v := range n.Out {
			delete(inner, v)
		}
	}
	for _, n := range slices.Concat(x.t.Once, x.t.Step) {
		for _, v := range n.Out {
			if x.home[v] != nil || x.t.Scratch.Off[v] >= 0 || x.inside(v) != 0 || x.t.View[v].Of != 0 || inner[v] {
				continue
			}
			if x.home[v], err = p.newArray(&x.region, q.Types[v]); err != nil {
				return err
			}
		}
	}
	return nil
}

// inside is where the executor `resident` keeps a value, as views say it; 0: elsewhere.
func (x *exec) inside(v op.Value) uint64 {
	if x.resident == nil {
		return 0
	}
	return x.resident.at[v]
}

// view is where a value lies, as seen by a launch over the slots of a domain; nowhere, before bind.
func (x *exec) view(v op.Value, over op.Domain) (view, error) {
	if !x.bound {
		return view{}, nil
	}
	root, off := x.t.Root(v)
	if at := x.inside(root); at != 0 {
		return view{base: at + 4*uint64(off)}, nil
	}
	if a := x.home[root]; a != nil {
		return x.p.view(a, off, over)
	}
	if x.t.Scratch.Off[root] < 0 {
		return view{}, fmt.Errorf("cuda: value %d, %s, has no place", v, x.t.P.Types[v])
	}
	at := view{base: x.scratch + 4*uint64(x.t.Scratch.Off[root]+off), stride: uint64(x.t.Scratch.Words)}
	var err error
	at.slot, err = x.p.slotMap(over, op.Cell)
	return at, err
}

// view is where an array lies, from an offset of words on.
func (p *pack) view(a *array, off int, over op.Domain) (at view, err error) {
	at.base = a.base + 4*uint64(off)
	if a.Domain == op.Shared {
		return at, nil
	}
	at.stride = uint64(graph.Stride(a.Type))
	at.slot, err = p.slotMap(over, a.Domain)
	return at, err
}

func (x *exec) views(vs []op.Value, over op.Domain) (all []view, err error) {
	for _, v := range vs {
		at, err := x.view(v, over)
		if err != nil {
			return nil, err
		}
		all = append(all, at)
	}
	return all, nil
}
