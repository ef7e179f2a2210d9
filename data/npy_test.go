package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/op"
)

// npy makes a file of version 1.0 with the given header, unchecked.
func npy(header string, body ...byte) []byte {
	b := append([]byte(npyMagic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	return append(append(b, header...), body...)
}

func header(descr, order, shape string) string {
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, order, shape)
}

// numpyFile is what numpy.save writes for numpy.array([[1, -2.5, 3e-45]], '<f4').
var numpyFile = "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }" +
	strings.Repeat(" ", 58) + "\n\x00\x00\x80\x3f\x00\x00\x20\xc0\x02\x00\x00\x00"

func TestNPYGolden(t *testing.T) {
	x, err := DecodeNPY("golden", []byte(numpyFile))
	if err != nil {
		t.Fatal(err)
	}
	want := op.Float32s(op.S(1, 3), 1, -2.5, math.Float32frombits(2))
	if x.Type != want.Type || !slices.Equal(x.W, want.W) {
		t.Errorf("read %v %08x; want %v %08x", x.Type, x.W, want.Type, want.W)
	}
	b, err := EncodeNPY(want)
	if err != nil || string(b) != numpyFile {
		t.Errorf("wrote %q, %v; want %q", b, err, numpyFile)
	}
}

// TestNPYVersion2 and the spellings that other writers use.
func TestNPYForms(t *testing.T) {
	v1 := npy(header("<u4", "False", "(2,)"), 1, 0, 0, 0, 2, 0, 0, 0)
	v2 := slices.Concat(v1[:6], []byte{2, 0}, v1[8:10], []byte{0, 0}, v1[10:])
	for name, b := range map[string][]byte{
		"version 2":     v2,
		"double quotes": npy(`{"shape":(2),"descr":"<u4","fortran_order":False}`, v1[len(v1)-8:]...),
		"no newline":    npy("{'descr': '<u4', 'fortran_order': False, 'shape': (2,)}", v1[len(v1)-8:]...),
	} {
		x, err := DecodeNPY(name, b)
		if err != nil || !slices.Equal(x.W, []uint32{1, 2}) || x.Shape != op.S(2) || x.DType != op.U32 {
			t.Errorf("%s: %v %v, %v", name, x.Type, x.W, err)
		}
	}
}

// TestNPYWide: numpy's own integers, where they fit.
func TestNPYWide(t *testing.T) {
	for descr, want := range map[string]op.Tensor{
		"<i8": op.Words32(op.I32, op.S(2), 7, 0x80000000),
		"<u8": op.Words32(op.U32, op.S(2), 7, 0x80000000),
	} {
		sign := byte(0)
		if descr == "<i8" {
			sign = 255
		}
		got, err := DecodeNPY("a.npy", npy(header(descr, "False", "(2,)"), 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, sign, sign, sign, sign))
		if err != nil || got.Type != want.Type || !slices.Equal(got.W, want.W) {
			t.Errorf("%s: %v, error %v; want %v", descr, got, err, want)
		}
	}
}

func tensors() []op.Tensor {
	var ts []op.Tensor
	for _, d := range []op.DType{op.F32, op.U32, op.I32, op.Bool, op.I8} {
		for _, s := range []op.Shape{op.S(), op.S(0), op.S(5), op.S(2, 3), op.S(1, 2, 1, 3, 1, 2), op.S(7, 0, 2)} {
			x := op.New(op.Type{DType: d, Shape: s})
			for i := range x.Len() {
				switch d {
				case op.Bool:
					x.W[i] = uint32(i % 2)
				case op.I8:
					x.SetInt8(i, int8(40*i-128))
				case op.F32:
					x.SetF(i, float32(i)-1.5)
				default:
					x.W[i] = 0x80000001 + uint32(i)
				}
			}
			ts = append(ts, x)
		}
	}
	return ts
}

func TestNPYRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npy")
	for _, x := range tensors() { // one path: each write replaces the last
		if err := WriteNPY(path, x); err != nil {
			t.Fatal(err)
		}
		y, err := ReadNPY(path)
		if err != nil || y.Type != x.Type || !slices.Equal(y.W, x.W) {
			t.Errorf("wrote %v %x; read %v %x, %v", x.Type, x.W, y.Type, y.W, err)
		}
		if b, _ := os.ReadFile(path); bytes.IndexByte(b, '\n') != 127 && bytes.IndexByte(b, '\n') != 63 {
			t.Errorf("%v: the header ends at byte %d; want 63 or 127", x.Type, bytes.IndexByte(b, '\n'))
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("%d files; want 1", len(left))
	}
}

func TestNPYCanonicalNaN(t *testing.T) {
	x, err := DecodeNPY("nan", npy(header("<f4", "False", "(2,)"), 1, 0, 0x80, 0xff, 0, 0, 0x80, 0xff))
	if err != nil || x.W[0] != op.NaN || x.W[1] != 0xff800000 {
		t.Errorf("got %08x, %v; want the canonical NaN and -Inf kept", x.W, err)
	}
}

// TestNPYDamaged: each damaged file, the offset of the first wrong byte, and what the error must say.
func TestNPYDamaged(t *testing.T) {
	good := header("<f4", "False", "(2,)")
	for _, c := range []struct {
		file   []byte
		offset int
		want   string
	}{
		{nil, 0, "an empty file"},
		{[]byte("PK\x03\x04"), 0, `"PK\x03\x04"; expected the magic`},
		{[]byte("\x93NUM"), 0, "expected the magic"},
		{[]byte(npyMagic + "\x01\x00\x10"), 9, "the file ends; expected version and header length"},
		{[]byte(npyMagic + "\x02\x00\x10\x00\x00"), 11, "a header length of four bytes"},
		{[]byte(npyMagic + "\x03\x00\x10\x00\x00\x00"), 6, "version 3.0; expected version 1.0 or 2.0"},
		{npy(good)[:20], 8, "but 10 bytes follow; expected a whole header"},
		{[]byte(npyMagic + "\x02\x00\xff\xff\xff\xff{}"), 8, "a header of 4294967295 bytes"},
		{npy(""), 10, "the header ends; expected {"},
		{npy("[1]"), 10, `"[1]"; expected {`},
		{npy("{}"), 12, "the header ends without descr"},
		{npy("{'descr': '<f4', 'shape': (2,)}"), 41, "the header ends without fortran_order"},
		{npy("{'descr': '<f4', 'descr': '<f4'}"), 27, "key 'descr' a second time"},
		{npy("{'order': 'C'}"), 11, `key "order"; expected descr`},
		{npy("{'descr': '<f4' 'shape'}"), 26, "expected a comma or }"},
		{npy("{'descr': '<f4"), 20, "a string without an end"},
		{npy("{descr: 1}"), 11, "expected a quoted string"},
		{npy("{'descr' '<f4'}"), 19, "expected :"},
		{npy(header("<f8", "False", "(2,)")), 20, `elements of type "<f8"; expected one of <f4, <u4, <i4, |b1, |i1, <u8, <i8: convert with numpy.save(path, a.astype('<f4'))`},
		{npy(header(">i8", "False", "(2,)")), 20, "a.astype('<i4')"},
		{npy(header("<i8", "False", "(2,)"), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0), 76, "a number of more than 32 bits, element 1"},
		{npy(header("<u8", "False", "(1,)"), 0, 0, 0, 0, 1, 0, 0, 0), 68, "a number of more than 32 bits, element 0"},
		{npy(header("<u8", "False", "(1,)"), 255, 255, 255, 255, 255, 255, 255, 255), 68, "a number of more than 32 bits, element 0"},
		{npy(header(">u4", "False", "(2,)")), 20, "a.astype('<u4')"},
		{npy(header("|O", "False", "(2,)")), 20, `elements of type "|O"`},
		{npy(header("<f4", "True", "(2,)"), make([]byte, 8)...), 44, "Fortran order; expected C order: numpy.save(path, numpy.ascontiguousarray(a))"},
		{npy(header("<f4", "Maybe", "(2,)")), 44, "expected True or False"},
		{npy(header("<f4", "False", "[2]")), 60, "expected ("},
		{npy(header("<f4", "False", "(-2,)")), 61, "expected a size of 0 or more"},
		{npy(header("<f4", "False", "(2.5,)")), 62, "expected a comma or )"},
		{npy(header("<f4", "False", "(2147483648,)")), 61, "expected a size of 0 to 2^31 - 1"},
		{npy(header("<f4", "False", "(1,1,1,1,1,1,1)")), 73, "more than 6 axes"},
		{npy(header("<f4", "False", "(2,")), 63, "expected a size of 0 or more"},
		{npy(strings.TrimSpace(good)+"x", make([]byte, 8)...), 67, "nothing but spaces"},
		{npy(good, 1, 2, 3, 4, 5, 6, 7), 75, "the file ends after 7 bytes of elements; expected elements of shape [2], 4 bytes each"},
		{npy(good, make([]byte, 9)...), 76, "1 bytes more; expected the end of the file after 8 bytes"},
		{npy(header("<f4", "False", "(2147483647, 2147483647, 2147483647, 2147483647)"), 1, 2, 3, 4), 116, "the file ends after 4 bytes"},
		{npy(header("<f4", "False", "(2147483647, 2147483647, 0)"), 1), 91, "1 bytes more"},
		{npy(header("|b1", "False", "(2,)"), 1, 2), 69, "a bool of value 2; expected 0 or 1"},
	} {
		_, err := DecodeNPY("a.npy", c.file)
		var e *FileError
		if !errors.As(err, &e) {
			t.Errorf("%q: got %v; want a FileError with %q", c.file, err, c.want)
		} else if !strings.Contains(err.Error(), c.want) || e.Offset != c.offset || e.File != "a.npy" {
			t.Errorf("%q: got %v; want byte %d and %q", c.file, err, c.offset, c.want)
		}
	}
}

func TestNPYFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadNPY(dir); err == nil || !strings.Contains(err.Error(), "it is a directory") {
		t.Errorf("directory: got %v", err)
	}
	if _, err := ReadNPY(filepath.Join(dir, "none.npy")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: got %v", err)
	}
	if err := WriteNPY(filepath.Join(dir, "none", "x.npy"), op.Float32s(op.S(1), 1)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: got %v", err)
	}
	if err := WriteNPY(filepath.Join(dir, "t2.npy"), op.New(op.T(op.T2, op.Shared, 64))); err == nil || !strings.Contains(err.Error(), "no element type for t2") {
		t.Errorf("ternary: got %v", err)
	}
	target := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(target, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := WriteNPY(target, op.Float32s(op.S(1), 1)); err == nil {
		t.Error("a file took the place of a folder")
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("a failed write left %v", left)
	}
}

// spy is a file that counts the bytes that are asked of it.
type spy struct {
	io.ReaderAt
	asked int
}

func (s *spy) ReadAt(b []byte, at int64) (int, error) {
	s.asked += len(b)
	return s.ReaderAt.ReadAt(b, at)
}

// What is no NPY file, or not as long as its header says, is not read: it may be larger than memory. Nor is what has no end.
func TestNPYIsJudgedFirst(t *testing.T) {
	head := header("<f4", "False", "(1000, 1000)")
	end := len(npy(head))
	v2 := slices.Concat([]byte(npyMagic), []byte{2, 0}, []byte{1, 0, 16, 0}, make([]byte, 1<<20+1))
	for _, c := range []struct {
		begin      []byte
		size, free int64
		asked      int // of the file, at most
		offset     int
		want       string
	}{
		{[]byte("no array, but something else"), 1 << 40, 1 << 50, 12, 0, `"no arr"; expected the magic`},
		{npy(head), 1 << 40, 1 << 50, end + 12, end + 4_000_000, "bytes more; expected the end of the file after 4000000 bytes of elements of shape [1000 1000]"},
		{npy(head), int64(end) + 3_999_999, 1 << 50, end + 12, end + 3_999_999, "the file ends after 3999999 bytes of elements; expected elements of shape [1000 1000], 4 bytes each"},
		{npy(head), int64(end) + 4_000_000, 3_999_999, end + 12, end, "elements of shape [1000 1000], which take 4 MB of memory; expected at most the 3 MB that are free"},
		{npy(header("|b1", "False", "(1000000,)")), int64(len(npy(header("|b1", "False", "(1000000,)")))) + 1_000_000, 3_999_999, 200, len(npy(header("|b1", "False", "(1000000,)"))), "which take 4 MB"},
		{npy(head), int64(end) + 4_000_000, 4_000_000, end + 12 + 1<<16, end, fmt.Sprintf("the file ends; expected the %d bytes that it had when it was opened", end+4_000_000)},
		{v2, 1 << 40, 1 << 50, 12, 8, "a header of 1048577 bytes; expected at most 1048576"},
	} {
		f := &spy{bytes.NewReader(c.begin), 0}
		_, err := decodeNPY("a.npy", f, c.size, c.free)
		if e, ok := errors.AsType[*FileError](err); !ok || e.Offset != c.offset || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v; want byte %d and %q", err, c.offset, c.want)
		}
		if f.asked > c.asked {
			t.Errorf("%q: %d bytes were read; want at most %d", c.want, f.asked, c.asked)
		}
	}
	bad := errors.New("a bad sector")
	for _, good := range []int64{0, int64(end)} { // bytes that can be read
		f := failsFrom{npy(head, make([]byte, 4_000_000)...), good, bad}
		if _, err := decodeNPY("a.npy", f, int64(end)+4_000_000, 1<<50); !errors.Is(err, bad) || !strings.HasPrefix(err.Error(), fmt.Sprintf("a.npy: byte %d: ", good)) {
			t.Errorf("the disk fails from byte %d on: got %v", good, err)
		}
	}
}

