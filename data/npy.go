package data

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"lockstep/internal/files"
	"lockstep/internal/memory"
	"lockstep/op"
)

// NPY files, versions 1.0 and 2.0 (numpy.lib.format): six bytes of magic, two of version, the header's length (u16 or
// u32, little endian), the header - a Python dict of descr, fortran_order and shape, filled with spaces - then the elements.
const npyMagic = "\x93NUMPY"

// npyTypes: the element types that are read, and written as the first of their kind; one line per entry. Wider floats and big-endian types are
// refused with the conversion to make, because a conversion is a rounding, which is the user's to choose.
var npyTypes = []struct {
	descr string
	dtype op.DType
	bytes int // of one element in the file
}{
	{"<f4", op.F32, 4},
	{"<u4", op.U32, 4},
	{"<i4", op.I32, 4},
	{"|b1", op.Bool, 1},
	{"|i1", op.I8, 1},
	{"<u8", op.U32, 8}, // of numbers that fit: no rounding
	{"<i8", op.I32, 8},
}

// npyMost bounds a header in bytes: those of six axes have some 128.
const npyMost = 1 << 20

// ReadNPY reads a tensor from an NPY file of little-endian f4, u4, i4, b1 or i1, or of u8 or i8 whose numbers fit 32 bits, in C order, of up to six axes. Every NaN
// becomes the canonical one. Errors: those of the file system, and FileError. A file that is not what its header says costs
// no more memory than its header.
func ReadNPY(path string) (op.Tensor, error) {
	f, size, err := openFile(path, "an NPY file")
	if err != nil {
		return op.Tensor{}, err
	}
	defer f.Close()
	return decodeNPY(path, f, size, memory.Available())
}

// DecodeNPY is ReadNPY on the bytes b of a file; name stands in errors.
func DecodeNPY(name string, b []byte) (op.Tensor, error) {
	return decodeNPY(name, bytes.NewReader(b), int64(len(b)), math.MaxInt64)
}

// decodeNPY reads a file of so many bytes; its tensor may take free bytes of memory.
func decodeNPY(name string, f io.ReaderAt, size, free int64) (op.Tensor, error) {
	r := npyReader{name: name, f: f, size: int(size)}
	head := r.header()
	if r.err != nil {
		return op.Tensor{}, r.err
	}
	kind := op.Type{DType: head.dtype, Shape: op.S(head.shape...)}
	if need := 4 * int64(kind.Words()); need > free {
		return op.Tensor{}, r.fail(head.end, fmt.Sprintf("elements of shape %v, which take %d MB of memory", head.shape, need/1e6),
			fmt.Sprintf("at most the %d MB that are free", free/1e6))
	}
	t := op.New(kind)
	all := t.Len()
	buf := make([]byte, min(1<<16, all*head.bytes)) // whole elements
	for i := 0; i < all; {
		body := buf[:min(len(buf), (all-i)*head.bytes)]
		if !r.read(body, head.end+i*head.bytes) {
			return op.Tensor{}, r.err
		}
		for ; len(body) > 0; i, body = i+1, body[head.bytes:] {
			switch head.dtype {
			case op.Bool:
				if body[0] > 1 {
					return op.Tensor{}, r.fail(head.end+i, fmt.Sprintf("a bool of value %d", body[0]), "0 or 1")
				}
				t.W[i] = uint32(body[0])
			case op.I8:
				t.SetInt8(i, int8(body[0]))
			default:
				t.W[i] = binary.LittleEndian.Uint32(body)
				if head.bytes == 8 {
					if n := int64(binary.LittleEndian.Uint64(body)); head.dtype == op.I32 && n != int64(int32(n)) || head.dtype == op.U32 && n != int64(uint32(n)) {
						return op.Tensor{}, r.fail(head.end+8*i, fmt.Sprintf("a number of more than 32 bits, element %d", i), "numbers that fit 32 bits")
					}
				}
			}
		}
	}
	if head.dtype == op.F32 {
		op.Canonical(t.W)
	}
	return t, nil
}

// EncodeNPY is the content of the version 1.0 file that numpy writes for the tensor. Error: an element type that NPY
// lacks (t2: unpack it first).
func EncodeNPY(t op.Tensor) ([]byte, error) {
	for _, k := range npyTypes {
		if k.dtype != t.DType {
			continue
		}
		shape := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(t.Dims()), "[]")), ", ")
		if t.Rank == 1 {
			shape += "," // a Python tuple of one
		}
		head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", k.descr, shape)
		const fixed = len(npyMagic) + 2 + 2
		pad := 63 - (fixed+len(head))%64 // the elements start at a multiple of 64, after a newline
		head += strings.Repeat(" ", pad) + "\n"
		b := append([]byte(npyMagic), 1, 0)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(head)))
		b = append(b, head...)
		for i := range t.Len() {
			switch k.dtype {
			case op.Bool:
				b = append(b, byte(t.W[i]))
			case op.I8:
				b = append(b, byte(t.Int8(i)))
			default:
				b = binary.LittleEndian.AppendUint32(b, t.W[i])
			}
		}
		return b, nil
	}
	return nil, fmt.Errorf("npy: no element type for %s; cast it to f32, u32, i32, bool or i8", t.DType)
}

