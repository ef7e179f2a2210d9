package op_test

import (
	"regexp"
	"strings"
	"testing"

	"lockstep/op"
)

// TestSource: what a reader must see to know the bits of an op.
func TestSource(t *testing.T) {
	for name, want := range map[string][]string{
		"add":     {"type Binary struct", "func (o Binary) Law(", `add: {"add", func(a, b float32) float32 { return a + b }`},
		"neg":     {`neg:  {"neg", func(x float32) float32 { return -x }`},
		"exp":     {`exp:  {"exp", Exp32,`, "func Exp32(x float32) float32 {", "expTail(r)"},
		"max":     {`max2: {name: "max", law: Max32}`, "func Max32("},
		"gt":      {"func (o Compare) Law(", "func compare[T float32 | uint32 | int32](", "return a > b"},
		"softmax": {"func (o Softmax) Law(", "func (Softmax) Expand("},
		"matmul":  {"func (o MatMul) Law(", "acc = FMA32("},
	} {
		text := lawOf(t, name)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("the law of %s does not show %q:\n%s", name, w, text)
			}
		}
	}
	if text := lawOf(t, "add"); strings.Contains(text, "a * b") {
		t.Errorf("the law of add shows that of mul:\n%s", text)
	}
}

// TestSourceRows: every row of a table stands in the law of its function, and in no other.
func TestSourceRows(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\w+: *\{`)
	for _, o := range op.All {
		want := 0
		switch o.(type) {
		case op.Unary, op.Binary, op.DualMap[op.Unary]: // a dual shows the law of its primal, too
			want = 1
		}
		if text := lawOf(t, o.Name()); len(row.FindAllString(text, -1)) != want {
			t.Errorf("the law of %s shows another number of rows than %d:\n%s", o.Name(), want, text)
		}
	}
}

func lawOf(t *testing.T, name string) string {
	t.Helper()
	o, err := op.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := op.Source(o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
