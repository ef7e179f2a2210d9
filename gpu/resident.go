package gpu

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// The executor `resident`: a block for each cell runs a program by itself, many steps a launch, on values that lie in the block's shared
// memory as far as they fit (cuda/resident.cu). It serves programs of which every node and every state is the cells' own, and whose
// states fit: what of a step's results does not fit either stays in the card's memory, from where tiles of it are streamed.

// residentKernels are the kernels that it has, by number, as in cuda/resident_kernels.cuh.
var residentKernels = []string{
	"batch", "binary_add", "binary_sub", "binary_mul", "binary_div", "binary_max", "binary_min", "binary_iadd", "broadcast",
	"cast_u32_f32", "cast_i32_f32", "cast_f32_u32", "cast_f32_i32", "cast_u32_u32",
	"compare_gt_f32", "compare_ge_f32", "compare_lt_f32", "compare_le_f32", "compare_eq_f32",
	"compare_gt_u32", "compare_ge_u32", "compare_lt_u32", "compare_le_u32", "compare_same",
	"concat", "fill", "iota", "gather", "keep", "pick", "onehot", "putrow", "select_words", "window", "softmax", "sum_rows", "tail", "transpose",
	"unary_neg", "unary_exp", "unary_log", "unary_sqrt", "unary_tanh", "unary_sinpi", "unary_cospi", "unary_relu", "unary_sigmoid", "unary_rsqrt", "unary_gelu",
	"xent", "xentgrad", "matmul_1x1",
	"matmul_64x64_256", "matmul_32x32_256", "matmul_64x16", "matmul_16x64", "sum_columns", "scatteradd",
	"ternary_rows_f32", "ternary_down_1", "ternary_along",
}

// Of cuda/resident.cu.
const (
	residentThreads  = 256
	residentHeader   = 4 // words of an instruction before its argument
	residentFixed    = 4*residentThreads + 33<<10
	residentMost     = 200 << 10 // bytes of shared memory, where a card has so much for a block
	residentValue    = uint64(1) << 63
	residentArgument = 64 // words that the argument of an instruction takes at most
	residentLeast    = 4  // of so many words of a step's results at least one must fit, unless it is forced
)

type residentArgs struct {
	code              uint64
	words, begin, end uint32
	steps, values, _  uint32
}

// residentOf is the number of the kernel by which `resident` runs one of `stream`; -1: it has none.
func residentOf(kernel string) int {
	switch kernel {
	case "matmul_128x128", "matmul_128x64", "matmul_64x64": // of tiles of 128 rows the registers do not suffice beside the rest
		kernel = "matmul_64x64_256"
	case "matmul_32x32":
		kernel += "_256"
	}
	return slices.Index(residentKernels, kernel)
}

// residentBlocks is how many blocks of 256 threads do what a launch does, and with what argument.
func residentBlocks(w work) (times int, args argument) {
	switch w.kernel {
	case "matmul_128x128", "matmul_128x64": // by tiles of 64 rows and columns
		a := w.args.fields.(matMulArgs)
		a.columns = uint32(blocks(int(a.n), 64))
		return blocks(int(a.m), 64) * int(a.columns), bytesOf(a)
	case "matmul_1x1", "ternary_down_1": // threads that go on where the block before ends
		return blocks(w.grid[0]*w.block, residentThreads), w.args
	}
	return w.grid[0], w.args
}

// executorVariable is the environment variable that chooses the executor as an engine is opened, see Choose.
const executorVariable = "LOCKSTEP_CUDA_EXECUTOR"

var _ graph.Chooser = (*Engine)(nil)

// Choose has what is compiled from now on run by `stream`, by `resident` wherever it can, or with "auto" by whichever the engine chooses.
func (e *Engine) Choose(executor string) (before string, err error) {
	before = e.executor
	if !slices.Contains([]string{"auto", "stream", "resident"}, executor) {
		return before, fmt.Errorf("%q is no executor: want auto, stream or resident", executor)
	}
	e.executor = executor
	return before, nil
}

// residence is what of a program lives in the shared memory of its cell's block.
type residence struct {
	at    []int // by value: the byte of the values, -1: elsewhere
	bytes int   // of the values
	most  int   // instructions
	code  uint64
	args  residentArgs
	f     function
	grid  int
}

