// Package op holds the law: what each operation computes, in which order it rounds, and how it is differentiated.
//
// An op is a comparable Go value: its kind is its Go type, its attributes are its fields. It sees ONE cell; the leading
// cell axis of a pack belongs to the engines. Each file holds one op: shape rule, law, JVP rule, VJP rule. A law is plain
// Go for reading; its doc comment is the loop and its order. It is never optimised: the fast twins live in the engines
// and are held against it, bit for bit, by package optest.
//
// The text behind the laws is docs/NUMERICS.md. Package op imports nothing of lockstep.
package op

// Version is the version of the law. It stands in every result; a change of any bit of any op is a new version.
const Version = 1

// Class says how much of an op's order is fixed.
type Class uint8

const (
	// Ordered ops round float32 in one declared order.
	Ordered Class = iota
	// Exact ops have one result whatever the order: integers, copies, single roundings.
	Exact
)

func (c Class) String() string {
	if c == Exact {
		return "exact"
	}
	return "ordered"
}

// Op is a primitive operation on the tensors of one cell. It is a comparable value.
type Op interface {
	// Name is the op's name in programs, on the command line and in error messages; lower case.
	Name() string
	// Class tells whether the bits depend on a declared order.
	Class() Class
	// Shape is the only argument check: the types of the results for operands of the types in, or an error that
	// says what was wrong and what would be right. The Domain of the results is set by whoever builds the program.
	Shape(in []Type) ([]Type, error)
	// Law computes out from in. The caller has checked the types with Shape and allocated out; out never overlaps in.
	// Float operands hold no NaN but the canonical one, and so do the results.
	Law(out, in []Tensor)
	// JVP emits the tangents of n's results for the operands' tangents (0 is the symbolic zero, in and out).
	JVP(e Emitter, n Node, tangents []Value) []Value
	// VJP emits the cotangents of n's operands for the results' cotangents (0 is the symbolic zero, in and out).
	VJP(e Emitter, n Node, cotangents []Value) []Value
}

// Value numbers a tensor of a program. Value 0 is the symbolic zero: a tangent or cotangent that is known to vanish.
type Value int32

// Node is one op in a program, with its operands and results.
type Node struct {
	Op      Op
	In, Out []Value
}

// Emitter appends ops to a program; derivative rules and composites write through it. A misuse ends the trace with an
// error at its root (see graph.Trace), so rules need no error paths.
type Emitter interface {
	Emit(o Op, in ...Value) []Value
	Type(v Value) Type
	// Fail ends the trace with err.
	Fail(err error)
}

// Pointwise is an op whose operands and results have one shape, and in which element i of the results hangs on the elements i of
// the operands alone: engines may run it a part at a time, and chains of them part by part.
type Pointwise interface {
	Op
	Pointwise()
}

// Mapper is a pointwise op on float32 by a function of numbers: what a tape interpreter needs.
type Mapper interface {
	Pointwise
	// Arity is the number of operands.
	Arity() int
	// Scalar is the law of one element; NaNs in its result need not be canonical.
	Scalar(x []float32) float32
}

// Composite is an op whose bits are, by definition, the bits of its expansion. An engine may run it as one fused kernel
// with the same bits; an engine that has none runs the expansion.
type Composite interface {
	Op
	Expand(e Emitter, in []Value) []Value
}

// Checker is an op that does not take every value of its integer operands: indices lie in their table or axis, labels below
// the number of classes, klen is at most the size of its axis. It must hold when data are bound, which CheckData tells; what
// a program computes is not looked at, and the law and the engines drop the entries for which it does not hold.
type Checker interface {
	Op
	// Check is nil or a *DataError. The caller has checked the types of in with Shape.
	Check(in []Tensor) error
}

// one emits an op with a single result.
func one(e Emitter, o Op, in ...Value) Value { return e.Emit(o, in...)[0] }
