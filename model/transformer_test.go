package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
)

// example is a network with parameters and rows.
type example struct {
	spec   Spec
	in     map[string]op.Tensor // theta, x, label; u and v, directions
	labels []uint32
}

const exampleVocab = 11

func newExample(rows, positions int, layers ...Layer) example {
	e := example{spec: Spec{In: positions, Vocab: exampleVocab, Layers: layers, Init: Torch}, in: map[string]op.Tensor{}}
	rng := rand.New(rand.NewPCG(1, uint64(len(layers))))
	D := e.spec.D()
	for _, name := range []string{"theta", "u", "v"} {
		x := op.New(op.T(op.F32, op.Cell, D))
		for i := range x.W {
			x.SetF(i, float32(rng.NormFloat64()*0.5))
		}
		e.in[name] = x
	}
	x, y := op.New(op.T(op.F32, op.Shared, rows, positions)), op.New(op.T(op.U32, op.Shared, rows, 1))
	for i := range rows {
		for t := range positions {
			x.SetF(i*positions+t, float32(rng.IntN(exampleVocab)))
		}
		y.W[i] = uint32(rng.IntN(3))
	}
	e.in["x"], e.in["label"], e.labels = x, y, y.W
	return e
}

func (e example) loss(b *graph.Builder, in func(string) op.Value, theta op.Value) op.Value {
	return MeanRows(b, CrossEntropy.PerRow(b, e.spec.Outputs(b, theta, in("x")), in("label")))
}

// What the tests outside of the package share with these: they hold the networks against package reference, which imports this one.
var (
	Transformers = transformers
	NewExample   = newExample
	Emit         = emit
)

func (e example) Spec() Spec               { return e.spec }
func (e example) In() map[string]op.Tensor { return e.in }
func (e example) Labels() []uint32         { return e.labels }
func (e example) Loss(b *graph.Builder, in func(string) op.Value, theta op.Value) op.Value {
	return e.loss(b, in, theta)
}

var transformers = map[string][]Layer{
	"causal, last":    {Embedding{11, 8, true}, Attention{2, true, true, true}, Attention{4, true, true, true}, LayerNorm{}, Last, Linear{3, true}},
	"encoder, first":  {Embedding{11, 8, true}, Attention{2, false, true, true}, MLP{7, GELU, true, true}, LayerNorm{}, First, Linear{3, true}},
	"bare, mean":      {Embedding{11, 6, false}, Attention{3, true, false, false}, MLP{5, Tanh, false, false}, MeanPositions, Linear{3, false}},
	"by position":     {Embedding{13, 4, true}, Linear{6, true}, Tanh, Attention{1, false, true, false}, LayerNorm{}, MeanPositions, Linear{3, true}},
	"relu, mixed":     {Embedding{11, 4, false}, MLP{3, ReLU, true, false}, Attention{2, true, false, true}, Last, LayerNorm{}, Linear{3, true}},
	"pooled at once":  {Embedding{11, 4, true}, MeanPositions, MLP{3, Sigmoid, true, true}, Linear{3, true}},
	"heads of one":    {Embedding{11, 4, true}, Attention{4, true, true, false}, First, Linear{3, true}},
	"last of several": {Embedding{11, 4, true}, Attention{2, false, true, true}, Last, Attention{2, true, true, true}, Linear{3, true}},
}

// TestTransformersOnVariants: outputs, gradients and Hessian-vector products have one set of bits, by the laws alone and on every variant, with
// and without fusion; none of their words is a NaN, whatever is masked.
func TestTransformersOnVariants(t *testing.T) {
	options := []cpu.Options{{}, {NoFuse: true}, {Variants: cpu.Variants()}}
	for _, v := range cpu.Variants() {
		options = append(options, cpu.Options{Variants: []string{v}})
	}
	for name, layers := range transformers {
		e := newExample(3, 5, layers...)
		all := func(b *graph.Builder, in func(string) op.Value) op.Value {
			theta, x := in("theta"), in("x")
			y := e.spec.Outputs(b, theta, x)
			loss := MeanRows(b, CrossEntropy.PerRow(b, y, in("label")))
			g := b.Gradient(loss, theta)[0]
			h := b.HVP(loss, []op.Value{theta}, []op.Value{in("v")})[0]
			return b.Do(op.Concat{}, b.Do(op.Reshape{To: op.S(9)}, y), g, h)
		}
		want := emitOn(t, cpu.Options{Variants: []string{cpu.Law}}, e.in, all)
		for i, w := range want {
			if w != w {
				t.Fatalf("%s: word %d is a NaN", name, i)
			}
		}
		for _, o := range options {
			if got := emitOn(t, o, e.in, all); !slices.Equal(got, want) {
				t.Errorf("%s: %+v gives other bits than the laws", name, o)
			}
		}
	}
}

