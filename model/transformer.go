package model

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"lockstep/internal/nearest"
	"lockstep/op"
)

// normEps is what a layer norm adds to the variance: that of torch.nn.LayerNorm.
const normEps = 1e-5

// Embedding turns a row of tokens into as many positions: of token v row v of a table [Vocab, Out], and, where Positions is true, plus row t
// of a table [tokens, Out] at position t. (Vaswani et al. 2017, arXiv 1706.03762, section 3.4; tables of positions as in section 3.5, "learned".)
type Embedding struct {
	Vocab     int
	Out       int  // columns of a position
	Positions bool // whether there is a table of positions
}

func (Embedding) Type() string        { return "embedding" }
func (l Embedding) Form(in Form) Form { return Form{Positions: in.Columns, Columns: l.Out} }

func (l Embedding) Params(in Form) []Param {
	p := []Param{{Name: "tokens", Kind: Tokens, Shape: []int{l.Vocab, l.Out}, FanIn: 1}}
	if l.Positions {
		p = append(p, Param{Name: "positions", Kind: Places, Shape: []int{in.Columns, l.Out}, FanIn: 1})
	}
	return placed(p)
}

func (l Embedding) Fields() map[string]any {
	return map[string]any{"vocab": l.Vocab, "out": l.Out, "positions": l.Positions}
}

func (l Embedding) check(in Form) error {
	switch {
	case l.Out < 1 || l.Out > MaxSize:
		return fmt.Errorf("out is %d; it must be 1 to %d", l.Out, MaxSize)
	case in.Vocab < 1:
		return errors.New("it takes tokens, but gets numbers; it stands first, on data of tokens such as modular-addition")
	case l.Vocab < in.Vocab || l.Vocab > MaxSize:
		return fmt.Errorf("vocab is %d; the data have tokens up to %d, so it must be %d to %d", l.Vocab, in.Vocab-1, in.Vocab, MaxSize)
	}
	return nil
}

func (l Embedding) trace(t tracing, p []op.Value, in Form, x op.Value) op.Value {
	rows := t.Type(x).At(0)
	if int64(rows)*int64(in.Columns) > MaxSize {
		t.Fail(fmt.Errorf("model: %d rows of %d tokens at once; at most %d tokens", rows, in.Columns, MaxSize))
	}
	tokens := t.Do(op.Reshape{To: op.S(rows * in.Columns)}, t.Do(op.Cast{To: op.U32}, x))
	y := t.Do(op.Gather{}, p[0], tokens)
	if !l.Positions {
		return y
	}
	y = t.Do(op.Reshape{To: op.S(rows, in.Columns, l.Out)}, y)
	y = t.Do(op.Add, y, t.wide(p[1], y))
	return t.Do(op.Reshape{To: op.S(rows*in.Columns, l.Out)}, y)
}

// LayerNorm brings the columns of every position to mean 0 and variance 1, times a gain, plus a shift, each [columns] (Ba et al. 2016, arXiv
// 1607.06450, equation 4).
type LayerNorm struct{}

func (LayerNorm) Type() string           { return "layer-norm" }
func (LayerNorm) Form(in Form) Form      { return Form{Positions: in.Positions, Columns: in.Columns} }
func (LayerNorm) Params(in Form) []Param { return placed(normParams("", in.Columns)) }
func (LayerNorm) Fields() map[string]any { return nil }
func (LayerNorm) check(in Form) error    { return needColumns(in) }

func (LayerNorm) trace(t tracing, p []op.Value, _ Form, x op.Value) op.Value {
	return t.norm(x, p)
}

func normParams(prefix string, columns int) []Param {
	return []Param{
		{Name: prefix + "gain", Kind: Gain, Shape: []int{columns}, FanIn: 1},
		{Name: prefix + "shift", Kind: Shift, Shape: []int{columns}, FanIn: 1},
	}
}

func needColumns(in Form) error {
	if in.Columns < 1 {
		return errors.New("it has no input columns: these data have no inputs")
	}
	return nil
}

