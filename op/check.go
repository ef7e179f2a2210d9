package op

import (
	"fmt"
	"math/bits"
)

// CheckData tells whether in can be bound as the operands of o for one cell: whether o takes their types and, where o is
// a Checker, their values. The error is a *ShapeError or a *DataError, or names the operand whose words do not fit its type.
func CheckData(o Op, in []Tensor) error {
	if _, err := outputs(o, in); err != nil {
		return err
	}
	of := o
	if d, ok := o.(Twofold); ok { // tangents may be anything
		primal, with := d.Primal()
		of, in = primal, in[:len(in)-bits.OnesCount32(with)]
	}
	if c, ok := of.(Checker); ok {
		err := c.Check(in)
		if e, ok := err.(*DataError); ok {
			e.Op = o
		}
		return err
	}
	return nil
}

// A DataError says which value of an operand an op does not take. In a program such a value is dropped.
type DataError struct {
	Op      Op
	Operand int    // from 0
	At      []int  // coordinates in the operand; none for a scalar
	Value   uint32 // what stands there
	Want    string // what would be right
}

func (e *DataError) Error() string {
	at := ""
	if len(e.At) > 0 {
		at = " at [" + joinInts(e.At) + "]"
	}
	return fmt.Sprintf("%s: operand %d is %d%s; want %s", Describe(e.Op), e.Operand, e.Value, at, e.Want)
}

// checkIndex checks that U32 operand i holds nothing but indices of n places; places names them.
func checkIndex(o Op, in []Tensor, i, n int, places string) error {
	return checkWords(o, in, i, n, fmt.Sprintf("an index below %d, the number of %s", n, places))
}

// checkKlen checks that operand i, where there is one, is a klen of an axis of size k.
func checkKlen(o Op, in []Tensor, i, k int) error {
	if len(in) <= i {
		return nil
	}
	return checkWords(o, in, i, k+1, fmt.Sprintf("a klen of at most %d, the size of its axis", k))
}

// checkWords finds the first word of operand i that is not below the limit.
func checkWords(o Op, in []Tensor, i, limit int, want string) error {
	for j, w := range in[i].W {
		if uint64(w) >= uint64(limit) {
			return &DataError{o, i, in[i].Coordinates(j), w, want}
		}
	}
	return nil
}