// observe is what the network of e shows, on rows of other tokens where they are given.
func (e example) observe(t *testing.T, layer int, name string) []float32 {
	return emit(t, e.in, func(b *graph.Builder, in func(string) op.Value) (shown op.Value) {
		e.spec.Observe(b, in("theta"), in("x"), func(l int, n string, v op.Value) {
			if l == layer && n == name {
				shown = v
			}
		})
		return shown
	})
}

// TestCausal: what a position gives is, bit for bit, what it was with other tokens behind it; without the mask it is not.
func TestCausal(t *testing.T) {
	for _, causal := range []bool{true, false} {
		const rows, positions, c = 2, 16, 8
		layers := []Layer{Embedding{11, c, true}, Attention{2, causal, true, true}, MLP{5, GELU, true, true}, Attention{4, causal, true, true}, LayerNorm{}, Last, Linear{3, true}}
		e := newExample(rows, positions, layers...)
		before := e.observe(t, 4, "out")
		for cut := range positions {
			x := op.New(e.in["x"].Type)
			for i, v := range e.in["x"].F() {
				if i%positions > cut {
					v = float32(int(v+3) % exampleVocab)
				}
				x.SetF(i, v)
			}
			changed := e
			changed.in = map[string]op.Tensor{"theta": e.in["theta"], "x": x}
			after := changed.observe(t, 4, "out")
			same := true
			for i := range after {
				if i/c%positions <= cut {
					same = same && math.Float32bits(after[i]) == math.Float32bits(before[i])
				}
			}
			if same != causal && cut < positions-1 {
				t.Errorf("causal %v: with other tokens behind position %d, the positions before give the same: %v", causal, cut, same)
			}
			if slices.Equal(before, after) != (cut == positions-1) {
				t.Errorf("causal %v: other tokens behind position %d change nothing", causal, cut)
			}
		}
	}
}

// TestObserve: probabilities of a query sum to one over the keys that it may look at, the others have +0; who looks on changes no bit.
func TestObserve(t *testing.T) {
	e := newExample(3, 5, transformers["causal, last"]...)
	for layer, heads := range map[int]int{1: 2, 2: 4} {
		p := e.observe(t, layer, "probabilities")
		if len(p) != 3*heads*5*5 {
			t.Fatalf("layer %d shows %d probabilities; want %d", layer, len(p), 3*heads*5*5)
		}
		for i := 0; i < len(p); i += 5 {
			sum := float32(0)
			for key, v := range p[i : i+5] {
				if query := i / 5 % 5; key > query && math.Float32bits(v) != 0 {
					t.Fatalf("layer %d: query %d looks at key %d: %v", layer, query, key, v)
				}
				sum += v
			}
			if math.Abs(float64(sum)-1) > 4*0x1p-24 {
				t.Fatalf("layer %d: probabilities of a query sum to %v", layer, sum)
			}
		}
	}
	var shown []string
	_, err := graph.Trace(func(b *graph.Builder) {
		theta, x := b.Input("theta", e.in["theta"].Type), b.Input("x", e.in["x"].Type)
		e.spec.Observe(b, theta, x, func(l int, name string, v op.Value) { shown = append(shown, fmt.Sprint(l, name, b.Type(v).Shape)) })
	})
	want := "0out[15,8] 1probabilities[3,2,5,5] 1out[15,8] 2probabilities[3,4,5,5] 2out[15,8] 3out[15,8] 4out[3,8] 5out[3,3]"
	if got := strings.Join(shown, " "); err != nil || got != want {
		t.Errorf("it shows %s, %v; want %s", got, err, want)
	}
	y := emit(t, e.in, func(b *graph.Builder, in func(string) op.Value) op.Value {
		return e.spec.Outputs(b, in("theta"), in("x"))
	})
	if !slices.Equal(y, e.observe(t, 5, "out")) {
		t.Error("who looks on changes the outputs")
	}
}

