package op_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"lockstep/op"
)

// bounded is an op at operands one of whose values is held against a limit.
type bounded struct {
	op      op.Op
	in      []op.Tensor
	operand int
	word    int    // of the operand: the place that the test writes to
	at      []int  // its coordinates
	max     uint32 // the largest value that fits
}

func boundedOps() []bounded {
	zeros := func(d op.DType, dims ...int) op.Tensor { return op.New(op.T(d, op.Shared, dims...)) }
	f := func(dims ...int) op.Tensor { return zeros(op.F32, dims...) }
	u := func(dims ...int) op.Tensor { return zeros(op.U32, dims...) }
	w := zeros(op.T2, 5, 4) // [k, n]
	return []bounded{
		{op.Gather{}, []op.Tensor{f(4, 3), u(7)}, 1, 6, []int{6}, 3},
		{op.ScatterAdd{N: 5}, []op.Tensor{u(7), f(7, 3)}, 0, 2, []int{2}, 4},
		{op.Pick{Axis: 1}, []op.Tensor{f(2, 5, 3), u(2, 1, 3)}, 1, 5, []int{1, 0, 2}, 4},
		{op.OneHot{Axis: 1, N: 6, To: op.Bool}, []op.Tensor{u(3, 1)}, 0, 1, []int{1, 0}, 5},
		{op.Xent{}, []op.Tensor{f(4, 5), u(4, 1)}, 1, 3, []int{3, 0}, 4},
		{op.XentGrad{}, []op.Tensor{f(4, 5), u(4, 1), f(4, 1)}, 1, 0, []int{0, 0}, 4},
		{op.MatMul{}, []op.Tensor{f(2, 5), f(5, 4), u()}, 2, 0, nil, 5},
		{op.MatMul{TA: true, TB: true}, []op.Tensor{f(5, 2), f(4, 5), u()}, 2, 0, nil, 5},
		{op.MatMulJVP{}, []op.Tensor{f(2, 5), f(5, 4), f(2, 5), f(5, 4), u()}, 4, 0, nil, 5},
		{op.MatMulJVP{TA: true}, []op.Tensor{f(5, 2), f(5, 4), f(5, 2), f(5, 4), u()}, 4, 0, nil, 5},
		{op.MatMulTail{}, []op.Tensor{f(2, 5), f(5, 4), u()}, 2, 0, nil, 4},
		{op.MatMulTail{TA: true, TB: true}, []op.Tensor{f(5, 2), f(4, 5), u()}, 2, 0, nil, 4},
		{op.TernaryMM{}, []op.Tensor{f(2, 5), w, u()}, 2, 0, nil, 5},
		{op.TernaryMM{TB: true}, []op.Tensor{f(2, 4), w, u()}, 2, 0, nil, 4},
		{op.TernaryMMTail{}, []op.Tensor{f(2, 5), w, u()}, 2, 0, nil, 4},
		{op.TernaryMMTail{TB: true}, []op.Tensor{f(2, 4), w, u()}, 2, 0, nil, 5},
		{op.Dual[op.MatMul]{With: 3}, []op.Tensor{f(2, 5), f(5, 4), u(), f(2, 5), f(5, 4)}, 2, 0, nil, 5},
		{op.Dual[op.XentGrad]{With: 1}, []op.Tensor{f(4, 5), u(4, 1), f(4, 1), f(4, 5)}, 1, 0, []int{0, 0}, 4},
		{op.Tail{Axis: 1}, []op.Tensor{f(3, 6, 2), u()}, 1, 0, nil, 6},
	}
}

// TestCheckData: the largest value that fits is taken, the next one and the largest of all are refused, and the error says
// where they stand.
func TestCheckData(t *testing.T) {
	checked := map[string]bool{}
	for _, c := range boundedOps() {
		checked[c.op.Name()] = true
		place := &c.in[c.operand].W[c.word]
		if *place = c.max; op.CheckData(c.op, c.in) != nil {
			t.Errorf("%s: %d is refused: %v", op.Describe(c.op), c.max, op.CheckData(c.op, c.in))
		}
		for _, v := range []uint32{c.max + 1, math.MaxUint32} {
			*place = v
			err := op.CheckData(c.op, c.in)
			var e *op.DataError
			if !errors.As(err, &e) {
				t.Errorf("%s: operand %d may be %d: error %v", op.Describe(c.op), c.operand, v, err)
				continue
			}
			if e.Op != c.op || e.Operand != c.operand || e.Value != v || len(e.At) != len(c.at) || len(e.At) > 0 && !reflect.DeepEqual(e.At, c.at) {
				t.Errorf("%+v; want operand %d, value %d at %v", *e, c.operand, v, c.at)
			}
		}
	}
	for _, o := range op.All {
		if _, is := o.(op.Checker); is && !checked[o.Name()] {
			t.Errorf("%s checks its data, but no row of this test does", o.Name())
		}
	}
}

func TestCheckDataErrors(t *testing.T) {
	table := mat(2, 2, 1, 2, 3, 4)
	for _, c := range []struct {
		op   op.Op
		in   []op.Tensor
		want string
	}{
		{op.Gather{}, []op.Tensor{table, u32s(1, 2)}, "gather: operand 1 is 2 at [1]; want an index below 2, the number of rows of the table"},
		{op.Gather{}, []op.Tensor{mat(0, 2), u32s(0)}, "gather: operand 1 is 0 at [0]; want an index below 0, the number of rows of the table"},
		{op.MatMul{}, []op.Tensor{table, table, scalar(3)}, "matmul{TA:false TB:false}: operand 2 is 3; want a klen of at most 2, the size of its axis"},
		{op.Gather{}, []op.Tensor{table, vec(1)}, "gather does not take (f32[2,2], f32[1]): want a table [n, ..], f32 or u32, and an index u32[b]"},
		{op.Gather{}, []op.Tensor{table, {Type: op.T(op.U32, op.Shared, 3), W: []uint32{0}}}, "gather: operand 1, u32[3]:shared, has 1 words instead of 3"},
		{op.Gather{}, []op.Tensor{table}, "gather does not take (f32[2,2])"},
	} {
		if err := op.CheckData(c.op, c.in); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %q; want %q", err, c.want)
		}
	}
	// Without a klen, and for ops that take every value, there is nothing to refuse.
	for _, c := range []struct {
		op op.Op
		in []op.Tensor
	}{
		{op.MatMul{}, []op.Tensor{table, table}},
		{op.MatMulJVP{}, []op.Tensor{table, table, table, table}},
		{op.IAdd{}, []op.Tensor{u32s(math.MaxUint32), u32s(math.MaxUint32)}},
		{op.PutRow{}, []op.Tensor{table, table, scalar(math.MaxUint32)}},
	} {
		if err := op.CheckData(c.op, c.in); err != nil {
			t.Error(err)
		}
	}
}
