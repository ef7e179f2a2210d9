package cpu

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// Steps that replace large states in place, by chains in parts and by rows, of which others read parts: the engine must not show anyone what it has
// replaced too early. They are held against the program's meaning, each op's law in turn, and by no engine.

// stateShapes are those of one number of elements, so that states and values can be seen as each other's parts.
var stateShapes = [][]int{{40, 64}, {2560}, {1, 2560}, {64, 40}, {8, 320}}

// drawStates draws a step of two to four such states, and of a large flag and some integers, of which parts are the program's flag and the places of rows.
func drawStates(t *testing.T, r *rand.Rand) *graph.Program {
	t.Helper()
	return trace(t, func(b *graph.Builder) {
		var states, values []op.Value
		for i := range 2 + r.IntN(3) {
			name := fmt.Sprint("s", i)
			s := b.State(name, b.Input(name+"0", op.T(op.F32, op.Cell, stateShapes[r.IntN(len(stateShapes))]...)), op.Cell)
			states, values = append(states, s), append(values, s)
		}
		flags := b.State("flags", b.Do(op.Fill{DType: op.Bool, Bits: 1, To: op.S(64)}), op.Cell)
		places := b.State("places", b.Input("places0", op.T(op.U32, op.Cell, 8, 320)), op.Cell)
		find := func(s op.Shape) op.Value {
			var all []op.Value
			for _, v := range values {
				if b.Type(v).Shape == s {
					all = append(all, v)
				}
			}
			return all[r.IntN(len(all))]
		}
		element := func(v op.Value) op.Value {
			for a := range int(b.Type(v).Rank) {
				v = b.Do(op.Slice{Axis: int8(a), Start: int32(r.IntN(b.Type(v).At(a))), Len: 1}, v)
			}
			return b.Do(op.Reshape{To: op.S()}, v)
		}
		for range 3 + r.IntN(12) {
			v := values[r.IntN(len(values))]
			s := b.Type(v).Shape
			switch k := r.IntN(9); {
			case k < 2:
				v = b.Do([]op.Op{op.Tanh, op.Neg, op.Sigmoid{}}[r.IntN(3)], v)
			case k < 5:
				v = b.Do([]op.Op{op.Add, op.Mul, op.Max}[r.IntN(3)], v, find(s))
			case k == 5:
				v = b.Do(op.Reshape{To: op.S(stateShapes[r.IntN(len(stateShapes))]...)}, v)
			case k == 6 && s.Rank == 2: // a row or a column is spread
				a := r.IntN(2)
				v = b.Do(op.Mul, v, b.Do(op.Broadcast{To: s}, b.Do(op.Slice{Axis: int8(a), Start: int32(r.IntN(s.At(a))), Len: 1}, v)))
			case k == 7:
				v = b.Do(op.Add, v, b.Do(op.Broadcast{To: s}, element(v)))
			case k == 8 && s.Rank == 2:
				at := b.FillU(uint32(r.IntN(s.At(0) + 1)))
				if r.IntN(2) == 0 {
					at = element(places)
				}
				v = b.Do(op.PutRow{}, v, b.Do(op.Slice{Axis: 0, Start: 0, Len: 1}, find(s)), at)
			default:
				continue
			}
			values = append(values, v)
		}
		for _, s := range states {
			b.Next(s, find(b.Type(s).Shape))
		}
		x := b.Do(op.Reshape{To: op.S(2560)}, find(b.Type(states[0]).Shape))
		if r.IntN(2) == 0 {
			x = b.Do(op.Reshape{To: op.S(2560)}, states[0])
		}
		if r.IntN(2) == 0 {
			b.Next(flags, b.Do(op.Slice{Axis: 0, Start: 0, Len: 64}, b.Do(op.Gt, x, b.Fill(-0.2, 2560))))
		} else {
			b.Next(flags, b.Do(op.Gt, b.Do(op.Neg, b.Do(op.Slice{Axis: 0, Start: 0, Len: 64}, x)), b.Fill(0.2, 64)))
		}
		b.Next(places, b.Do(op.PutRow{}, places, b.FillU(uint32(r.IntN(8)), 1, 320), b.FillU(uint32(r.IntN(8)))))
		switch r.IntN(3) {
		case 0:
			b.Active(element(flags))
		case 1:
			b.Active(b.Do(op.Gt, element(values[len(values)-1]), b.Fill(-0.5)))
		}
		for i, v := range values {
			if r.IntN(5) == 0 {
				b.Output(fmt.Sprint("out", i), v)
			}
		}
	})
}

