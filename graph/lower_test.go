package graph

import (
	"testing"

	"lockstep/op"
)

// A state is still only if what replaces it is all of itself, and not what merely has its value or its type.
func TestStill(t *testing.T) {
	p, err := Trace(func(b *Builder) {
		zero := b.Fill(0, 2, 3)
		self, view, other, changed := b.State("self", zero, op.Cell), b.State("view", zero, op.Cell), b.State("other", zero, op.Cell), b.State("changed", zero, op.Cell)
		b.Next(self, self)
		b.Next(view, b.Do(op.Reshape{To: op.S(2, 3)}, b.Do(op.Reshape{To: op.S(6)}, view)))
		b.Next(other, self)
		b.Next(changed, b.Do(op.Relu, changed))
	})
	if err != nil {
		t.Fatal(err)
	}
	tape := Lower(p, func(op.Op, []op.Type) bool { return true })
	for i, want := range []bool{true, true, false, false} {
		if s := tape.P.State[i]; tape.Still(s) != want {
			t.Errorf("state %q is still: %v; want %v", s.Name, tape.Still(s), want)
		}
	}
}
