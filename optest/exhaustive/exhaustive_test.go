package exhaustive

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/op"
)

// Every op of op.All that maps each element of one 32-bit operand by itself, and is no copy, is a function.
func TestFunctionsAreAll(t *testing.T) {
	listed := map[string]bool{}
	for _, f := range Functions() {
		if listed[f.String()] {
			t.Errorf("%s is listed twice", f)
		}
		listed[f.String()] = true
	}
	for _, o := range op.All {
		for _, in := range []op.DType{op.F32, op.U32, op.I32} {
			for _, to := range []op.DType{op.F32, op.U32, op.I32, op.I8} {
				o := o
				if _, ok := o.(op.Cast); ok {
					o = op.Cast{To: to}
				}
				if out, ok := elementwise(o, in); ok && !listed[Function{o, in, out}.String()] {
					t.Errorf("%s of %s is elementwise, and not among the functions", op.Describe(o), in)
				}
			}
		}
	}
}

// elementwise tells whether an op takes one operand of type in, maps each element by itself, and is not the identity.
func elementwise(o op.Op, in op.DType) (out op.DType, ok bool) {
	x := op.Words32(in, op.S(3), 0x40000000, 0x41200000, 0xc0400000)
	y, err := op.Run(o, x)
	if err != nil || len(y) != 1 || y[0].Shape != x.Shape {
		return 0, false
	}
	swapped := op.Words32(in, op.S(3), x.W[1], x.W[0], 0x3f800000)
	z, err := op.Run(o, swapped)
	if err != nil || element(y[0], 0) != element(z[0], 1) || element(y[0], 1) != element(z[0], 0) {
		return 0, false
	}
	return y[0].DType, y[0].DType != in || !slices.Equal(y[0].W, x.W)
}

// The laws have the committed digests in a few blocks.
func TestLawOnFewBlocks(t *testing.T) {
	all := committed(t)
	for _, f := range Functions() {
		sums, ok := all[f.String()]
		if !ok {
			t.Errorf("digests.txt has no digest of %s: make exhaustive-digests", f)
		}
		for _, b := range few {
			if ok && markOf(sha256.Sum256(op.Bytes(f.Law(b)))) != sums.Blocks[b] {
				t.Errorf("%s: block %03x differs from blocks.gz", f, b)
			}
		}
	}
}

func TestSample(t *testing.T) {
	if s := Sample(Blocks); s != nil {
		t.Errorf("a sample of all blocks has %d", len(s))
	}
	for _, n := range []int{1, 3, 64, Blocks - 1} {
		s := Sample(n)
		if !slices.IsSorted(s) || len(s) < n || len(s) > n+16 || s[len(s)-1] >= Blocks {
			t.Errorf("%d blocks: %v", n, s)
		}
		// zeros, subnormals up to the largest, the smallest normal, ones, the largest, infinities, NaNs, of both signs
		for _, x := range []uint32{0, 1, 0x7fffff, 0x800000, 0x3f7fffff, 0x3f800000, 0x7f7fffff, 0x7f800000, 0x7fc00000, 0x7fffffff} {
			for _, sign := range []uint32{0, 1 << 31} {
				if _, ok := slices.BinarySearch(s, int((x|sign)/BlockLen)); !ok && x != 0x7fc00000 {
					t.Errorf("%d blocks: %08x is not among the inputs", n, x|sign)
				}
			}
		}
	}
	if s := Sample(64); s[0] != 0 || !slices.Contains(s, 65) || !slices.Contains(s, 63*65) {
		t.Errorf("64 blocks: %v", s)
	}
}

func TestDigestsReadBack(t *testing.T) {
	dir := t.TempDir()
	want := map[string]Sums{}
	for i, f := range Functions()[:3] {
		s := Sums{All: sha256.Sum256([]byte{byte(i)})}
		for b := range s.Blocks {
			s.Blocks[b] = mark{byte(i), byte(b >> 8), byte(b), 7}
		}
		want[f.String()] = s
	}
	if err := write(dir, want); err != nil {
		t.Fatal(err)
	}
	content := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	digests, blocks := content("digests.txt"), content("blocks.gz")
	got, err := read(digests, blocks)
	if err != nil || len(got) != 3 {
		t.Fatalf("%d functions, %v", len(got), err)
	}
	for name, s := range want {
		if got[name] != s {
			t.Errorf("%s is read as another one", name)
		}
	}
	lines := bytes.SplitAfter(digests, []byte("\n"))
	if got, err = read(bytes.Replace(digests, lines[1], nil, 1), blocks); err != nil || len(got) != 2 {
		t.Errorf("without the line of one function: %d functions, %v", len(got), err)
	}
	for what, c := range map[string]struct {
		digests, blocks []byte
		says            string
	}{
		"another law":     {bytes.Replace(digests, []byte("law 1"), []byte("law 0"), 1), blocks, `want "law 1"`},
		"a short digest":  {bytes.Replace(digests, lines[1], lines[1][:len(lines[1])-3], 1), blocks, "64 hexadecimal"},
		"a line too many": {append(slices.Clone(digests), "gelu "+string(lines[1][4:])...), blocks, "no list for gelu"},
		"a cut-off gzip":  {digests, blocks[:len(blocks)/2], "unexpected EOF"},
		"no gzip":         {digests, []byte("x"), "blocks.gz"},
	} {
		if _, err := read(c.digests, c.blocks); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want an error that says %s", what, err, c.says)
		}
	}
}