// WriteNPY writes the tensor to an NPY file; a write that fails leaves what was there.
func WriteNPY(path string, t op.Tensor) error {
	b, err := EncodeNPY(t)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return files.WriteWhole(path, b)
}

// npyHeader is what a file's header says; the elements are bytes [end, end + elements * bytes) of the file.
type npyHeader struct {
	dtype op.DType
	bytes int // of an element
	shape []int
	end   int
}

// npyReader walks the header; it stops at its first error.
type npyReader struct {
	name string
	f    io.ReaderAt
	size int    // of the file
	b    []byte // its beginning: all of the header, once the preamble is read
	at   int    // the next byte
	end  int    // of the header
	err  error
}

// read fills b with the bytes of the file from at on, which are there by its size.
func (r *npyReader) read(b []byte, at int) bool {
	n, err := r.f.ReadAt(b, int64(at))
	switch {
	case n == len(b):
		return true
	case err == io.EOF:
		r.fail(at+n, "the file ends", fmt.Sprintf("the %d bytes that it had when it was opened", r.size))
	case r.err == nil:
		r.err = fmt.Errorf("%s: byte %d: %w", r.name, at+n, err)
	}
	return false
}

func (r *npyReader) fail(at int, got, want string) error {
	if r.err == nil {
		r.err = &FileError{r.name, at, got, want}
	}
	return r.err
}

// header reads the whole header and checks that the file has exactly the elements it promises, before anybody allocates.
func (r *npyReader) header() (h npyHeader) {
	if !r.preamble() {
		return h
	}
	h.end = r.end
	var order int // where fortran_order's value stands
	seen := map[string]int{}
	fortran := false
	r.token("{")
	for r.err == nil && !r.accept("}") {
		at := r.at
		key := r.quoted()
		if _, again := seen[key]; again {
			r.fail(at, fmt.Sprintf("key '%s' a second time", key), "each key once")
		}
		seen[key] = at
		r.token(":")
		switch key {
		case "descr":
			h.dtype, h.bytes = r.descr()
		case "fortran_order":
			r.space()
			order = r.at
			fortran = r.boolean()
		case "shape":
			h.shape = r.shape()
		default:
			r.fail(at, fmt.Sprintf("key %q", key), "descr, fortran_order or shape")
		}
		if r.err == nil && !r.accept(",") && !r.peek("}") {
			r.fail(r.at, r.here(), "a comma or }")
		}
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if _, ok := seen[key]; !ok {
			r.fail(r.at, "the header ends without "+key, "descr, fortran_order and shape")
		}
	}
	if r.space(); r.at < r.end {
		r.fail(r.at, r.here(), "nothing but spaces and a newline after the dict")
	}
	if fortran {
		r.fail(order, "Fortran order", "C order: numpy.save(path, numpy.ascontiguousarray(a))")
	}
	r.fits(h)
	return h
}

// preamble reads magic, version and header length; r then stands at the header.
func (r *npyReader) preamble() bool {
	n := len(npyMagic)
	r.b = make([]byte, min(r.size, n+6)) // the preamble of either version
	if !r.read(r.b, 0) {
		return false
	}
	switch {
	case len(r.b) == 0:
		r.fail(0, "an empty file", "an NPY file, which starts with \\x93NUMPY")
		return false
	case !strings.HasPrefix(string(r.b[:min(n, len(r.b))]), npyMagic):
		r.fail(0, fmt.Sprintf("%q", r.b[:min(n, len(r.b))]), "the magic \\x93NUMPY of an NPY file")
		return false
	case len(r.b) < n+4:
		r.fail(len(r.b), "the file ends", "version and header length")
		return false
	}
	length := 0
	switch v := [2]byte(r.b[n : n+2]); v {
	case [2]byte{1, 0}:
		r.at, length = n+4, int(binary.LittleEndian.Uint16(r.b[n+2:]))
	case [2]byte{2, 0}:
		if len(r.b) < n+6 {
			r.fail(len(r.b), "the file ends", "a header length of four bytes")
			return false
		}
		r.at, length = n+6, int(binary.LittleEndian.Uint32(r.b[n+2:]))
	default:
		r.fail(n, fmt.Sprintf("version %d.%d", v[0], v[1]), "version 1.0 or 2.0")
		return false
	}
	switch {
	case length > r.size-r.at:
		r.fail(n+2, fmt.Sprintf("a header of %d bytes, but %d bytes follow", length, r.size-r.at), "a whole header: the file is cut")
		return false
	case length > npyMost:
		r.fail(n+2, fmt.Sprintf("a header of %d bytes", length), fmt.Sprintf("at most %d", npyMost))
		return false
	}
	r.end = r.at + length
	r.b = make([]byte, r.end)
	return r.read(r.b, 0)
}