// reside decides whether the program of a layout is for `resident`, and what then lives in shared memory; nil: it is for `stream`. That hangs on
// the program and its memory plan, on the shared memory that a block of the card may have, and on Choose: not on the cells, or what is free.
func (x *exec) reside() *residence {
	if x.p.e.executor == "stream" || x.p.e.blocking || len(x.t.P.State) == 0 {
		return nil
	}
	r := &residence{}
	for i := range x.t.Step {
		n := &x.t.Step[i]
		pl := x.plans[n]
		if x.domain(*n) != op.Cell {
			return nil
		}
		if pl == nil {
			continue // a view
		}
		for _, l := range pl.launches {
			if residentOf(l.kernel) < 0 {
				return nil
			}
			r.most++
		}
	}
	for _, s := range x.t.P.State {
		if x.t.P.Types[s.In].Domain != op.Cell {
			return nil
		}
		r.most += 4 // taken in, staged, replaced, put back
	}
	for _, o := range x.t.P.Out {
		if x.t.P.OutType(o).Domain != op.Cell {
			return nil
		}
		r.most++
	}
	r.most++ // a flag of activity that is staged
	room := x.p.e.residentShared() - residentFixed - 4*r.most*(residentHeader+residentArgument)
	r.at = make([]int, len(x.t.P.Types))
	for v := range r.at {
		r.at[v] = -1
	}
	for _, s := range x.t.P.State {
		r.at[s.In] = r.bytes
		r.bytes += 4 * graph.Stride(x.t.P.Types[s.In])
	}
	if r.bytes > room {
		return nil
	}
	inside := x.fitting((room - r.bytes) / 4)
	plan := x.t.Plan(func(v op.Value) bool { return inside[v] })
	for v := range inside {
		r.at[v] = r.bytes + 4*plan.Off[v]
	}
	r.bytes += 4 * plan.Words
	if x.p.e.executor != "resident" && residentLeast*plan.Words < x.t.Scratch.Words {
		return nil
	}
	x.t.Scratch = x.t.Plan(func(v op.Value) bool { return !inside[v] })
	return r
}

// fitting chooses the step's results that live in so many words: those that are used most often first, and of equals the small ones.
func (x *exec) fitting(words int) map[op.Value]bool {
	uses := map[op.Value]int{}
	var all []op.Value
	for _, n := range x.t.Step {
		for _, v := range n.Out {
			if x.t.Scratch.Off[v] >= 0 {
				all = append(all, v)
				uses[v]++
			}
		}
		for _, v := range n.In {
			root, _ := x.t.Root(v)
			uses[root]++
		}
	}
	slices.SortStableFunc(all, func(a, b op.Value) int {
		return cmp.Or(cmp.Compare(uses[b], uses[a]), cmp.Compare(x.t.P.Types[a].Words(), x.t.P.Types[b].Words()))
	})
	inside := map[op.Value]bool{}
	for _, v := range all {
		inside[v] = true
		if x.t.Plan(func(v op.Value) bool { return inside[v] }).Words > words {
			delete(inside, v)
		}
	}
	return inside
}

// residentShared is the shared memory that a block of `resident` has.
func (e *Engine) residentShared() int { return min(residentMost, e.info.Shared) }

// program makes the code of the launches before, in and after a step.
func (r *residence) program(p *pack, before, step, after []work) error {
	var code []uint32
	add := func(list []work) error {
		for _, w := range list {
			number := residentOf(w.kernel)
			if number < 0 {
				return fmt.Errorf("cuda: the executor resident has no kernel %s", w.kernel)
			}
			times, args := residentBlocks(w)
			words := len(args.bytes) / 4
			if len(args.bytes)%8 != 0 || words > residentArgument {
				return fmt.Errorf("cuda: the executor resident takes no argument of %d bytes", len(args.bytes))
			}
			code = append(code, uint32(number), uint32(times), uint32(words), uint32(leadingViews(args.fields)))
			for i := range words {
				code = append(code, binary.LittleEndian.Uint32(args.bytes[4*i:]))
			}
		}
		return nil
	}
	if err := add(before); err != nil {
		return err
	}
	r.args.begin = uint32(len(code))
	if err := add(step); err != nil {
		return err
	}
	r.args.end = uint32(len(code))
	if err := add(after); err != nil {
		return err
	}
	if n := len(before) + len(step) + len(after); n > r.most {
		return fmt.Errorf("cuda: %d instructions, and %d were planned", n, r.most)
	}
	r.args.words, r.args.code = uint32(len(code)), r.code
	r.args.values = residentFixed + uint32(4*len(code)+127)/128*128
	r.grid = p.cells
	var err error
	if r.f, err = p.e.function("resident", p.e.residentShared()); err != nil { // of one kernel there is one limit, whichever program set it last
		return err
	}
	return p.e.stage.write(r.code, op.Bytes(code))
}

// leadingViews is the number of views that an argument begins with.
func leadingViews(fields any) int {
	n, _ := countViews(reflect.ValueOf(fields))
	return n
}

// countViews counts the views that v begins with; all tells that it is nothing but views.
func countViews(v reflect.Value) (n int, all bool) {
	if v.Type() == reflect.TypeFor[view]() {
		return 1, true
	}
	if v.Kind() != reflect.Struct {
		return 0, false
	}
	for i := range v.NumField() {
		k, all := countViews(v.Field(i))
		if n += k; !all {
			return n, false
		}
	}
	return n, true
}

// steps is the launch of so many steps.
func (r *residence) steps(n int) work {
	a := r.args
	a.steps = uint32(n)
	return work{"resident", r.f, [3]int{r.grid, 1, 1}, residentThreads, int(a.values) + r.bytes, bytesOf(a)}
}
