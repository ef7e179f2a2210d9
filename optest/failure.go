package optest

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"lockstep/data"
	"lockstep/op"
)

// Failure is a result that differs from the law's, or an operand that was overwritten.
type Failure struct {
	Case    *Case
	Packing string
	Cell    int
	What    string   // which array
	Diff    string   // where and how it differs
	Kernels []string // what ran the nodes
	Variant string   // what ran the op itself; empty where its expansion ran
	In      []op.Tensor
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%s\n  in %s, cell %d, run by [%s]\n  %s: %s", f.Case, f.Packing, f.Cell, strings.Join(f.Kernels, ", "), f.What, f.Diff)
}

// shown is the number of differing elements that Diff lists.
const shown = 4

// Diff compares two tensors of one type by bits and says which elements differ; it is empty where none does. In a ternary
// tensor the pads of rows are no elements; the bytes of int8 beyond the last element must be equal, too.
func Diff(got, want op.Tensor) string {
	if got.Type.DType != want.Type.DType || got.Shape != want.Shape || len(got.W) != len(want.W) {
		return fmt.Sprintf("got %s of %d words, want %s of %d", got.Type, len(got.W), want.Type, len(want.W))
	}
	if slices.Equal(got.W, want.W) {
		return ""
	}
	var lines []string
	differ := 0
	for i := range want.Len() {
		g, w := element(got, i), element(want, i)
		if g == w {
			continue
		}
		if differ++; differ > shown {
			continue
		}
		line := fmt.Sprintf("at %v got %08x want %08x", want.Coordinates(i), g, w)
		if want.DType == op.F32 {
			gf, wf := math.Float32frombits(g), math.Float32frombits(w)
			line += fmt.Sprintf(" (%v, %v; %s)", gf, wf, ulps(gf, wf))
		}
		lines = append(lines, line)
	}
	if differ == 0 && want.DType == op.T2 {
		return ""
	}
	if differ == 0 {
		i := 0
		for got.W[i] == want.W[i] {
			i++
		}
		return fmt.Sprintf("all elements are equal, but word %d holds %08x, want %08x, in bytes of none", i, got.W[i], want.W[i])
	}
	return fmt.Sprintf("%d of %d elements differ\n    %s", differ, want.Len(), strings.Join(lines, "\n    "))
}

// element is element i as bits.
func element(t op.Tensor, i int) uint32 {
	switch t.DType {
	case op.I8:
		return uint32(uint8(t.Int8(i)))
	case op.T2:
		return t.Code(i/t.At(-1), i%t.At(-1))
	}
	return t.W[i]
}

// ulps is the number of float32 from a to b, in words.
func ulps(a, b float32) string {
	if a != a || b != b {
		return "NaN"
	}
	rank := func(x float32) int64 {
		u := int64(math.Float32bits(x))
		if u >= 1<<31 {
			return 1<<31 - 1 - u // -0 stands just below +0
		}
		return u
	}
	d := rank(a) - rank(b)
	return fmt.Sprintf("%d ULP", max(d, -d))
}

// Save writes the operands as .npy files to a folder of their own, which git ignores, and returns the command that replays
// the failure, or why there is none.
func (f *Failure) Save(dir string) string {
	base := fmt.Sprintf("%s-%d-%d", f.Case.Op.Name(), f.Case.Seed, f.Cell)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Sprintf("the operands are not saved: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("*\n"), 0o644); err != nil {
		return fmt.Sprintf("the operands are not saved: %v", err)
	}
	var files []string
	for i, t := range f.In {
		if t.DType == op.T2 {
			t = op.UnpackTernary(t)
		}
		path, err := filepath.Abs(filepath.Join(dir, fmt.Sprintf("%s-in%d.npy", base, i)))
		if err == nil {
			err = data.WriteNPY(path, t)
		}
		if err != nil {
			return fmt.Sprintf("the operands are not saved: %v", err)
		}
		files = append(files, path)
	}
	return "replay: " + f.command(files)
}

// command is the command line that runs the failing op on saved operands.
func (f *Failure) command(files []string) string {
	words := []string{"lockstep op run --unchecked"}
	for _, a := range op.Attrs(f.Case.Op) {
		name, _, _ := strings.Cut(a, " ")
		words = append(words, fmt.Sprintf("--attr %s=%s", name, attribute(reflect.ValueOf(f.Case.Op).FieldByName(name).Interface())))
	}
	if engine, _, other := strings.Cut(f.Variant, ":"); other { // a variant of another engine's
		words = append(words, "--device "+engine)
	} else if f.Variant != "" {
		words = append(words, "--variant "+f.Variant)
	}
	want, err := f.Case.Want(nil)
	if err != nil {
		return err.Error()
	}
	for i := range want {
		words = append(words, fmt.Sprintf("-o out%d.npy", i))
	}
	return strings.Join(append(append(words, f.Case.Op.Name()), files...), " ")
}

// attribute writes an attribute as op.WithAttr reads it.
func attribute(v any) string {
	switch v := v.(type) {
	case op.Bits:
		return "0x" + v.String()
	case op.Shape:
		return string(op.List(v.Dims()...))
	}
	return fmt.Sprint(v)
}