// failsFrom is a file of which some of the bytes cannot be read.
type failsFrom struct {
	b    []byte
	from int64
	err  error
}

func (f failsFrom) ReadAt(b []byte, at int64) (int, error) {
	if at+int64(len(b)) > f.from {
		return copy(b, f.b[at:max(at, f.from)]), f.err
	}
	return copy(b, f.b[at:]), nil
}

// More elements than are read at a time.
func TestNPYLong(t *testing.T) {
	for _, x := range []op.Tensor{op.New(op.T(op.U32, op.Shared, 100_003)), op.New(op.T(op.I8, op.Shared, 70_001)), op.New(op.T(op.Bool, op.Shared, 65_536))} {
		for i := range x.W {
			x.W[i] = uint32(i) * 2654435761
			if x.DType == op.Bool {
				x.W[i] >>= 31
			}
		}
		if x.DType == op.I8 { // what lies behind the last element is 0
			x.W[len(x.W)-1] &= 0xff
		}
		b, err := EncodeNPY(x)
		if err != nil {
			t.Fatal(err)
		}
		if y, err := DecodeNPY("long", b); err != nil || y.Type != x.Type || !slices.Equal(y.W, x.W) {
			t.Errorf("%v: read %v, %v; another content", x.Type, y.Type, err)
		}
	}
}

