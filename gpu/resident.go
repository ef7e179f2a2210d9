package gpu

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

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
	"ternary_rows_f32", "ternary_down_1", "ternary_along", "chain",
	"softmaxgrad", "layernorm", "layernormgrad", "dualsoftmax", "dualsoftmaxgrad", "dualxentgrad", "duallayernorm", "duallayernormgrad",
	"matmuljvp_1x1", "dualmatmul_1x1",
	"matmuljvp_64x32", "matmuljvp_32x32", "matmuljvp_64x16", "matmuljvp_16x64", "dualmatmul_64x32", "dualmatmul_32x32", "dualmatmul_64x16", "dualmatmul_16x64",
}

// Of cuda/resident.cu.
const (
	residentThreads = 256
	residentHeader  = 4 // words of an instruction before its argument
	residentFixed   = 4*residentThreads + 33<<10
	residentMost    = 200 << 10 // bytes of shared memory, where a card has so much for a block
	residentValue   = uint64(1) << 63
	residentLeast   = 4   // of so many words of a step's results at least one must fit, unless it is forced
	residentChain   = 512 // words of a chain that a block does at a time
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
	case "dualmatmul_64x64": // whose shared memory is more than a kernel's own, see instructionOf
		kernel = "dualmatmul_64x32"
	}
	return slices.Index(residentKernels, kernel)
}

// instruction is a launch as `resident` runs it: a kernel, how many blocks of 256 threads do what the launch does, and its argument, which
// begins with so many views.
type instruction struct {
	kernel, blocks, views int
	argument              []byte
}

// words is what it takes in the code.
func (i instruction) words() int { return residentHeader + len(i.argument)/4 }

// instructionOf translates a launch; ok is false where `resident` has no such kernel.
func instructionOf(w work) (i instruction, ok bool) {
	i = instruction{residentOf(w.kernel), w.grid[0], leadingViews(w.args.fields), w.args.bytes}
	switch w.kernel {
	case "matmul_128x128", "matmul_128x64": // by tiles of 64 rows and columns
		i.tiles(w, 64, 64)
	case "dualmatmul_64x64":
		a := w.args.fields.(dualMatMulArgs)
		t := cheapest(matMulJVPTiles, int(a.p.m), int(a.p.n)) // all but this one
		i.kernel = residentOf(t.kernel("dualmatmul"))
		i.tiles(w, t.m, t.n)
	case "matmul_1x1", "matmuljvp_1x1", "dualmatmul_1x1":
		i.product(w, func(a *matMulArgs) int {
			a.spread = spreadOf(int(a.m*a.n), int(a.k), true)
			return blocks(int(a.m*a.n), int(a.spread.results))
		})
	case "ternary_down_1": // threads that go on where the block before ends
		i.blocks = blocks(w.grid[0]*w.block, residentThreads)
	case "chain":
		a := w.args.fields.(chainArgs)
		i.blocks, i.views, i.argument = blocks(int(a.size.words), residentChain), int(a.size.operands), a.short()
	}
	return i, i.kernel >= 0 && len(i.argument)%8 == 0
}

// product has a launch of a matrix product changed, which tells how many blocks it then has.
func (i *instruction) product(w work, change func(a *matMulArgs) (blocks int)) {
	switch a := w.args.fields.(type) {
	case matMulArgs:
		i.blocks = change(&a)
		i.argument = bytesOf(a).bytes
	case matMulJVPArgs:
		i.blocks = change(&a.p)
		i.argument = bytesOf(a).bytes
	case dualMatMulArgs:
		i.blocks = change(&a.p)
		i.argument = bytesOf(a).bytes
	}
}

// tiles has a matrix product made by tiles of m rows and n columns.
func (i *instruction) tiles(w work, m, n int) {
	i.product(w, func(a *matMulArgs) int {
		a.columns = uint32(blocks(int(a.n), n))
		return blocks(int(a.m), m) * int(a.columns)
	})
}

