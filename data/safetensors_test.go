package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"lockstep/op"
)

// safeFile is a file of two tensors, f32[2, 3] and u32[2], whose bytes are 0, 1, 2, ...
func safeFile(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	tensors := []Tensor{{"a", op.F32, []int{2, 3}}, {"n", op.U32, []int{2}}}
	next := byte(0)
	err := WriteTensors(&b, tensors, map[string]string{"what": "a test"}, func(t Tensor, w io.Writer) error {
		for range t.Bytes() {
			if _, err := w.Write([]byte{next}); err != nil {
				return err
			}
			next++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSafetensors(t *testing.T) {
	b := safeFile(t)
	x, err := ReadTensors("x", bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := x.Get("a"); !ok || a.DType != op.F32 || fmt.Sprint(a.Shape) != "[2 3]" || x.Meta["what"] != "a test" {
		t.Errorf("tensor a is %+v, the meta data are %v", a, x.Meta)
	}
	row := make([]byte, 12)
	if err := x.ReadAt("a", 12, row); err != nil || row[0] != 12 || row[11] != 23 {
		t.Errorf("row 1 is %v, %v", row, err)
	}
	if err := x.ReadAt("n", 0, row[:8]); err != nil || row[0] != 24 {
		t.Errorf("n is %v, %v", row[:8], err)
	}
	if all, err := io.ReadAll(x.Elements()); err != nil || len(all) != 32 || all[31] != 31 {
		t.Errorf("%d bytes of elements, %v", len(all), err)
	}
	if (binary.LittleEndian.Uint64(b)+8)%8 != 0 {
		t.Error("the elements are not aligned to 8 bytes")
	}
	for _, from := range []int64{-1, 4, 24, math.MaxInt64} {
		if err := x.ReadAt("n", from, row[:8]); err == nil || !strings.Contains(err.Error(), "has no 8 bytes") {
			t.Errorf("8 bytes of n from %d on: %v", from, err)
		}
	}
	if err := x.ReadAt("m", 0, nil); err == nil {
		t.Error("a tensor that is not there: no error")
	}
}

// A file that a reader other than ours has shown to be right (safetensors 0.4 for Python): the layout is the format's.
func TestSafetensorsLayout(t *testing.T) {
	b := safeFile(t)
	want := `{"__metadata__":{"what":"a test"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"n":{"dtype":"U32","shape":[2],"data_offsets":[24,32]}}`
	n := binary.LittleEndian.Uint64(b)
	if got := strings.TrimRight(string(b[8:8+n]), " "); got != want || len(b) != int(8+n+32) {
		t.Errorf("header %s", got)
	}
}

func TestSafetensorsErrors(t *testing.T) {
	file := func(header string, elements int) []byte {
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		return append(append(b, header...), make([]byte, elements)...)
	}
	one := func(entry string) []byte { return file(`{"a":`+entry+`}`, 8) }
	good := safeFile(t)
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":            {nil, "has 0 bytes"},
		"seven bytes":      {make([]byte, 7), "has 7 bytes"},
		"a long header":    {binary.LittleEndian.AppendUint64(nil, 1<<63), "at most"},
		"a cut header":     {good[:20], "12 follow"},
		"no JSON":          {file("{", 8), "no JSON"},
		"a list":           {file("[]", 8), "no JSON"},
		"meta numbers":     {file(`{"__metadata__":{"a":3}}`, 0), "__metadata__"},
		"another dtype":    {one(`{"dtype":"F64","shape":[1],"data_offsets":[0,8]}`), "F64"},
		"a negative shape": {one(`{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}`), "[-2]"},
		"a huge shape":     {one(`{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}`), "shape"},
		"a lying shape":    {one(`{"dtype":"F32","shape":[3],"data_offsets":[0,8]}`), "takes 12 bytes"},
		"far offsets":      {one(`{"dtype":"F32","shape":[2],"data_offsets":[8,16]}`), "8 in all"},
		"turned offsets":   {one(`{"dtype":"F32","shape":[0],"data_offsets":[8,4]}`), "data_offsets"},
		"a gap":            {one(`{"dtype":"F32","shape":[1],"data_offsets":[4,8]}`), "gap"},
		"an overlap":       {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "overlap"},
		"bytes behind":     {append(good, 0), "33"},
		"bytes missing":    {good[:len(good)-1], "there are 31"},
	} {
		if _, err := ReadTensors("the file", bytes.NewReader(c.b), int64(len(c.b))); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "the file") {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	quiet := func(Tensor, io.Writer) error { return nil }
	for name, tensors := range map[string][]Tensor{
		"a name twice":    {{"a", op.F32, []int{0}}, {"a", op.F32, []int{0}}},
		"the meta's name": {{safeMeta, op.F32, []int{0}}},
		"a bool":          {{"a", op.Bool, []int{0}}},
		"too few bytes":   {{"a", op.F32, []int{1}}},
	} {
		if err := WriteTensors(io.Discard, tensors, nil, quiet); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	full := errors.New("full")
	if err := WriteTensors(io.Discard, []Tensor{{"a", op.F32, []int{1}}}, nil, func(Tensor, io.Writer) error { return full }); !errors.Is(err, full) {
		t.Errorf("an error of fill: %v", err)
	}
}

func FuzzSafetensors(f *testing.F) {
	f.Add(safeFile(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := ReadTensors("x", bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		sum := int64(0)
		for name := range x.all {
			s, ok := x.Get(name)
			if !ok {
				t.Fatalf("tensor %q cannot be got", name)
			}
			sum += s.Bytes()
			if err := x.ReadAt(name, 0, make([]byte, s.Bytes())); err != nil {
				t.Fatalf("tensor %q: %v", name, err)
			}
		}
		if all, err := io.ReadAll(x.Elements()); err != nil || int64(len(all)) != sum {
			t.Fatalf("%d bytes of elements, %v; the tensors have %d", len(all), err, sum)
		}
	})
}