// What is no regular file is opened by no reader: to open a pipe is to wait, and a device has no end.
func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	readers := map[string]func(string) error{
		"an NPY file":        func(p string) error { _, err := ReadNPY(p); return err },
		"an IDX file":        func(p string) error { _, err := readIDX(p, 1); return err },
		"a safetensors file": func(p string) error { _, err := OpenTensors(p); return err },
	}
	for what, read := range readers {
		for path, got := range map[string]string{dir: "it is a directory", os.DevNull: "it is a device or a pipe"} {
			want := fmt.Sprintf("%s: byte 0: %s; expected %s", path, got, what)
			if err := read(path); err == nil || err.Error() != want {
				t.Errorf("got %v; want %s", err, want)
			}
		}
		if err := read(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s that is not there: got %v", what, err)
		}
	}
}

// FuzzNPY: no input panics or costs more memory than a small multiple of its size, and what is read is read again from
// what is written.
func FuzzNPY(f *testing.F) {
	f.Add([]byte(numpyFile))
	f.Add(npy(header("|i1", "False", "()"), 200))
	f.Add(npy(header("<f4", "False", "(2147483647, 2147483647, 2147483647)"), 1))
	for _, x := range tensors() {
		b, err := EncodeNPY(x)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := DecodeNPY("fuzz", b)
		if err != nil {
			return
		}
		if len(x.W) > len(b) {
			t.Fatalf("%d words from %d bytes", len(x.W), len(b))
		}
		again, err := EncodeNPY(x)
		if err != nil {
			t.Fatal(err)
		}
		y, err := DecodeNPY("again", again)
		if err != nil || y.Type != x.Type || !slices.Equal(y.W, x.W) {
			t.Fatalf("read %v %x, then %v %x, %v", x.Type, x.W, y.Type, y.W, err)
		}
	})
}