// executorVariable is the environment variable that chooses the executor as an engine is opened, see Choose.
const executorVariable = "LOCKSTEP_CUDA_EXECUTOR"

var _ graph.Chooser = (*Engine)(nil)

// residentClusters are the blocks that a cell of `resident` may have: several need sm_90.
var residentClusters = []int{1, 2, 4}

const clusterCapability = 90

// Choose has what is compiled from now on run by `stream`, by `resident` wherever it can, with "resident:N" so by clusters of N blocks a cell, 1, 2
// or 4, or with "auto" by whichever the engine chooses. Errors: another word; clusters, on a card that has none.
func (e *Engine) Choose(executor string) (before string, err error) {
	before = e.executor
	kind, blocks, _ := strings.Cut(executor, ":")
	n := slices.IndexFunc(residentClusters, func(n int) bool { return blocks == strconv.Itoa(n) })
	if !slices.Contains([]string{"auto", "stream", "resident"}, kind) || kind != executor && (kind != "resident" || n < 0) {
		return before, fmt.Errorf("%q is no executor: want auto, stream, resident, or resident:1, resident:2 or resident:4 for so many blocks a cell", executor)
	}
	clustered := true
	if n > 0 {
		if err := e.do(func() error { clustered = e.hasClusters(); return nil }); err != nil {
			return before, err
		}
	}
	if !clustered {
		return before, fmt.Errorf("%s: clusters of blocks need a card of compute capability %d.%d or more, which has %d.%d, and kernels in this build that are compiled for it", executor,
			clusterCapability/10, clusterCapability%10, e.info.Capability/10, e.info.Capability%10)
	}
	e.executor = executor
	return before, nil
}

// clusters are the blocks a cell that are to be tried, in order.
func (e *Engine) clusters() []int {
	if _, n, ok := strings.Cut(e.executor, ":"); ok && e.hasClusters() {
		return slices.DeleteFunc(slices.Clone(residentClusters), func(c int) bool { return n != strconv.Itoa(c) })
	}
	if !e.hasClusters() {
		return residentClusters[:1]
	}
	return residentClusters
}

// clusterState is what is known of the card's clusters.
type clusterState int

const (
	clustersUnknown clusterState = iota
	noClusters
	someClusters
)

// hasClusters tells whether the card has clusters of blocks, and its code of `resident` knows of them: what the driver makes of older PTX does not.
// It is for the engine's thread.
func (e *Engine) hasClusters() bool {
	if e.clustered == clustersUnknown {
		e.clustered = noClusters
		if e.info.Capability >= clusterCapability {
			if f, err := e.dev.function("resident", 0); err == nil && f.ptx() >= clusterCapability {
				e.clustered = someClusters
			}
		}
	}
	return e.clustered == someClusters
}

// residence is what of a program lives in the shared memory of its cell's blocks.
type residence struct {
	cluster int      // blocks a cell
	at      []uint64 // by value: where, as a view's base says it; 0: elsewhere
	bytes   int      // of the values in each block
	words   int      // of the code
	code    uint64
	args    residentArgs
	f       function
	grid    int
}

// reside decides whether the program of a layout is for `resident`, by how many blocks a cell, and what then lives in shared memory; nil: it is
// for `stream`. That hangs on the program and its memory plan, on the card's kind, on the shared memory that a block of it may have, and on
// Choose: not on the cells, or what is free.
func (x *exec) reside() *residence {
	if x.p.e.executor == "stream" || x.p.e.blocking || len(x.t.P.State) == 0 {
		return nil
	}
	for g, nodes := range x.groups() { // chains are the cells' own, and what they spread they make for each
		if g.Len == 0 && slices.ContainsFunc(nodes, func(n op.Node) bool { return x.domain(n) != op.Cell }) {
			return nil
		}
	}
	step, _, err := x.steps("")
	if err != nil {
		return nil // build says so
	}
	code := 0
	for _, w := range step {
		i, ok := instructionOf(w)
		if !ok {
			return nil
		}
		code += i.words()
	}
	moves := 1 // a flag of activity that is staged
	for _, s := range x.t.P.State {
		if x.t.P.Types[s.In].Domain != op.Cell {
			return nil
		}
		moves += 4 // taken in, staged, replaced, put back
	}
	for _, o := range x.t.P.Out {
		if x.t.P.OutType(o).Domain != op.Cell {
			return nil
		}
		moves++
	}
	code += moves * (residentHeader + len(bytesOf(keepArgs{}).bytes)/4)
	for _, n := range x.p.e.clusters() {
		if r := x.resideIn(n, code); r != nil {
			return r
		}
	}
	return nil
}

