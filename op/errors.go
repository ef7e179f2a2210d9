package op

import (
	"fmt"
	"strings"
)

// A ShapeError says why an op does not take its operands.
type ShapeError struct {
	Op   Op
	In   []Type
	Want string // what would be right
}

func (e *ShapeError) Error() string {
	in := make([]string, len(e.In))
	for i, t := range e.In {
		in[i] = t.DType.String() + t.Shape.String()
	}
	return fmt.Sprintf("%s does not take (%s): want %s", Describe(e.Op), strings.Join(in, ", "), e.Want)
}

func bad(o Op, in []Type, format string, a ...any) error {
	return &ShapeError{o, append([]Type(nil), in...), fmt.Sprintf(format, a...)}
}

// result is the single result type of most ops.
func result(d DType, s Shape) []Type { return []Type{{DType: d, Shape: s}} }

// operands checks the number of operands and their element types.
func operands(o Op, in []Type, want ...DType) error {
	ok := len(in) == len(want)
	for i := 0; ok && i < len(in); i++ {
		ok = in[i].DType == want[i]
	}
	if ok {
		return nil
	}
	names := make([]string, len(want))
	for i, d := range want {
		names[i] = d.String()
	}
	return bad(o, in, "%d operands: (%s)", len(want), strings.Join(names, ", "))
}

// isAxis tells whether a is an axis of s.
func isAxis(a int, s Shape) bool { return a >= 0 && a < int(s.Rank) }

// isScalar tells whether t is one U32, as klen, positions and step numbers are.
func isScalar(t Type) bool { return t.DType == U32 && t.Rank == 0 }
