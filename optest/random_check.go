package optest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lockstep/graph"
	"lockstep/op"
)

// slots is the slot of a cell in each domain.
func (r *Random) slots(cell int) map[op.Domain]int {
	s := map[op.Domain]int{op.Shared: 0, op.Cell: cell}
	for d, of := range r.Groups {
		s[d] = of[cell]
	}
	return s
}

// Want runs the program for one cell by the laws, op by op as it is written and without another cell: the arrays that are there after r.Steps steps.
func (r *Random) Want(cell int) (map[string]op.Tensor, error) {
	p, slots := r.Program, r.slots(cell)
	value, arrays := map[op.Value]op.Tensor{}, map[string]op.Tensor{}
	for _, in := range p.In {
		value[in.V] = r.data[in.Name][slots[p.Types[in.V].Domain]]
		arrays[in.Name] = value[in.V]
	}
	if err := evaluate(p, value); err != nil { // what depends on inputs alone
		return nil, err
	}
	for _, s := range p.State {
		value[s.In] = value[s.Init]
	}
	for range r.Steps {
		if err := evaluate(p, value); err != nil {
			return nil, err
		}
		for _, o := range p.Out {
			arrays[o.Name] = value[o.V]
		}
		if p.Active != 0 && value[p.Active].W[0] == 0 {
			continue
		}
		next := make([]op.Tensor, len(p.State))
		for i, s := range p.State {
			next[i] = value[s.Next]
		}
		for i, s := range p.State {
			value[s.In] = next[i]
		}
	}
	for _, s := range p.State {
		arrays[s.Name] = value[s.In]
	}
	return arrays, nil
}

// evaluate runs the nodes of which all operands have values.
func evaluate(p *graph.Program, value map[op.Value]op.Tensor) error {
	for _, n := range p.Nodes {
		in, known := make([]op.Tensor, len(n.In)), true
		for i, v := range n.In {
			x, ok := value[v]
			in[i], known = x, known && ok
		}
		if !known {
			continue
		}
		out, err := op.Run(n.Op, in...)
		if err != nil {
			return err
		}
		for i, v := range n.Out {
			value[v] = out[i]
		}
	}
	return nil
}

// Check runs the program on an engine, with all cells in one pack and with each cell alone, in one go, after it has run on other data, and stopped, kept and
// taken up again in another pack, and compares every array with the laws'. Error: what differs, with the program.
func (r *Random) Check(e graph.Engine) error {
	want := make([]map[string]op.Tensor, r.Cells)
	cells := make([]int, r.Cells)
	for c := range want {
		var err error
		if want[c], err = r.Want(c); err != nil {
			return err
		}
		cells[c] = c
	}
	packs := [][]int{cells}
	for _, c := range cells {
		packs = append(packs, []int{c})
	}
	for _, pack := range packs {
		for _, stop := range []int{0, r.Steps / 2} {
			if err := r.check(e, pack, stop, want); err != nil {
				return fmt.Errorf("cells %v of %d, %d steps of which %d in a pack before: %w\n%s", pack, r.Cells, r.Steps, stop, err, r.Program)
			}
			if r.Steps == 1 {
				break
			}
		}
	}
	return nil
}

// check runs some of the cells as a pack; what it keeps after stop steps goes on in a second one.
func (r *Random) check(e graph.Engine, cells []int, stop int, want []map[string]op.Tensor) (err error) {
	groups := graph.Groups{}
	for d, of := range r.Groups { // the slots that these cells use, in order
		var used []int
		for _, c := range cells {
			if !slices.Contains(used, of[c]) {
				used = append(used, of[c])
			}
			groups[d] = append(groups[d], slices.Index(used, of[c]))
		}
	}
	var kept []map[string][]byte // states, by cell
	for _, steps := range []int{stop, r.Steps - stop} {
		if steps == 0 {
			continue
		}
		pack, exe, err := r.start(e, cells, groups, stop == 0)
		if err != nil {
			return err
		}
		for i, states := range kept {
			for name, b := range states {
				err = errors.Join(err, pack.Write(name, i, b))
			}
		}
		if err == nil {
			err = exe.Run(context.Background(), steps)
		}
		if kept == nil && err == nil && stop > 0 {
			kept, err = r.keep(pack, len(cells))
		} else if err == nil {
			err = r.compare(pack, exe, cells, want)
		}
		if err := errors.Join(err, exe.Close(), pack.Close()); err != nil {
			return err
		}
	}
	return nil
}

