package op

import "fmt"

// Run checks the operands, allocates the results and runs the law.
func Run(o Op, in ...Tensor) ([]Tensor, error) {
	e := &Eager{}
	v := make([]Value, len(in))
	for i, t := range in {
		v[i] = e.Add(t)
	}
	out, err := e.try(o, v)
	if err != nil {
		return nil, err
	}
	res := make([]Tensor, len(out))
	for i, v := range out {
		res[i] = e.Tensor(v)
	}
	return res, nil
}

// Eager is an Emitter that runs laws while they are emitted: the law of every composite, and the tool of tests. A misuse
// panics with the error; Run returns it.
type Eager struct{ t []Tensor }

// Add makes a tensor a value.
func (e *Eager) Add(t Tensor) Value {
	e.t = append(e.t, t)
	return Value(len(e.t))
}

// Tensor is the tensor of a value.
func (e *Eager) Tensor(v Value) Tensor { return e.t[v-1] }

func (e *Eager) Type(v Value) Type { return e.t[v-1].Type }
func (e *Eager) Fail(err error)    { panic(err) }

func (e *Eager) Emit(o Op, in ...Value) []Value {
	out, err := e.try(o, in)
	if err != nil {
		e.Fail(err)
	}
	return out
}

func (e *Eager) try(o Op, in []Value) ([]Value, error) {
	tensors := make([]Tensor, len(in))
	for i, v := range in {
		if v == 0 {
			return nil, fmt.Errorf("%s: operand %d is a symbolic zero", Describe(o), i)
		}
		tensors[i] = e.Tensor(v)
	}
	outTypes, err := outputs(o, tensors)
	if err != nil {
		return nil, err
	}
	out, values := make([]Tensor, len(outTypes)), make([]Value, len(outTypes))
	for i, t := range outTypes {
		out[i] = New(t)
		values[i] = e.Add(out[i])
	}
	o.Law(out, tensors)
	return values, nil
}

// outputs is Outputs for operands that must have as many words as their types say.
func outputs(o Op, in []Tensor) ([]Type, error) {
	types := make([]Type, len(in))
	for i, t := range in {
		types[i] = t.Type
		if len(t.W) != t.Words() {
			return nil, fmt.Errorf("%s: operand %d, %s, has %d words instead of %d", Describe(o), i, t.Type, len(t.W), t.Words())
		}
	}
	return Outputs(o, types)
}

// ExpandLaw is the law of a composite: the laws of its expansion, one after the other.
func ExpandLaw(c Composite, out, in []Tensor) {
	e := &Eager{}
	v := make([]Value, len(in))
	for i, t := range in {
		v[i] = e.Add(t)
	}
	for i, y := range c.Expand(e, v) {
		copy(out[i].W, e.Tensor(y).W)
	}
}
