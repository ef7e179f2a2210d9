package op

import "math"

// TernaryMM is the product of activations with a ternary matrix W, entries in {-1, 0, +1}. The sums are exact, so their
// order does not matter.
//
//	x f32[m, k], W t2[k, n] (TB: t2[n, k]) (, klen: u32 []) -> f32[m, n]
//	x i8[m, k], the same                                    -> i32[m, n], k < 2^24
//
// A third operand klen in [0, k] ends the contraction early: x and W are not read beyond it.
//
// float32 activations, for each row of x: a NaN or an infinity makes all its outputs NaN; all zeros (or klen = 0) make
// +0. Else E = max(-126, floor(log2 max|x|)), q = RNE(x * 2^(29-E)) as an integer, T = the exact int64 sum of the +-q,
// y = f32(f64(f32(T)) * 2^(E-29)). So only entries more than six binades below the largest are rounded at all:
// |error| <= k * 2^(E-30) + 2^-24 |y| + 2^-149. int8 activations: the exact int32 sum.
type TernaryMM struct{ TB bool }

func (TernaryMM) Name() string { return "ternarymm" }
func (TernaryMM) Class() Class { return Exact }

// Dims are m, k and n for operands of shapes x and w; ok is false when they do not fit.
func (o TernaryMM) Dims(x, w Shape) (m, k, n int, ok bool) {
	if x.Rank != 2 || w.Rank != 2 {
		return 0, 0, 0, false
	}
	k, n = w.At(0), w.At(1)
	if o.TB {
		k, n = n, k
	}
	return x.At(0), k, n, x.At(1) == k
}

func (o TernaryMM) Shape(in []Type) ([]Type, error) {
	if len(in) < 2 || len(in) > 3 || in[0].DType != F32 && in[0].DType != I8 || in[1].DType != T2 || len(in) == 3 && !isScalar(in[2]) {
		return nil, bad(o, in, "x f32 or i8 [m, k], W t2[k, n] and optionally klen u32[]")
	}
	m, k, n, ok := o.Dims(in[0].Shape, in[1].Shape)
	if !ok {
		return nil, bad(o, in, "x [m, k] and W [k, n] (TB: [n, k]) with equal k")
	}
	if in[0].DType == F32 {
		return result(F32, S(m, n)), nil
	}
	if k >= 1<<24 {
		return nil, bad(o, in, "k below 2^24 for int8 activations, so that the sum is an int32")
	}
	return result(I32, S(m, n)), nil
}

func (o TernaryMM) Check(in []Tensor) error { return checkKlen(o, in, 2, in[0].At(1)) }

func (o TernaryMM) Law(out, in []Tensor) {
	m, k, n, _ := o.Dims(in[0].Shape, in[1].Shape)
	kn := klen(in, 2, k)
	q := make([]int64, kn)
	for i := range m {
		scale := Scale{}
		if in[0].DType == F32 {
			x := in[0].F()[i*k : i*k+kn]
			scale = ScaleOf(x)
			for l := range q {
				q[l] = scale.Quantise(x[l])
			}
		} else {
			for l := range q {
				q[l] = int64(in[0].Int8(i*k + l))
			}
		}
		for j := range n {
			var t int64
			for l, v := range q {
				r, c := l, j
				if o.TB {
					r, c = j, l
				}
				switch in[1].Code(r, c) {
				case 1:
					t += v
				case 3:
					t -= v
				}
			}
			if in[0].DType == F32 {
				out[0].SetF(i*n+j, scale.Result(t))
			} else {
				out[0].W[i*n+j] = uint32(int32(t))
			}
		}
	}
}

// Scale is the fixed-point scale of one row of float32 activations.
type Scale struct {
	E    int  // exponent of the largest magnitude, at least -126
	NaN  bool // there is a NaN or an infinity: every output is NaN
	Zero bool // all are zero, or there is none: every output is +0
}

// ScaleOf finds the scale of a row.
func ScaleOf(x []float32) Scale {
	var m uint32 // the largest magnitude, as bits: of non-negative floats their order is that of the bits
	for _, v := range x {
		m = max(m, math.Float32bits(v)&0x7fffffff)
	}
	return ScaleFromBits(m)
}

// ScaleFromBits is the scale of a row whose largest magnitude has the bits m.
func ScaleFromBits(m uint32) Scale {
	return Scale{E: max(int(m>>23), 1) - 127, NaN: m >= 0x7f800000, Zero: m == 0}
}

// Quantise is RNE(v * 2^(29-E)), |result| < 2^30 (0 where the scale is NaN or Zero).
func (s Scale) Quantise(v float32) int64 {
	if s.NaN || s.Zero {
		return 0
	}
	return int64(math.RoundToEven(float64(v) * math.Float64frombits(uint64(1023+29-s.E)<<52)))
}

// Result turns an exact sum into the output: one rounding of the integer, one of the scaling where it is subnormal.
func (s Scale) Result(t int64) float32 {
	switch {
	case s.NaN:
		return math.Float32frombits(NaN)
	case s.Zero:
		return 0
	}
	return float32(float64(float32(t)) * math.Float64frombits(uint64(1023+s.E-29)<<52))
}

func (o TernaryMM) JVP(e Emitter, n Node, t []Value) []Value {
	return e.Emit(o, append([]Value{t[0]}, n.In[1:]...)...)
}

// VJP contracts the cotangent over the other axis of W, with the cotangent's own scale. A ragged k is its output axis.
func (o TernaryMM) VJP(e Emitter, n Node, ct []Value) []Value {
	g := make([]Value, len(n.In))
	if len(n.In) == 3 {
		g[0] = one(e, TernaryMMTail{!o.TB}, ct[0], n.In[1], n.In[2])
	} else {
		g[0] = one(e, TernaryMM{!o.TB}, ct[0], n.In[1])
	}
	return g
}

// TernaryMMTail is TernaryMM with a ragged output axis: outputs from klen on are +0, and an engine need not compute them.
//
//	x f32[m, k], W t2[k, n] (TB: t2[n, k]), klen u32[] -> f32[m, n]
type TernaryMMTail struct{ TB bool }

func (TernaryMMTail) Name() string { return "ternarymmtail" }
func (TernaryMMTail) Class() Class { return Exact }

func (o TernaryMMTail) Shape(in []Type) ([]Type, error) {
	if len(in) == 3 && in[0].DType == F32 && isScalar(in[2]) {
		if out, err := (TernaryMM(o)).Shape(in[:2]); err == nil {
			return out, nil
		}
	}
	return nil, bad(o, in, "x f32[m, k], W t2[k, n] (TB: [n, k]) and klen u32[]")
}

func (o TernaryMMTail) Check(in []Tensor) error {
	_, _, n, _ := TernaryMM(o).Dims(in[0].Shape, in[1].Shape)
	return checkKlen(o, in, 2, n)
}

// Law is the law of the expansion: tail(ternarymm(x, W), klen) on the last axis.
func (o TernaryMMTail) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

func (o TernaryMMTail) Expand(e Emitter, in []Value) []Value {
	return e.Emit(Tail{1}, one(e, TernaryMM(o), in[0], in[1]), in[2])
}

func (o TernaryMMTail) JVP(e Emitter, n Node, t []Value) []Value {
	return e.Emit(o, t[0], n.In[1], n.In[2])
}

func (o TernaryMMTail) VJP(e Emitter, n Node, ct []Value) []Value {
	return []Value{one(e, TernaryMM{!o.TB}, ct[0], n.In[1], n.In[2]), 0, 0}
}