func TestBlocks(t *testing.T) {
	e := newExample(3, 5, transformers["causal, last"]...)
	blocks := map[string]Block{}
	covered := map[string][]int{} // by what is left of the last dot, how often each element of theta is in a part of it
	D := e.spec.D()
	var names []string
	for _, b := range e.spec.Blocks() {
		if _, again := blocks[b.Name]; again {
			t.Errorf("two blocks are called %s", b.Name)
		}
		names = append(names, b.Name)
		blocks[b.Name] = b
		whole := b.Name[:max(0, strings.LastIndex(b.Name, "."))]
		if covered[whole] == nil {
			covered[whole] = make([]int, D)
		}
		offsets := b.Offsets()
		if len(offsets) != b.Size() || !slices.IsSorted(offsets) {
			t.Errorf("%s: %d offsets %v; want %d ascending ones", b.Name, len(offsets), offsets, b.Size())
		}
		for _, i := range offsets {
			covered[whole][i]++
		}
	}
	want := "0 0.tokens 0.positions 1 1.norm.gain 1.norm.shift 1.wq 1.wq.0 1.wq.1 1.bq 1.wk 1.wk.0 1.wk.1 1.bk 1.wv 1.wv.0 1.wv.1 1.bv 1.wo 1.wo.0 1.wo.1 1.bo 2"
	if got := strings.Join(names, " "); !strings.HasPrefix(got, want+" ") {
		t.Errorf("blocks are %s; want %s ..", got, want)
	}
	for whole, counts := range covered {
		in := make([]int, D)
		if whole == "" { // the layers
			for i := range in {
				in[i] = 1
			}
		} else if b, ok := blocks[whole]; ok {
			for _, i := range b.Offsets() {
				in[i] = 1
			}
		}
		if strings.HasSuffix(whole, ".norm") || whole == "1" || whole == "2" { // gain and shift stand a level deeper
			continue
		}
		if !slices.Equal(in, counts) {
			t.Errorf("the parts of %q do not make it up", whole)
		}
	}
	// A head's part of wq and wk moves its own probabilities, that of wv and wo none in this layer; a head whose values are 0 does not see its wo.
	shift := func(theta op.Tensor, block string, by float32) op.Tensor {
		moved := op.New(theta.Type)
		copy(moved.W, theta.W)
		for _, i := range blocks[block].Offsets() {
			moved.SetF(i, by)
		}
		return moved
	}
	show := func(theta op.Tensor, layer int, name string) []float32 {
		moved := e
		moved.in = map[string]op.Tensor{"theta": theta, "x": e.in["x"]}
		return moved.observe(t, layer, name)
	}
	theta := e.in["theta"]
	before := show(theta, 1, "probabilities")
	for _, m := range []string{"q", "k", "v", "o"} {
		for h := range 2 {
			after := show(shift(theta, fmt.Sprintf("1.w%s.%d", m, h), 0.3), 1, "probabilities")
			for head := range 2 {
				same := slices.Equal(before[head*25:(head+1)*25], after[head*25:(head+1)*25])
				if same != (m == "v" || m == "o" || head != h) {
					t.Errorf("w%s of head %d changed: probabilities of head %d are the same: %v", m, h, head, same)
				}
			}
		}
	}
	silent := shift(theta, "1.wv.1", 0)
	silent = shift(silent, "1.bv", 0)
	if !slices.Equal(show(silent, 1, "out"), show(shift(silent, "1.wo.1", 0.7), 1, "out")) || slices.Equal(show(silent, 1, "out"), show(shift(silent, "1.wo.0", 0.7), 1, "out")) {
		t.Error("wo's rows of a head are not those that its values meet")
	}
}

func TestTransformerCheck(t *testing.T) {
	for _, c := range []struct {
		layers []Layer
		want   string
	}{
		{[]Layer{Embedding{11, 8, true}, Linear{3, true}}, "the last layer gives 5 positions of an example; the data want one: add a layer such as last or mean-positions"},
		{[]Layer{Embedding{10, 8, true}, Last, Linear{3, true}}, "layer 0 (embedding): vocab is 10; the data have tokens up to 10, so it must be 11 to"},
		{[]Layer{Embedding{11, 0, true}, Last}, "layer 0 (embedding): out is 0"},
		{[]Layer{Linear{5, true}, Embedding{11, 8, true}}, "layer 1 (embedding): it takes tokens, but gets numbers"},
		{[]Layer{Embedding{11, 8, true}, Attention{3, true, true, true}}, "layer 1 (attention): heads is 3; it must divide the 8 columns"},
		{[]Layer{Embedding{11, 8, true}, Attention{0, true, true, true}}, "heads is 0"},
		{[]Layer{Embedding{11, 8, true}, MLP{0, GELU, true, true}}, "layer 1 (mlp): hidden is 0"},
		{[]Layer{Embedding{11, 8, true}, MLP{4, "glu", true, true}}, `layer 1 (mlp): unknown activation "glu"; nearest is "gelu"`},
		{[]Layer{Embedding{11, 8, true}, Pool("lst")}, `unknown pool "lst"; nearest is "last"`},
		{[]Layer{Embedding{11, MaxSize, true}, Last}, "layer 0 (embedding): the model has more than 2147483647 parameters"},
	} {
		if err := (Spec{5, 11, c.layers, Torch}).Check(3); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v; want an error with %q", c.layers, err, c.want)
		}
	}
	for _, l := range []Layer{LayerNorm{}, Attention{1, true, true, true}, MLP{3, GELU, true, true}, Last} {
		if err := (Spec{0, 0, []Layer{l}, Torch}).Check(3); err == nil || !strings.Contains(err.Error(), "no inputs") {
			t.Errorf("%v on data without inputs: %v", l, err)
		}
	}
}