// start binds the data of some cells, compiles, and sets the states to what they begin with. With again it does so twice, the first time with other data,
// and runs a step in between.
func (r *Random) start(e graph.Engine, cells []int, groups graph.Groups, again bool) (pack graph.Pack, exe graph.Executable, err error) {
	if pack, err = e.NewPack(len(cells), groups); err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	if again {
		err = r.bind(pack, cells, groups, func(data op.Tensor) op.Tensor { return op.New(data.Type) })
	} else {
		err = r.bind(pack, cells, groups, nil)
	}
	if err == nil {
		exe, err = pack.Compile(r.Program)
	}
	if err == nil && again {
		err = errors.Join(exe.Reset(ctx), exe.Run(ctx, 1), r.bind(pack, cells, groups, nil))
	}
	if err == nil {
		err = exe.Reset(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, pack.Close())
	}
	return pack, exe, nil
}

// bind puts the data of some cells, or what instead, unless nil, makes of it.
func (r *Random) bind(pack graph.Pack, cells []int, groups graph.Groups, instead func(data op.Tensor) op.Tensor) (err error) {
	for _, in := range r.Program.In {
		t := r.Program.Types[in.V]
		for i, c := range cells {
			slot := map[op.Domain]int{op.Shared: 0, op.Cell: i}[t.Domain]
			if of, ok := groups[t.Domain]; ok {
				slot = of[i]
			}
			data := r.data[in.Name][r.slots(c)[t.Domain]]
			if instead != nil {
				data = instead(data)
			}
			err = errors.Join(err, pack.Put(in.Name, t, slot, op.Bytes(data.W)))
		}
	}
	return err
}

// keep reads every state: a checkpoint.
func (r *Random) keep(pack graph.Pack, cells int) (kept []map[string][]byte, err error) {
	for i := range cells {
		states := map[string][]byte{}
		for _, s := range r.Program.State {
			states[s.Name] = make([]byte, 4*r.Program.Types[s.In].Words())
			err = errors.Join(err, pack.Read(s.Name, i, states[s.Name]))
		}
		kept = append(kept, states)
	}
	return kept, err
}

func (r *Random) compare(pack graph.Pack, exe graph.Executable, cells []int, want []map[string]op.Tensor) error {
	all := map[string][]byte{} // of all cells, in one go
	for i, c := range cells {
		for name, w := range want[c] {
			b := make([]byte, 4*w.Words())
			if err := pack.Read(name, i, b); err != nil {
				return err
			}
			if all[name] == nil {
				all[name] = make([]byte, len(cells)*len(b))
				if err := pack.ReadAll(name, all[name]); err != nil {
					return err
				}
			}
			if !bytes.Equal(all[name][i*len(b):(i+1)*len(b)], b) {
				return fmt.Errorf("ReadAll gives other bytes than Read for %s of cell %d", name, c)
			}
			got := op.New(w.Type)
			op.PutWords(got.W, b)
			if d := Diff(got, w); d != "" {
				return fmt.Errorf("%s of cell %d: %s\n  run by %s", name, c, d, variantsOf(exe))
			}
		}
	}
	return nil
}

// variantsOf lists what ran the nodes.
func variantsOf(exe graph.Executable) string {
	var all []string
	for _, k := range exe.Kernels() {
		all = append(all, k.Op+": "+k.Variant)
	}
	return "[" + strings.Join(all, ", ") + "]"
}
