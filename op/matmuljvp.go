package op

import "errors"

// MatMulJVP is the tangent of MatMul when both operands have one: da B + A db in one chain.
//
//	a, b, da, db (shapes of MatMul; da like a, db like b) (, klen: u32 []) -> [.., m, n]
//
// Order: as MatMul, but for each k first acc = fma(da[i,k], b[k,j], acc), then acc = fma(a[i,k], db[k,j], acc).
type MatMulJVP struct{ TA, TB bool }

func (MatMulJVP) Name() string     { return "matmuljvp" }
func (MatMulJVP) Class() Class     { return Ordered }
func (o MatMulJVP) primal() MatMul { return MatMul(o) }

func (o MatMulJVP) Shape(in []Type) ([]Type, error) {
	if len(in) < 4 || len(in) > 5 || in[0].Shape != in[2].Shape || in[1].Shape != in[3].Shape || in[2].DType != F32 || in[3].DType != F32 {
		return nil, bad(o, in, "a, b, da like a, db like b and optionally klen u32[]")
	}
	out, err := o.primal().Shape(append(append([]Type{}, in[:2]...), in[4:]...))
	if err != nil {
		return nil, bad(o, in, "%s", err.(*ShapeError).Want)
	}
	return out, nil
}

func (o MatMulJVP) Check(in []Tensor) error {
	d, _ := o.primal().Dims(in[0].Shape, in[1].Shape)
	return checkKlen(o, in, 4, d.K)
}

func (o MatMulJVP) Law(out, in []Tensor) {
	d, _ := o.primal().Dims(in[0].Shape, in[1].Shape)
	a, b, da, db, kn := in[0].F(), in[1].F(), in[2].F(), in[3].F(), klen(in, 4, d.K)
	for e := range d.Batch {
		for i := range d.M {
			for j := range d.N {
				var c float32
				for r := 0; r == 0 || r < kn; r += Chunk {
					var acc float32
					for k := r; k < min(r+Chunk, kn); k++ {
						ik, kj := e*d.ABatch+i*d.AM+k*d.AK, e*d.BBatch+k*d.BK+j*d.BN
						acc = FMA32(da[ik], b[kj], acc)
						acc = FMA32(a[ik], db[kj], acc)
					}
					if r == 0 {
						c = acc
					} else {
						c += acc
					}
				}
				out[0].SetF((e*d.M+i)*d.N+j, c)
			}
		}
	}
}

// VJP: linearised models are trained through it.
func (o MatMulJVP) VJP(e Emitter, n Node, ct []Value) []Value {
	ga, gdb := o.primal().cotangents(e, n.In[0], n.In[3], ct[0], n.In[4:])
	gda, gb := o.primal().cotangents(e, n.In[2], n.In[1], ct[0], n.In[4:])
	return append([]Value{ga, gb, gda, gdb}, make([]Value, len(n.In)-4)...)
}

func (o MatMulJVP) JVP(e Emitter, n Node, t []Value) []Value {
	e.Fail(errors.New("matmuljvp: the tangent of a tangent is a third derivative, for which the law has no rule; " +
		"take the VJP of the JVP, or the JVP of the VJP"))
	return []Value{0}
}