// fits holds shape and element size against the bytes that follow the header.
func (r *npyReader) fits(h npyHeader) {
	if r.err != nil {
		return
	}
	have, want := r.size-h.end, h.bytes
	if slices.Contains(h.shape, 0) {
		want = 0
	}
	for _, d := range h.shape {
		if d > 0 && want > have/d { // the product exceeds the file; stop before it overflows
			want = have + 1
			break
		}
		want *= d
	}
	switch {
	case want > have:
		r.fail(r.size, fmt.Sprintf("the file ends after %d bytes of elements", have), fmt.Sprintf("elements of shape %v, %d bytes each", h.shape, h.bytes))
	case want < have:
		r.fail(h.end+want, fmt.Sprintf("%d bytes more", have-want),
			fmt.Sprintf("the end of the file after %d bytes of elements of shape %v", want, h.shape))
	}
}

func (r *npyReader) descr() (op.DType, int) {
	r.space()
	at := r.at
	s := r.quoted()
	var names []string
	for _, t := range npyTypes {
		if t.descr == s || t.bytes == 1 && len(s) == 3 && s[1:] == t.descr[1:] {
			return t.dtype, t.bytes
		}
		names = append(names, t.descr)
	}
	to := "<f4"
	if len(s) == 3 && strings.ContainsRune("ui", rune(s[1])) {
		to = "<" + s[1:2] + "4"
	}
	r.fail(at, fmt.Sprintf("elements of type %q", s),
		fmt.Sprintf("one of %s: convert with numpy.save(path, a.astype('%s'))", strings.Join(names, ", "), to))
	return 0, 0
}

func (r *npyReader) boolean() bool {
	switch {
	case r.accept("True"):
		return true
	case r.accept("False"):
		return false
	}
	r.fail(r.at, r.here(), "True or False")
	return false
}

func (r *npyReader) shape() (dims []int) {
	r.token("(")
	for r.err == nil && !r.accept(")") {
		r.space()
		at := r.at
		for r.at < r.end && r.b[r.at] >= '0' && r.b[r.at] <= '9' {
			r.at++
		}
		d, err := strconv.ParseInt(string(r.b[at:r.at]), 10, 32)
		switch {
		case at == r.at:
			r.fail(at, r.here(), "a size of 0 or more")
		case err != nil:
			r.fail(at, "size "+string(r.b[at:min(r.at, at+30)]), "a size of 0 to 2^31 - 1")
		case len(dims) == op.MaxRank:
			r.fail(at, fmt.Sprintf("more than %d axes", op.MaxRank), fmt.Sprintf("at most %d", op.MaxRank))
		}
		dims = append(dims, int(d))
		if r.err == nil && !r.accept(",") && !r.peek(")") {
			r.fail(r.at, r.here(), "a comma or )")
		}
	}
	return dims
}

// quoted reads a Python string without escapes.
func (r *npyReader) quoted() string {
	r.space()
	if r.err != nil || r.at >= r.end || r.b[r.at] != '\'' && r.b[r.at] != '"' {
		r.fail(r.at, r.here(), "a quoted string")
		return ""
	}
	rest := string(r.b[r.at+1 : r.end])
	i := strings.IndexByte(rest, r.b[r.at])
	if i < 0 {
		r.fail(r.at, "a string without an end", "a closing quote")
		return ""
	}
	r.at += i + 2
	return rest[:i]
}

func (r *npyReader) space() {
	for r.at < r.end && strings.IndexByte(" \t\n\r", r.b[r.at]) >= 0 {
		r.at++
	}
}

func (r *npyReader) peek(s string) bool {
	r.space()
	return r.err == nil && strings.HasPrefix(string(r.b[r.at:min(r.end, r.at+len(s))]), s)
}

func (r *npyReader) accept(s string) bool {
	if r.peek(s) {
		r.at += len(s)
		return true
	}
	return false
}

func (r *npyReader) token(s string) {
	if !r.accept(s) {
		r.fail(r.at, r.here(), s)
	}
}

// here shows what stands at the next byte of the header.
func (r *npyReader) here() string {
	if r.at >= r.end {
		return "the header ends"
	}
	return fmt.Sprintf("%q", r.b[r.at:min(r.end, r.at+10)])
}
