//go:build cuda

package main

import (
	"math/rand/v2"
	"slices"
	"testing"

	"lockstep/analysis/curvature"
	"lockstep/graph"
	"lockstep/model"
	"lockstep/op"
)

// TestCurvatureOnCUDA: products of every kind, one vector and several a model, and a Lanczos process have the CPU's bits.
func TestCurvatureOnCUDA(t *testing.T) {
	driver(t)
	card := cardEngine(t, 0)
	for name, spec := range map[string]model.Spec{
		"mlp": {In: 5, Init: model.He, Layers: []model.Layer{model.Linear{Out: 7, Bias: true}, model.GELU, model.Linear{Out: 4, Bias: true}}},
		"transformer": {In: 5, Vocab: 6, Init: model.He, Layers: []model.Layer{
			model.Embedding{Vocab: 6, Out: 8, Positions: true}, model.Attention{Heads: 2, Causal: true, Norm: true},
			model.MLP{Hidden: 9, Activation: model.Tanh, Norm: true, Bias: true}, model.LayerNorm{}, model.Last, model.Linear{Out: 4, Bias: true}}},
	} {
		o := curvature.Objective{Model: spec, Loss: model.CrossEntropy, Batch: 3, Seed: 2,
			X: op.New(op.T(op.F32, op.Shared, 7, spec.In)), Y: op.New(op.T(op.U32, op.Shared, 7, 1))}
		r := rand.New(rand.NewPCG(1, 2))
		draw := func(n int) []float32 {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
			return x
		}
		for i := range o.X.W {
			o.X.SetF(i, float32(i*i%6))
		}
		for i := range o.Y.W {
			o.Y.W[i] = uint32(i % 4)
		}
		o.Theta = [][]float32{draw(spec.D()), draw(spec.D())}
		for _, kind := range curvature.Kinds() {
			o.Kind = kind
			for _, vectors := range []int{1, 3} {
				v := draw(2 * vectors * spec.D())
				run := func(e graph.Engine) (all []uint32) {
					a, err := o.Operator()
					if err != nil {
						t.Fatal(err)
					}
					s, err := curvature.New(e, a, curvature.Options{Vectors: vectors, Seed: 5})
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					y, err := s.Multiply(t.Context(), v)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, op.Float32s(op.S(len(y)), y...).W...)
					if kind == curvature.Hessian {
						ts, err := s.Lanczos(t.Context(), 6, curvature.Normal)
						if err != nil {
							t.Fatal(err)
						}
						for _, x := range ts {
							all = append(all, op.Float32s(op.S(6), x.Alpha...).W...)
							all = append(all, op.Float32s(op.S(6), x.Beta...).W...)
						}
					}
					return all
				}
				if !slices.Equal(run(card), run(cpuEngine(t))) {
					t.Errorf("%s, %s, %d vectors: the card's bits differ from the CPU's", name, kind, vectors)
				}
			}
		}
	}
}
