package data

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"lockstep/op"
)

// Safetensors files (https://huggingface.co/docs/safetensors, "Format"): the length of the header as u64, little endian; the
// header, a JSON object of tensors by name, each with its dtype, shape and data_offsets, and of texts under __metadata__; then
// the elements of all tensors, row-major, little endian, without gaps.

// Tensor describes one tensor of a safetensors file.
type Tensor struct {
	Name  string
	DType op.DType // F32, U32, I32
	Shape []int
}

// Bytes is the size of the elements.
func (t Tensor) Bytes() int64 {
	n := int64(4)
	for _, d := range t.Shape {
		n *= int64(d)
	}
	return n
}

// safeTypes are the element types that are read and written, all of four bytes; one line per entry.
var safeTypes = []safeType{
	{"F32", op.F32},
	{"U32", op.U32},
	{"I32", op.I32},
}

type safeType struct {
	name  string
	dtype op.DType
}

// safeHeader bounds a header in bytes: what other readers accept, too.
const safeHeader = 100_000_000

// safeMeta is the header's key that is no tensor.
const safeMeta = "__metadata__"

type safeEntry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

const safeSum = "sha256"

// SumTensors adds to meta the SHA-256 of what fill writes, which TensorsFile.Whole holds a file against. Errors: those of fill.
func SumTensors(tensors []Tensor, meta map[string]string, fill func(t Tensor, w io.Writer) error) error {
	sum := sha256.New()
	for _, t := range tensors {
		if err := fill(t, sum); err != nil {
			return err
		}
	}
	meta[safeSum] = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// Whole tells whether the elements have the SHA-256 that the file names. Error: they have not, or cannot be read.
func (t *TensorsFile) Whole() error {
	sum := sha256.New()
	if _, err := io.Copy(sum, t.Elements()); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != t.Meta[safeSum] {
		return errors.New("it is damaged: its SHA-256 is not the one that it names")
	}
	return nil
}

// WriteTensors writes a safetensors file of the given tensors, whose elements fill writes, one tensor after the other.
// Errors: a name twice, a wrong number of bytes, and those of w and fill.
func WriteTensors(w io.Writer, tensors []Tensor, meta map[string]string, fill func(t Tensor, w io.Writer) error) error {
	header := map[string]any{}
	if meta != nil {
		header[safeMeta] = meta
	}
	at := int64(0)
	for _, t := range tensors {
		i := slices.IndexFunc(safeTypes, func(s safeType) bool { return s.dtype == t.DType })
		if _, twice := header[t.Name]; twice || t.Name == safeMeta || i < 0 {
			return fmt.Errorf("safetensors: tensor %q of %s: its name is taken, or its type cannot be written", t.Name, t.DType)
		}
		end := at + t.Bytes()
		header[t.Name] = safeEntry{safeTypes[i].name, append([]int{}, t.Shape...), [2]int64{at, end}}
		at = end
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	text = append(text, bytes.Repeat([]byte{' '}, (8-len(text)%8)%8)...) // so that elements are aligned
	out := bufio.NewWriterSize(w, 1<<20)
	out.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
	out.Write(text)
	for _, t := range tensors {
		c := &counter{w: out}
		if err := fill(t, c); err != nil {
			return err
		}
		if c.n != t.Bytes() {
			return fmt.Errorf("safetensors: tensor %q got %d bytes of %d", t.Name, c.n, t.Bytes())
		}
	}
	return out.Flush()
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// Tensors is a safetensors file, open for reading.
type Tensors struct {
	Meta map[string]string
	file io.ReaderAt
	base int64 // of the elements
	size int64 // of all elements
	all  map[string]safeEntry
}

// ReadTensors reads the header of a safetensors file of the given size; name stands in errors, which tell of headers that are
// cut off, that are not what the format asks, and that do not describe the bytes that follow.
func ReadTensors(name string, f io.ReaderAt, size int64) (*Tensors, error) {
	fail := func(format string, args ...any) (*Tensors, error) {
		return nil, fmt.Errorf("%s is no safetensors file, or damaged: %w", name, fmt.Errorf(format, args...))
	}
	var length [8]byte
	if _, err := f.ReadAt(length[:], 0); err != nil {
		return fail("byte 0: it has %d bytes; the length of the header takes 8", size)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > safeHeader || int64(n) > size-8 {
		return fail("byte 0: the header is to have %d bytes; %d follow, and at most %d may", n, size-8, safeHeader)
	}
	text := make([]byte, n)
	if _, err := f.ReadAt(text, 8); err != nil {
		return fail("byte 8: %w", err)
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(text, &header); err != nil {
		return fail("byte 8: the header is no JSON object: %w", err)
	}
	t := &Tensors{file: f, base: 8 + int64(n), size: size - 8 - int64(n), all: map[string]safeEntry{}}
	if meta, ok := header[safeMeta]; ok {
		if err := json.Unmarshal(meta, &t.Meta); err != nil {
			return fail("%s: %w", safeMeta, err)
		}
		delete(header, safeMeta)
	}
	var spans [][2]int64
	for key, raw := range header {
		var e safeEntry
		if err := json.Unmarshal(raw, &e); err != nil {
			return fail("tensor %q: %w", key, err)
		}
		if err := e.check(t.size); err != nil {
			return fail("tensor %q: %w", key, err)
		}
		t.all[key] = e
		spans = append(spans, e.Offsets)
	}
	slices.SortFunc(spans, func(a, b [2]int64) int { return slices.Compare(a[:], b[:]) })
	end := int64(0)
	for _, s := range spans {
		if s[0] != end {
			return fail("the tensors overlap, or leave a gap, at offset %d", end)
		}
		end = s[1]
	}
	if end != t.size {
		return fail("the tensors take %d bytes; the file has %d", end, t.size)
	}
	return t, nil
}

// check holds a tensor's entry against the number of bytes of all elements.
func (e safeEntry) check(size int64) error {
	if !slices.ContainsFunc(safeTypes, func(s safeType) bool { return s.name == e.DType }) {
		return fmt.Errorf("dtype %q; F32, U32 and I32 are read", e.DType)
	}
	n := int64(4)
	for _, d := range e.Shape {
		if d < 0 || d > 0 && n > math.MaxInt64/int64(d) {
			return fmt.Errorf("shape %v", e.Shape)
		}
		n *= int64(d)
	}
	if a, b := e.Offsets[0], e.Offsets[1]; a < 0 || b < a || b > size || b-a != n {
		return fmt.Errorf("data_offsets %v; shape %v takes %d bytes, and there are %d in all", e.Offsets, e.Shape, n, size)
	}
	return nil
}

// Get describes the tensor of that name.
func (t *Tensors) Get(name string) (Tensor, bool) {
	e, ok := t.all[name]
	for _, s := range safeTypes {
		if s.name == e.DType {
			return Tensor{name, s.dtype, e.Shape}, ok
		}
	}
	return Tensor{}, false
}

// ReadAt reads elements of a tensor, from the given byte of it on.
func (t *Tensors) ReadAt(name string, from int64, dst []byte) error {
	e, ok := t.all[name]
	if size := e.Offsets[1] - e.Offsets[0]; !ok || from < 0 || from > size || int64(len(dst)) > size-from { // from may be as large as it likes
		return fmt.Errorf("safetensors: tensor %q has no %d bytes from %d on", name, len(dst), from)
	}
	_, err := t.file.ReadAt(dst, t.base+e.Offsets[0]+from)
	return err
}

// Elements reads the bytes of all tensors, in the order of the file.
func (t *Tensors) Elements() io.Reader { return io.NewSectionReader(t.file, t.base, t.size) }

// OpenTensors opens a safetensors file; Close it.
func OpenTensors(path string) (*TensorsFile, error) {
	f, size, err := openFile(path, "a safetensors file")
	if err != nil {
		return nil, err
	}
	t, err := ReadTensors(path, f, size)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &TensorsFile{t, f}, nil
}

// TensorsFile is a safetensors file on the disk.
type TensorsFile struct {
	*Tensors
	f *os.File
}

// Written is when the file was written; zero if that cannot be told.
func (t *TensorsFile) Written() time.Time {
	if info, err := t.f.Stat(); err == nil {
		return info.ModTime()
	}
	return time.Time{}
}

// Close closes the file.
func (t *TensorsFile) Close() error { return t.f.Close() }
