package gpu

import (
	"errors"
	"fmt"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// A chain of pointwise nodes is one launch of cuda/chain.cu, whose tape is made here.

// chainOps are the kernels that are ops of a chain, by number: those of cuda/pointwise.cuh, in the same order.
var chainOps = []string{
	"", // copies
	"unary_neg", "unary_exp", "unary_log", "unary_sqrt", "unary_tanh", "unary_sinpi", "unary_cospi", "unary_relu", "unary_sigmoid", "unary_rsqrt", "unary_gelu",
	"cast_u32_f32", "cast_i32_f32", "cast_f32_u32", "cast_u32_u32", "cast_i32_u32", "cast_f32_i32", "cast_u32_i32",
	"binary_add", "binary_sub", "binary_mul", "binary_div", "binary_max", "binary_min", "binary_iadd",
	"compare_gt_f32", "compare_ge_f32", "compare_lt_f32", "compare_le_f32", "compare_eq_f32",
	"compare_gt_u32", "compare_ge_u32", "compare_lt_u32", "compare_le_u32",
	"compare_gt_i32", "compare_ge_i32", "compare_lt_i32", "compare_le_i32", "compare_same",
	"select_words",
}

// Of cuda/chain.cu.
const (
	chainRegisters = 16
	chainOperands  = 64
	chainSteps     = 32
	chainNowhere   = 255
	chainRegister  = 4 * perBlock // bytes
)

const (
	chainEach = iota
	chainOne
	chainRepeated
	chainSpread
	chainConstant
)

type chainKind struct{ kind, by uint32 }

type chainStep struct{ read, write uint32 }

type chainSize struct {
	words           uint64
	steps, operands uint32
}

type chainArgs struct {
	at    [chainOperands]view
	kinds [chainOperands]chainKind
	steps [chainSteps]chainStep
	size  chainSize
}

// short is the argument as `resident` takes it: without what the tape leaves empty.
func (a chainArgs) short() []byte {
	n := a.size.operands
	return slices.Concat(memory(a.at[:n]), memory([]chainSize{a.size}), memory(a.kinds[:n]), memory(a.steps[:a.size.steps]))
}

// fusion is what chains suit the kernel: a launch costs more than the little that a chain of one element does.
var fusion = graph.Fusion{Part: 1 << 31, Smallest: 1, Most: chainOperands, Apart: true}

// tape makes the argument of a chain.
type tape struct {
	t    *graph.Tape
	g    *graph.Group
	view func(v op.Value) (view, error) // where a value lies
	args chainArgs
	full bool              // an operand had no room
	at   map[op.Value]byte // of operands and, by root, of results in registers
	last map[op.Value]int  // by root: the last node that reads it
	free []byte            // registers
	used int               // registers
}

// tapeOf makes the tape of a chain; ok is false where the kernel has too few registers for it.
func tapeOf(of *graph.Tape, g *graph.Group, at func(v op.Value) (view, error)) (t *tape, ok bool, err error) {
	t = &tape{t: of, g: g, view: at, at: map[op.Value]byte{}, last: map[op.Value]int{}}
	for r := range byte(chainRegisters) {
		t.free = append(t.free, r)
	}
	nodes := g.Work(of)
	for i, n := range nodes {
		for _, v := range n.In {
			root, _ := of.Root(v)
			t.last[root] = i
		}
	}
	for i, n := range nodes {
		if ok, err := t.add(i, n); !ok || err != nil {
			return nil, false, err
		}
	}
	t.args.size.words = uint64(g.Len)
	return t, true, nil
}

// fused is a program's tape with the pointwise nodes of its step joined to chains; without, if the kernel cannot run them all. Registers suffice
// for every chain: a result that waits in one has taken two operands and results of the 64 to make, and of those that wait a node that takes
// four of them takes away two.
func fused(p *graph.Program) *graph.Tape {
	t := lower(p)
	t.Fuse(fusion)
	if !runs(t) {
		return lower(p)
	}
	return t
}

// runs tells whether the kernel can run every chain of a tape.
func runs(t *graph.Tape) bool {
	for i := range t.Groups {
		if g := &t.Groups[i]; g.Len > 0 {
			_, ok, _ := tapeOf(t, g, func(op.Value) (view, error) { return view{}, nil })
			if !ok || g.Len > maxWords {
				return false
			}
		}
	}
	return true
}

// chained makes the launch of a chain.
func (x *exec) chained(g *graph.Group, variant string) (all []work, infos []graph.KernelInfo, err error) {
	t, ok, err := tapeOf(x.t, g, func(v op.Value) (view, error) { return x.view(v, op.Cell) })
	if err == nil && !ok {
		err = errors.New("cuda: a chain with too many registers") // fused has refused it
	}
	if err != nil {
		return nil, nil, err
	}
	for _, n := range g.Work(x.t) {
		infos = append(infos, graph.KernelInfo{Op: op.Describe(n.Op), Variant: variant + ":chain"})
	}
	return []work{*newWork("chain", blocks(g.Len, perBlock), len(x.p.slots.Speakers(op.Cell)), 1, 256, max(1, t.used)*chainRegister, bytesOf(t.args))}, infos, nil
}

// add adds a node to the tape; false if there is no room for it.
func (t *tape) add(i int, n op.Node) (ok bool, err error) {
	if t.args.size.steps == chainSteps {
		return false, nil
	}
	if len(n.Out) != 1 { // the engine has no kernel of such a pointwise op, so they are expanded; one that had would be for itself
		return false, fmt.Errorf("gpu: a chain with %s, which has %d results", op.Describe(n.Op), len(n.Out))
	}
	inner := slices.Contains(t.g.Inner, n.Out[0])
	var code [4]byte
	if from, spreads, err := t.spread(n); err != nil {
		return false, err
	} else if spreads {
		if inner {
			t.at[n.Out[0]] = from
			return !t.full, nil
		}
		code[1] = from
	} else {
		in := make([]op.Type, len(n.In))
		for k, v := range n.In {
			in[k] = t.t.P.Types[v]
			if code[1+k], err = t.operand(v); err != nil {
				return false, err
			}
		}
		number := slices.Index(chainOps, planOf(n.Op, in).launches[0].kernel)
		if number < 0 {
			return false, nil
		}
		code[0] = byte(number)
	}
	for _, v := range n.In { // what is read for the last time leaves its register
		root, _ := t.t.Root(v)
		if r, has := t.at[root]; has && r < chainRegisters && t.last[root] == i {
			t.free = append(t.free, r)
			delete(t.at, root)
		}
	}
	to, keep := byte(chainNowhere), byte(chainNowhere)
	if inner {
		if len(t.free) == 0 {
			return false, nil
		}
		slices.Sort(t.free)
		to, t.free = t.free[0], t.free[1:]
		t.used = max(t.used, int(to)+1)
		t.at[n.Out[0]] = to
	} else {
		at, err := t.view(n.Out[0])
		if err != nil {
			return false, err
		}
		keep = t.place(at, chainKind{kind: chainEach})
		t.at[n.Out[0]] = keep
	}
	if t.full {
		return false, nil
	}
	t.args.steps[t.args.size.steps] = chainStep{
		read:  uint32(code[0]) | uint32(code[1])<<8 | uint32(code[2])<<16 | uint32(code[3])<<24,
		write: uint32(to) | uint32(keep)<<8,
	}
	t.args.size.steps++
	return true, nil
}

// place adds an operand, and is its number.
func (t *tape) place(at view, kind chainKind) byte {
	n := t.args.size.operands
	if t.full = t.full || n == chainOperands; t.full {
		return chainNowhere
	}
	t.args.at[n], t.args.kinds[n] = at, kind
	t.args.size.operands++
	return byte(chainRegisters + n)
}

// operand is the number of the register or operand that holds a value.
func (t *tape) operand(v op.Value) (byte, error) {
	root, _ := t.t.Root(v)
	if r, ok := t.at[root]; ok && slices.Contains(t.g.Inner, root) {
		return r, nil
	}
	if at, ok := t.at[v]; ok {
		return at, nil
	}
	at, err := t.view(v)
	if err != nil {
		return 0, err
	}
	t.at[v] = t.place(at, chainKind{kind: chainEach})
	return t.at[v], nil
}

// spread is the operand that stands for the result of a constant or broadcast.
func (t *tape) spread(n op.Node) (number byte, ok bool, err error) {
	var at view
	kind := chainKind{}
	switch f := n.Op.(type) {
	case op.Fill:
		kind.kind, kind.by = chainConstant, uint32(f.Bits)
	case op.Broadcast:
		if t.t.P.Types[n.In[0]].Len() == f.To.Len() { // the same words, which may be those of a constant that the chain makes itself
			number, err = t.operand(n.In[0])
			return number, true, err
		}
		_, row, inner, _ := f.Repeats(t.t.P.Types[n.In[0]].Shape)
		switch {
		case row == 1:
			kind.kind = chainOne
		case inner == 1:
			kind.kind, kind.by = chainRepeated, uint32(row)
		default:
			kind.kind, kind.by = chainSpread, uint32(inner)
		}
		if at, err = t.view(n.In[0]); err != nil {
			return 0, false, err
		}
	default:
		return 0, false, nil
	}
	return t.place(at, kind), true, nil
}