// norm emits the layer norm of x f32[n, c] with p, its gain and shift: op.LayerNorm times the gain, plus the shift.
func (t tracing) norm(x op.Value, p []op.Value) op.Value {
	y := t.Emit(op.LayerNorm{Eps: op.B(normEps)}, x)[0]
	return t.Do(op.Add, t.Do(op.Mul, y, t.wide(p[0], y)), t.wide(p[1], y))
}

// Attention is x + Wo A + bo, where A puts the heads' softmax(Q K^T / sqrt(c / Heads)) V side by side (Vaswani et al. 2017, arXiv 1706.03762,
// section 3.2). Head h has columns h c / Heads to (h + 1) c / Heads - 1 of Q = y Wq + bq, K = y Wk + bk and V = y Wv + bv; all W are [c, c], all b
// [c]. y is x, or its layer norm. The quotient is a product with the root's inverse, rounded once.
type Attention struct {
	Heads  int
	Causal bool // a position looks at itself and those before it
	Norm   bool // y is the layer norm of x, with a gain and a shift
	Bias   bool // whether there are bq, bk, bv and bo
}

func (Attention) Type() string      { return "attention" }
func (Attention) Form(in Form) Form { return Form{Positions: in.Positions, Columns: in.Columns} }

func (l Attention) Params(in Form) (p []Param) {
	if l.Norm {
		p = normParams("norm.", in.Columns)
	}
	for _, name := range []string{"q", "k", "v", "o"} {
		kind, axis := Query, 1
		if name == "o" {
			kind, axis = Weight, 0
		}
		p = append(p, Param{Name: "w" + name, Kind: kind, Shape: []int{in.Columns, in.Columns}, FanIn: in.Columns, Heads: l.Heads, HeadAxis: axis})
		if l.Bias {
			p = append(p, Param{Name: "b" + name, Kind: HeadBias, Shape: []int{in.Columns}, FanIn: in.Columns})
		}
	}
	return placed(p)
}

func (l Attention) Fields() map[string]any {
	return map[string]any{"heads": l.Heads, "causal": l.Causal, "norm": l.Norm, "bias": l.Bias}
}

func (l Attention) check(in Form) error {
	switch {
	case in.Columns < 1:
		return needColumns(in)
	case l.Heads < 1 || in.Columns%l.Heads != 0:
		return fmt.Errorf("heads is %d; it must divide the %d columns of a position", l.Heads, in.Columns)
	}
	return nil
}

func (l Attention) trace(t tracing, p []op.Value, in Form, x op.Value) op.Value {
	y := x
	if l.Norm {
		y, p = t.norm(x, p), p[2:]
	}
	each := 1 // parameters of a product
	if l.Bias {
		each = 2
	}
	T, H, width := in.Positions, l.Heads, in.Columns/l.Heads
	rows := t.Type(x).At(0) / T
	head := func() op.Value { // f32[rows, H, T, width]
		v := t.linear(y, p[:each])
		p = p[each:]
		return t.Do(op.Transpose{Perm: op.List(0, 2, 1, 3)}, t.Do(op.Reshape{To: op.S(rows, T, H, width)}, v))
	}
	q, k, v := head(), head(), head()
	scores := t.Do(op.MatMul{TB: true}, q, k) // f32[rows, H, T, T]: query, key
	scores = t.Do(op.Mul, scores, op.FillLike(t, float32(1/math.Sqrt(float64(width))), scores))
	if l.Causal {
		scores = t.Do(op.Select{}, t.wide(t.past(T), scores), scores, op.FillLike(t, float32(math.Inf(-1)), scores))
	}
	probabilities := t.Do(op.Softmax{}, scores)
	t.see("probabilities", probabilities)
	a := t.Do(op.Transpose{Perm: op.List(0, 2, 1, 3)}, t.Do(op.MatMul{}, probabilities, v))
	return t.Do(op.Add, x, t.linear(t.Do(op.Reshape{To: op.S(rows*T, in.Columns)}, a), p))
}

