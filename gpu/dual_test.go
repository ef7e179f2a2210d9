//go:build cuda

package gpu

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest"
)

// TestHessianVectorProduct: a step that multiplies a state with the Hessian of a network has the bits of the laws, by both executors, and each of the duals
// that it is made of is one kernel.
func TestHessianVectorProduct(t *testing.T) {
	if *onlyKernels != "" || *few > 0 {
		t.Skip("it launches kernels of many files")
	}
	types := map[string]op.Type{
		"x": op.T(op.F32, op.Cell, 40, 10), "label": op.T(op.U32, op.Cell, 40, 1), "w": op.T(op.F32, op.Cell, 10, 33), "u": op.T(op.F32, op.Cell, 33, 5),
		"v": op.T(op.F32, op.Cell, 10, 33), "vu": op.T(op.F32, op.Cell, 33, 5),
	}
	p := traced(t, func(b *graph.Builder) {
		in := func(name string) op.Value { return b.Input(name, types[name]) }
		wrt := []op.Value{b.State("at", in("w"), op.Cell), b.State("atu", in("u"), op.Cell)} // what moves: or the primals were of no step
		v := []op.Value{b.State("s", in("v"), op.Cell), b.State("su", in("vu"), op.Cell)}
		h := b.Do(op.Softmax{}, b.Emit(op.LayerNorm{Eps: op.B(1e-5)}, b.Do(op.MatMul{}, in("x"), wrt[0]))[0])
		z := b.Emit(op.LayerNorm{Eps: op.B(1e-5)}, b.Do(op.MatMul{}, h, wrt[1]))[0]
		losses := b.Do(op.Xent{}, z, in("label"))
		hv := b.HVP(b.Do(op.Reshape{To: op.S()}, b.Do(op.Sum{Axes: "0,1"}, losses)), wrt, v)
		b.Output("h", hv[0])
		b.Output("hu", hv[1])
		for i, v := range v {
			b.Next(v, hv[i])
			b.Next(wrt[i], b.Do(op.Add, wrt[i], hv[i]))
		}
	})
	r := rand.New(rand.NewPCG(1, 2))
	value := map[op.Value]op.Tensor{}
	for _, in := range p.In {
		x := op.New(types[in.Name])
		for i := range x.W {
			if x.DType == op.U32 {
				x.W[i] = r.Uint32N(5)
			} else {
				x.SetF(i, float32(r.NormFloat64()))
			}
		}
		value[in.V] = x
	}
	for _, s := range p.State {
		value[s.In] = value[s.Init]
	}
	for _, n := range p.Nodes {
		var in []op.Tensor
		for _, v := range n.In {
			in = append(in, value[v])
		}
		out, err := op.Run(n.Op, in...)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range n.Out {
			value[v] = out[i]
		}
	}
	e := device0(t)
	for _, executor := range []string{"stream", "resident"} {
		e.executor = executor
		q, err := e.NewPack(1, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range p.In {
			if err := q.Put(in.Name, types[in.Name], 0, op.Bytes(value[in.V].W)); err != nil {
				t.Fatal(err)
			}
		}
		exe, err := q.Compile(p)
		if err == nil {
			err = errors.Join(exe.Reset(t.Context()), exe.Run(t.Context(), 1))
		}
		if err != nil {
			t.Fatal(err)
		}
		if resides := exe.(*exec).resident != nil; resides != (executor == "resident") {
			t.Errorf("by %s: it is resident: %v", executor, resides)
		}
		var ran []string
		for _, k := range exe.Kernels() {
			ran = append(ran, k.Variant)
		}
		for _, want := range []string{"duallayernorm ", "dualsoftmax ", "dualmatmul_", "dualxentgrad ", "dualsoftmaxgrad ", "duallayernormgrad ", "matmuljvp_"} {
			if !strings.Contains(strings.Join(ran, " ")+" ", ":"+want) {
				t.Errorf("by %s nothing runs %s: %v", executor, want, ran)
			}
		}
		for _, o := range p.Out {
			got := op.New(value[o.V].Type)
			b := make([]byte, 4*len(got.W))
			if err := q.Read(o.Name, 0, b); err != nil {
				t.Fatal(err)
			}
			op.PutWords(got.W, b)
			if d := optest.Diff(got, value[o.V]); d != "" {
				t.Errorf("%s by %s: %s", o.Name, executor, d)
			}
		}
		if err := errors.Join(exe.Close(), q.Close()); err != nil {
			t.Error(err)
		}
	}
}