// meaning is what so many steps of a program leave of its states and outputs, for one cell whose inputs these are.
func meaning(t *testing.T, p *graph.Program, inputs map[string]op.Tensor, steps int) map[string]op.Tensor {
	t.Helper()
	has := map[op.Value]op.Tensor{}
	for _, in := range p.In {
		has[in.V] = inputs[in.Name]
	}
	compute := func() {
		for _, n := range p.Nodes {
			var in []op.Tensor
			for _, v := range n.In {
				if x, is := has[v]; is {
					in = append(in, x)
				}
			}
			if len(in) < len(n.In) { // it hangs on states, which are not there yet
				continue
			}
			for i, x := range must(op.Run(n.Op, in...)) {
				has[n.Out[i]] = x
			}
		}
	}
	compute()
	for _, s := range p.State {
		has[s.In] = has[s.Init]
	}
	left := map[string]op.Tensor{}
	for range steps {
		compute()
		for _, o := range p.Out {
			left[o.Name] = has[o.V]
		}
		if p.Active != 0 && has[p.Active].W[0] == 0 {
			break
		}
		next := make([]op.Tensor, len(p.State))
		for i, s := range p.State {
			next[i] = has[s.Next]
		}
		for i, s := range p.State {
			has[s.In] = next[i]
		}
	}
	for _, s := range p.State {
		left[s.Name] = has[s.In]
	}
	return left
}

// TestFlagOfState: a cell's flag may be a number of a state that the same step replaces in place: it is as it was until all states are replaced.
func TestFlagOfState(t *testing.T) {
	if !hasGo {
		t.Skip("SKIPPED: a purego build has no chains")
	}
	p := trace(t, func(b *graph.Builder) {
		flags := b.State("flags", b.Do(op.Fill{DType: op.Bool, Bits: 1, To: op.S(64)}), op.Cell)
		x, y := b.State("x", b.Input("x0", op.T(op.F32, op.Cell, 64)), op.Cell), b.State("y", b.Input("y0", op.T(op.F32, op.Cell, 4)), op.Cell)
		b.Next(x, x)
		b.Next(y, b.Do(op.Tanh, y))
		b.Next(flags, b.Do(op.Gt, b.Do(op.Mul, b.Do(op.Neg, x), b.Fill(0, 64)), b.Fill(0, 64))) // false
		b.Active(b.Do(op.Reshape{To: op.S()}, b.Do(op.Slice{Len: 1}, flags)))
	})
	if n := len(engine(t, 1).layOut(p, trainedSlots(t)).updates); n != 1 {
		t.Errorf("%d updates; want one, of the flags", n)
	}
	if got, want := trained(t, p, Options{Threads: 1}, 2), trained(t, p, Options{Threads: 1, Variants: []string{Law}}, 2); !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes differ from the laws'", different(got, want), len(want))
	}
}

func TestStates(t *testing.T) {
	defer cutSmall()()
	programs := 300
	if testing.Short() {
		programs = 60
	}
	for i := range programs {
		r := rand.New(rand.NewPCG(uint64(i), 5))
		p := drawStates(t, r)
		const cells = 2
		steps := 1 + r.IntN(3)
		inputs := make([]map[string]op.Tensor, cells)
		for c := range inputs {
			inputs[c] = map[string]op.Tensor{}
			for _, in := range p.In {
				x := op.New(p.Types[in.V])
				for k := range x.W {
					if x.DType == op.F32 {
						x.W[k] = math.Float32bits(float32(r.NormFloat64()))
					} else {
						x.W[k] = r.Uint32N(9)
					}
				}
				inputs[c][in.Name] = x
			}
		}
		for _, o := range []Options{{Threads: 1}, {Threads: 5}, {Threads: 1, NoFuse: true}} {
			pack := must(must(New(o)).NewPack(cells, nil))
			for c := range cells {
				for _, in := range p.In {
					if err := pack.Put(in.Name, p.Types[in.V], c, op.Bytes(inputs[c][in.Name].W)); err != nil {
						t.Fatal(err)
					}
				}
			}
			x := must(pack.Compile(p))
			err := x.Reset(context.Background())
			if err == nil {
				err = x.Run(context.Background(), steps)
			}
			if err != nil {
				t.Fatal(err)
			}
			for c := range cells {
				for name, want := range meaning(t, p, inputs[c], steps) {
					words := make([]byte, 4*len(want.W))
					if err := pack.Read(name, c, words); err != nil {
						t.Fatal(err)
					}
					got := make([]uint32, len(want.W))
					op.PutWords(got, words)
					if !slices.Equal(got, want.W) {
						t.Fatalf("program %d, %+v, %d steps: %s of cell %d is not what the laws say\n%s", i, o, steps, name, c, p)
					}
				}
			}
			pack.Close()
		}
	}
}
