package truth

import "lockstep/op"

// dualTruth is the truth of a dual: of its expansion, whose rules are held against differences as those of the primal.
func dualTruth(o op.Twofold, in []Array) (out []Array) {
	e := &evaluator{}
	v := make([]op.Value, len(in))
	for i, a := range in {
		v[i] = e.add(a)
	}
	for _, y := range o.Expand(e, v) {
		out = append(out, e.arrays[y-1])
	}
	return out
}

// evaluator is an op.Emitter that evaluates in exact arithmetic while it emits.
type evaluator struct{ arrays []Array }

func (e *evaluator) add(a Array) op.Value {
	e.arrays = append(e.arrays, a)
	return op.Value(len(e.arrays))
}

func (e *evaluator) Emit(o op.Op, in ...op.Value) (out []op.Value) {
	arrays := make([]Array, len(in))
	for i, v := range in {
		arrays[i] = e.arrays[v-1]
	}
	for _, y := range Of(o, arrays) {
		out = append(out, e.add(y))
	}
	return out
}

func (e *evaluator) Type(v op.Value) op.Type {
	a := e.arrays[v-1]
	return op.T(a.DType, op.Shared, a.Dims...)
}

func (e *evaluator) Fail(err error) { panic(err) }