// resideIn finds places in so many blocks; nil: they do not suffice.
func (x *exec) resideIn(cluster, code int) *residence {
	r := &residence{cluster: cluster, words: code, at: make([]uint64, len(x.t.P.Types))}
	place := func(rank, word int) uint64 { return residentValue | uint64(rank)<<32 | uint64(4*word) }
	free := slices.Repeat([]int{(x.p.e.residentShared() - residentFixed - residentCode(code)) / 4}, cluster)
	used := make([]int, cluster)
	for _, s := range x.t.P.State {
		words := graph.Stride(x.t.P.Types[s.In])
		rank := slices.IndexFunc(free, func(f int) bool { return f >= words })
		if rank < 0 {
			return nil
		}
		r.at[s.In] = place(rank, used[rank])
		used[rank] += words
		free[rank] -= words
	}
	total := 0
	for rank, inside := range x.fitting(free) {
		plan := x.t.Plan(func(v op.Value) bool { return inside[v] })
		for v := range inside {
			r.at[v] = place(rank, used[rank]+plan.Off[v])
		}
		used[rank] += plan.Words
		total += plan.Words
	}
	if x.p.e.executor == "auto" && residentLeast*total < x.t.Scratch.Words {
		return nil
	}
	r.bytes = 4 * slices.Max(used)
	x.t.Scratch = x.t.Plan(func(v op.Value) bool { return r.at[v] == 0 })
	return r
}

// fitting chooses the step's results that live in so many words of each block: those that are used most often first, and of equals the small ones.
func (x *exec) fitting(words []int) (inside []map[op.Value]bool) {
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
	for range words {
		inside = append(inside, map[op.Value]bool{})
	}
	for _, v := range all {
		for rank, in := range inside {
			in[v] = true
			if x.t.Plan(func(v op.Value) bool { return in[v] }).Words <= words[rank] {
				break
			}
			delete(in, v)
		}
	}
	return inside
}

// residentShared is the shared memory that a block of `resident` has.
func (e *Engine) residentShared() int { return min(residentMost, e.info.Shared) }

// residentCode is what so many words of code take of the shared memory.
func residentCode(words int) int { return blocks(4*words, 128) * 128 }

// program makes the code of the launches before, in and after a step.
func (r *residence) program(p *pack, before, step, after []work) error {
	var code []uint32
	add := func(list []work) error {
		for _, w := range list {
			i, ok := instructionOf(w)
			if !ok {
				return fmt.Errorf("cuda: the executor resident has no kernel %s with an argument of %d bytes", w.kernel, len(w.args.bytes))
			}
			code = append(code, uint32(i.kernel), uint32(i.blocks), uint32(len(i.argument)/4), uint32(i.views))
			argument := make([]uint32, len(i.argument)/4)
			op.PutWords(argument, i.argument)
			code = append(code, argument...)
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
	if len(code) > r.words {
		return fmt.Errorf("cuda: %d words of instructions, and %d were planned", len(code), r.words)
	}
	r.args.words, r.args.code = uint32(len(code)), r.code
	r.args.values = uint32(residentFixed + residentCode(len(code)))
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
	return work{"resident", r.f, [3]int{r.grid * r.cluster, 1, 1}, residentThreads, int(a.values) + r.bytes, r.cluster, bytesOf(a)}
}
