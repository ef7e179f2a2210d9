package graph_test

import (
	"context"
	"encoding/binary"
	"math"
	"testing"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest/truth"
)

// A small relative of LeNet-5 (LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition, section II.B): a convolution by gather and
// product, tanh, the mean over squares, and a linear layer.
const (
	side, kernelSide, channels = 6, 3, 2
	outSide                    = side - kernelSide + 1 // 4
	poolSide                   = outSide / 2
	patch, features            = kernelSide * kernelSide, poolSide * poolSide * channels
	convParams                 = patch*channels + channels + features*classes + classes
)

// patches lists, for each place of the result, the pixels under the kernel.
func patches() (index []uint32) {
	for y := range outSide {
		for x := range outSide {
			for i := range kernelSide {
				for j := range kernelSide {
					index = append(index, uint32((y+i)*side+x+j))
				}
			}
		}
	}
	return index
}

func lenet(b *graph.Builder, theta, x, index op.Value) op.Value {
	const places = outSide * outSide
	p := b.Emit(op.Split{Sizes: op.List(patch*channels, channels, features*classes, classes)}, theta)
	pixels := b.Do(op.Gather{}, b.Do(op.Transpose{Perm: op.List(1, 0)}, x), index) // [places * patch, examples]
	pixels = b.Do(op.Transpose{Perm: op.List(2, 0, 1)}, b.Do(op.Reshape{To: op.S(places, patch, examples)}, pixels))
	pixels = b.Do(op.Reshape{To: op.S(examples*places, patch)}, pixels)
	h := b.Do(op.MatMul{}, pixels, b.Do(op.Reshape{To: op.S(patch, channels)}, p[0]))
	h = b.Do(op.Tanh, b.Do(op.Add, h, b.Do(op.Broadcast{To: op.S(examples*places, channels)}, p[1])))
	h = b.Do(op.Mean{Axes: op.List(2, 4)}, b.Do(op.Reshape{To: op.S(examples, poolSide, 2, poolSide, 2, channels)}, h))
	h = b.Do(op.MatMul{}, b.Do(op.Reshape{To: op.S(examples, features)}, h), b.Do(op.Reshape{To: op.S(features, classes)}, p[2]))
	return b.Do(op.Add, h, b.Do(op.Broadcast{To: op.S(examples, classes)}, p[3]))
}

// lenet64 is the network on one image, pixel by pixel.
func lenet64(theta []truth.Hyperdual, x []float32) (z [classes]truth.Hyperdual) {
	w, bias := theta[:patch*channels], theta[patch*channels:]
	dense := bias[channels:]
	for c := range z {
		z[c] = dense[features*classes+c]
	}
	for y := range outSide {
		for xx := range outSide {
			for ch := range channels {
				sum := bias[ch]
				for i := range kernelSide {
					for j := range kernelSide {
						sum = sum.Add(w[(i*kernelSide+j)*channels+ch].Mul(truth.Real(float64(x[(y+i)*side+xx+j]))))
					}
				}
				f := ((y/2)*poolSide+xx/2)*channels + ch
				for c := range z {
					z[c] = z[c].Add(sum.Tanh().Mul(truth.Real(0.25)).Mul(dense[f*classes+c]))
				}
			}
		}
	}
	return z
}

// TestProductsOfConvolutions holds Hessian, Gauss-Newton and empirical Fisher products against explicit float64 matrices.
func TestProductsOfConvolutions(t *testing.T) {
	theta, x, v := wave(convParams, 1), wave(examples*side*side, 2), wave(convParams, 3)
	hess, ggn, fisher := square(convParams), square(convParams), square(convParams)
	slopes, jac, prob := square(max(convParams, examples)), map[[3]int]float64{}, map[[2]int]float64{}
	for i := range convParams {
		for j := range convParams {
			at := make([]truth.Hyperdual, convParams)
			for k := range at {
				at[k] = truth.Real(float64(theta[k]))
			}
			at[i].B, at[j].C = 1, 1
			for e := range examples {
				var s truth.Hyperdual
				z := lenet64(at, x[e*side*side:(e+1)*side*side])
				for _, c := range z {
					s = s.Add(c.Exp())
				}
				loss := s.Log().Add(z[label(e)].Mul(truth.Real(-1)))
				hess[i][j] += loss.D / examples
				slopes[e][i] = loss.B
				for c := range z {
					jac[[3]int{e, c, i}], prob[[2]int{e, c}] = z[c].B, math.Exp(z[c].A)/s.A
				}
			}
		}
	}
	for i := range convParams {
		for j := range convParams {
			for e := range examples {
				fisher[i][j] += slopes[e][i] * slopes[e][j] / examples
				for c := range classes {
					for d := range classes {
						h := -prob[[2]int{e, c}] * prob[[2]int{e, d}]
						if c == d {
							h += prob[[2]int{e, c}]
						}
						ggn[i][j] += jac[[3]int{e, c, i}] * h * jac[[3]int{e, d, j}] / examples
					}
				}
			}
		}
	}
	p, err := graph.Trace(func(b *graph.Builder) {
		theta, v := b.Input("theta", op.T(op.F32, op.Cell, convParams)), b.Input("v", op.T(op.F32, op.Cell, convParams))
		x, index := b.Input("x", op.T(op.F32, op.Shared, examples, side*side)), b.Input("index", op.T(op.U32, op.Shared, len(patches())))
		y := b.Input("y", op.T(op.U32, op.Shared, examples, 1))
		z := lenet(b, theta, x, index)
		wrt, vs := []op.Value{theta}, []op.Value{v}
		lossOf := func(z op.Value) op.Value { return meanLoss(b, z, y) }
		b.Output("hessian", b.HVP(lossOf(z), wrt, vs)[0])
		b.Output("ggn", b.GGN(z, lossOf, wrt, vs)[0])
		b.Output("fisher", b.Fisher(b.Do(op.Xent{}, z, y), wrt, vs)[0])
	})
	check(t, err)
	e, err := cpu.New(cpu.Options{})
	check(t, err)
	pack, err := e.NewPack(1, nil)
	check(t, err)
	for name, in := range map[string][]float32{"theta": theta, "v": v} {
		check(t, pack.Put(name, op.T(op.F32, op.Cell, convParams), 0, bytesOf(in)))
	}
	check(t, pack.Put("x", op.T(op.F32, op.Shared, examples, side*side), 0, bytesOf(x)))
	var y []byte
	for e := range examples {
		y = binary.LittleEndian.AppendUint32(y, label(e))
	}
	check(t, pack.Put("y", op.T(op.U32, op.Shared, examples, 1), 0, y))
	check(t, pack.Put("index", op.T(op.U32, op.Shared, len(patches())), 0, op.Bytes(patches())))
	exe, err := pack.Compile(p)
	check(t, err)
	check(t, exe.Run(context.Background(), 1))
	for name, m := range map[string][][]float64{"hessian": hess, "ggn": ggn} {
		if d := deviation(read(t, pack, name, 0, convParams), times(m, v)); !(d < 1e-5) {
			t.Errorf("%s deviates by %.2g of its norm from the explicit float64 matrix", name, d)
		}
	}
	mean := times(fisher, v)
	for i := range mean {
		mean[i] *= examples // Fisher is the sum over rows
	}
	if d := deviation(read(t, pack, "fisher", 0, convParams), mean); !(d < 1e-5) {
		t.Errorf("the empirical Fisher matrix deviates by %.2g of its norm from the explicit float64 matrix", d)
	}
}