// past emits which key, by column, stands at or before the query, by row: bool[T, T], a constant. What is masked has a score of -inf, a
// probability of exp(-inf) = +0, and so no part in any sum.
func (t tracing) past(T int) op.Value {
	iota := t.Do(op.Iota{N: int32(T)})
	key := t.Do(op.Broadcast{To: op.S(T, T)}, iota)
	query := t.Do(op.Broadcast{To: op.S(T, T)}, t.Do(op.Reshape{To: op.S(T, 1)}, iota))
	return t.Do(op.Le, key, query)
}

// MLP is x + W2 f(y W1 + b1) + b2, position by position: W1 [c, Hidden], W2 [Hidden, c]; y is x, or its layer norm.
type MLP struct {
	Hidden     int
	Activation Activation // f
	Norm       bool       // y is the layer norm of x, with a gain and a shift
	Bias       bool       // whether there are b1 and b2
}

func (MLP) Type() string      { return "mlp" }
func (MLP) Form(in Form) Form { return Form{Positions: in.Positions, Columns: in.Columns} }

func (l MLP) Params(in Form) (p []Param) {
	if l.Norm {
		p = normParams("norm.", in.Columns)
	}
	for i, d := range [][2]int{{in.Columns, l.Hidden}, {l.Hidden, in.Columns}} {
		p = append(p, Param{Name: fmt.Sprintf("w%d", i+1), Shape: d[:], FanIn: d[0]})
		if l.Bias {
			p = append(p, Param{Name: fmt.Sprintf("b%d", i+1), Kind: Bias, Shape: []int{d[1]}, FanIn: d[0]})
		}
	}
	return placed(p)
}

func (l MLP) Fields() map[string]any {
	return map[string]any{"hidden": l.Hidden, "activation": string(l.Activation), "norm": l.Norm, "bias": l.Bias}
}

func (l MLP) check(in Form) error {
	if l.Hidden < 1 || l.Hidden > MaxSize {
		return fmt.Errorf("hidden is %d; it must be 1 to %d", l.Hidden, MaxSize)
	}
	if err := l.Activation.check(in); err != nil {
		return err
	}
	return needColumns(in)
}

func (l MLP) trace(t tracing, p []op.Value, in Form, x op.Value) op.Value {
	y := x
	if l.Norm {
		y, p = t.norm(x, p), p[2:]
	}
	half := len(p) / 2
	y = l.Activation.trace(t, nil, in, t.linear(y, p[:half]))
	return t.Do(op.Add, x, t.linear(y, p[half:]))
}

// Pool makes one row of an example's positions, by its name in cards.
type Pool string

// The pools.
const (
	First         Pool = "first"          // the first position
	Last          Pool = "last"           // the last position
	MeanPositions Pool = "mean-positions" // the mean over the positions
)

// Pools lists the names of the pools.
func Pools() []string { return []string{string(First), string(Last), string(MeanPositions)} }

func (l Pool) Type() string         { return string(l) }
func (Pool) Form(in Form) Form      { return Form{Positions: 1, Columns: in.Columns} }
func (Pool) Params(Form) []Param    { return nil }
func (Pool) Fields() map[string]any { return nil }

func (l Pool) check(in Form) error {
	if !slices.Contains(Pools(), string(l)) {
		return nearest.Unknown("pool", string(l), Pools())
	}
	return needColumns(in)
}

func (l Pool) trace(t tracing, _ []op.Value, in Form, x op.Value) op.Value {
	rows := t.Type(x).At(0) / in.Positions
	y := t.Do(op.Reshape{To: op.S(rows, in.Positions, in.Columns)}, x)
	switch l {
	case First:
		y = t.Do(op.Slice{Axis: 1, Start: 0, Len: 1}, y)
	case Last:
		y = t.Do(op.Slice{Axis: 1, Start: int32(in.Positions) - 1, Len: 1}, y)
	default:
		y = t.Do(op.Mean{Axes: op.List(1)}, y)
	}
	return t.Do(op.Reshape{To: op.S(rows, in.Columns)}, y)
}
