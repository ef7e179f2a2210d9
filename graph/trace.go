package graph

import (
	"fmt"
	"slices"
	"strconv"

	"lockstep/op"
)

// Builder records the ops of a program under trace. It is an op.Emitter.
type Builder struct{ p Program }

// traceError carries an error from the root of a misuse to Trace.
type traceError struct{ error }

// Trace runs f and returns the program that it recorded. A misuse inside f (a wrong shape, a third derivative, a State
// without Next) ends the trace; Trace then returns its error. Other panics pass through.
func Trace(f func(b *Builder)) (p *Program, err error) {
	b := &Builder{Program{Types: make([]op.Type, 1)}}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case traceError:
			p, err = nil, r.error
		default:
			panic(r)
		}
	}()
	f(b)
	b.finish()
	return &b.p, nil
}

// Fail ends the trace with err.
func (b *Builder) Fail(err error) { panic(traceError{err}) }

func (b *Builder) failf(format string, a ...any) { b.Fail(fmt.Errorf("graph: "+format, a...)) }

// Type is the type of a value.
func (b *Builder) Type(v op.Value) op.Type { return b.p.Types[v] }

func (b *Builder) has(v op.Value) bool { return v > 0 && int(v) < len(b.p.Types) }

// known fails if a value is none of the program, as the cotangent of what the result does not hang on is none.
func (b *Builder) known(v op.Value, what string) {
	if !b.has(v) {
		b.failf("%s is no value of this program (a symbolic zero?)", what)
	}
}

func (b *Builder) value(t op.Type) op.Value {
	b.p.Types = append(b.p.Types, t)
	return op.Value(len(b.p.Types) - 1)
}

// Emit appends an op. Its results vary over whatever one of its operands varies over.
func (b *Builder) Emit(o op.Op, in ...op.Value) []op.Value {
	types, domain := make([]op.Type, len(in)), op.Shared
	for i, v := range in {
		if !b.has(v) {
			b.failf("%s: operand %d is no value of this program (a symbolic zero?)", op.Describe(o), i)
		}
		types[i] = b.Type(v)
		domain = op.Join(domain, types[i].Domain)
	}
	out, err := op.Outputs(o, types)
	if err != nil {
		b.Fail(err)
	}
	n := op.Node{Op: o, In: slices.Clone(in)}
	for _, t := range out {
		t.Domain = domain
		n.Out = append(n.Out, b.value(t))
	}
	b.p.Nodes = append(b.p.Nodes, n)
	return slices.Clone(n.Out) // the caller's, to change: the program keeps its own
}

// Do appends an op with one result.
func (b *Builder) Do(o op.Op, in ...op.Value) op.Value { return b.Emit(o, in...)[0] }

// Fill appends an F32 constant.
func (b *Builder) Fill(x float32, dims ...int) op.Value {
	return b.Do(op.Fill{DType: op.F32, Bits: op.B(x), To: op.S(dims...)})
}

// FillU appends a U32 constant.
func (b *Builder) FillU(x uint32, dims ...int) op.Value {
	return b.Do(op.Fill{DType: op.U32, Bits: op.Bits(x), To: op.S(dims...)})
}

// Input declares a named array of the pack that the program reads.
func (b *Builder) Input(name string, t op.Type) op.Value {
	v := b.value(t)
	b.p.In = append(b.p.In, Named{name, v})
	return v
}

// State declares a named array of the pack that the program reads and replaces; it starts at init and varies over
// domain, which may be finer than init's (a zero is Shared, the state is the cell's). See Next.
func (b *Builder) State(name string, init op.Value, domain op.Domain) op.Value {
	t := b.Type(init)
	t.Domain = domain
	v := b.value(t)
	b.p.State = append(b.p.State, State{Name: name, Init: init, In: v})
	return v
}

// Next says what replaces a state after a step.
func (b *Builder) Next(state, next op.Value) {
	for i := range b.p.State {
		s := &b.p.State[i]
		if s.In != state {
			continue
		}
		b.known(next, "Next of state "+strconv.Quote(s.Name))
		have, want := b.Type(next), b.Type(state)
		if s.Next != 0 || have.DType != want.DType || have.Shape != want.Shape || op.Join(have.Domain, want.Domain) != want.Domain {
			b.failf("state %q, %s, cannot be replaced by %s; want one value of its type, of its domain or a coarser one", s.Name, want, have)
		}
		s.Next = next
		return
	}
	b.failf("Next of value %d, which is no state", state)
}

// Output declares a named array that each step writes; it varies over what v varies over.
func (b *Builder) Output(name string, v op.Value) {
	b.known(v, "output "+strconv.Quote(name))
	b.OutputOver(name, v, b.Type(v).Domain)
}

// OutputOver is Output over a domain that may be finer than v's, so that the array's type does not depend on what v
// happens to be computed from.
func (b *Builder) OutputOver(name string, v op.Value, domain op.Domain) {
	b.known(v, "output "+strconv.Quote(name))
	if d := b.Type(v).Domain; op.Join(d, domain) != domain {
		b.failf("output %q, %s, cannot vary over %q only", name, b.Type(v), domain)
	}
	b.p.Out = append(b.p.Out, Output{name, v, domain})
}

// Active declares the flag, bool [], of the cells whose State the step may replace.
func (b *Builder) Active(v op.Value) {
	b.known(v, "Active")
	if t := b.Type(v); t.DType != op.Bool || t.Rank != 0 {
		b.failf("Active is %s; want bool[]", t)
	}
	b.p.Active = v
}

// finish checks what can only be checked when all is recorded.
func (b *Builder) finish() {
	names := map[string]bool{}
	name := func(s string) {
		if names[s] {
			b.failf("two inputs, states or outputs are called %q", s)
		}
		names[s] = true
	}
	var states []op.Value
	for _, n := range b.p.In {
		name(n.Name)
	}
	for _, s := range b.p.State {
		name(s.Name)
		states = append(states, s.In)
		if s.Next == 0 {
			b.failf("state %q has no Next", s.Name)
		}
	}
	for _, n := range b.p.Out {
		name(n.Name)
	}
	moving := b.p.depends(states)
	for _, s := range b.p.State {
		if moving[s.Init] {
			b.failf("the Init of state %q depends on a state; it may depend on inputs alone", s.Name)
		}
		if d := b.Type(s.In).Domain; b.p.Active != 0 && op.Join(d, b.Type(b.p.Active).Domain) != d {
			b.failf("state %q, which varies over %q, cannot be kept by an Active that varies over %q", s.Name, d, b.Type(b.p.Active).Domain)
		}
	}
}

// depends tells, by value, what depends on any of the given values, themselves included.
func (p *Program) depends(on []op.Value) []bool {
	d := make([]bool, len(p.Types))
	for _, v := range on {
		d[v] = true
	}
	for _, n := range p.Nodes {
		if slices.ContainsFunc(n.In, func(v op.Value) bool { return d[v] }) {
			for _, v := range n.Out {
				d[v] = true
			}
		}
	}
	return d
}

// ancestors tells, by value, what any of the given values depends on, themselves included.
func (p *Program) ancestors(of []op.Value) []bool {
	a := make([]bool, len(p.Types))
	for _, v := range of {
		a[v] = true
	}
	for _, n := range slices.Backward(p.Nodes) {
		if slices.ContainsFunc(n.Out, func(v op.Value) bool { return a[v] }) {
			for _, v := range n.In {
				a[v] = true
			}
		}
	}
	return a
}
