package op

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unsafe"
)

// DType is the type of a tensor's elements. Tensors are stored in 32-bit words.
type DType uint8

const (
	F32  DType = iota // IEEE-754 binary32, one word
	U32               // unsigned integer, one word, arithmetic modulo 2^32
	I32               // two's complement integer, one word, arithmetic modulo 2^32
	Bool              // 0 or 1, one word
	I8                // two's complement byte, four to a word, little endian, the last word filled with 0
	T2                // ternary code, sixteen to a word; every row (last axis) starts on a multiple of 64 codes
)

var dtypeNames = [...]string{"f32", "u32", "i32", "bool", "i8", "t2"}

func (d DType) String() string {
	if int(d) < len(dtypeNames) {
		return dtypeNames[d]
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// ParseDType is the inverse of DType.String.
func ParseDType(s string) (DType, error) {
	for i, n := range dtypeNames {
		if n == s {
			return DType(i), nil
		}
	}
	return 0, fmt.Errorf("unknown element type %q; one of %s", s, strings.Join(dtypeNames[:], ", "))
}

// Domain says over what a value varies: Shared by all cells, per Cell, or per named group of cells. A pack maps each
// cell to a slot of every group, and stores and computes a group's values once per slot.
type Domain string

const (
	Shared Domain = ""     // one for all cells
	Cell   Domain = "cell" // one for each cell
	Seed   Domain = "seed" // one for each seed: theta0, the basis, the order of data
	Model  Domain = "model"
)

// Join is the domain of a result whose operands have domains a and b. Two different groups join to Cell.
func Join(a, b Domain) Domain {
	switch {
	case a == b || b == Shared:
		return a
	case a == Shared:
		return b
	}
	return Cell
}

func (d Domain) String() string {
	if d == Shared {
		return "shared"
	}
	return string(d)
}

// MaxRank is the largest number of axes of a tensor.
const MaxRank = 6

// Shape is a list of axis sizes. It is comparable, so ops that carry one stay comparable.
type Shape struct {
	Rank int8
	D    [MaxRank]int32
}

// S makes a shape; it panics when there are more than MaxRank axes or a size does not fit in int32, which is a
// programmer's mistake: sizes that come from outside are checked where they are read.
func S(dims ...int) (s Shape) {
	if len(dims) > MaxRank {
		panic(fmt.Sprintf("op.S: %d axes; at most %d", len(dims), MaxRank))
	}
	s.Rank = int8(len(dims))
	for i, d := range dims {
		if d < 0 || d > math.MaxInt32 {
			panic(fmt.Sprintf("op.S: axis %d has size %d; sizes are 0 to 2^31-1", i, d))
		}
		s.D[i] = int32(d)
	}
	return s
}

// Len is the number of elements; 1 for a scalar (rank 0).
func (s Shape) Len() int {
	n := 1
	for _, d := range s.D[:s.Rank] {
		n *= int(d)
	}
	return n
}

// At is the size of axis i; a negative i counts from the last axis.
func (s Shape) At(i int) int {
	if i < 0 {
		i += int(s.Rank)
	}
	return int(s.D[i])
}

// With is s with size n at axis i; a negative i counts from the last axis.
func (s Shape) With(i, n int) Shape {
	if i < 0 {
		i += int(s.Rank)
	}
	s.D[i] = int32(n)
	return s
}

// Dims lists the sizes.
func (s Shape) Dims() []int {
	d := make([]int, s.Rank)
	for i := range d {
		d[i] = int(s.D[i])
	}
	return d
}

func (s Shape) String() string { return "[" + joinInts(s.Dims()) + "]" }

// Coordinates is where element i stands, in row-major order.
func (s Shape) Coordinates(i int) []int {
	c := make([]int, s.Rank)
	for d := len(c) - 1; d >= 0; d-- {
		c[d] = i % s.At(d)
		i /= s.At(d)
	}
	return c
}

// split views s as [outer, s.At(axis), inner].
func (s Shape) split(axis int) (outer, n, inner int) {
	outer, inner = 1, 1
	for i := range axis {
		outer *= s.At(i)
	}
	for i := axis + 1; i < int(s.Rank); i++ {
		inner *= s.At(i)
	}
	return outer, s.At(axis), inner
}

// Ints is a comparable list of integers, for attributes such as axes, permutations and sizes: "1,0,2".
type Ints string

// List makes an Ints.
func List(v ...int) Ints { return Ints(joinInts(v)) }

// Slice is the list's content; a malformed list is cut at its first bad entry, which ParseInts refuses before.
func (l Ints) Slice() []int {
	v, _ := l.parse()
	return v
}

func (l Ints) parse() ([]int, error) {
	if l == "" {
		return nil, nil
	}
	var v []int
	for f := range strings.SplitSeq(string(l), ",") {
		i, err := strconv.Atoi(strings.TrimSpace(f))
		if err != nil {
			return v, fmt.Errorf("%q is not a list of integers such as 1,0,2", string(l))
		}
		v = append(v, i)
	}
	return v, nil
}

// ParseInts reads a list such as "1,0,2" and returns it in canonical form.
func ParseInts(s string) (Ints, error) {
	v, err := Ints(s).parse()
	return List(v...), err
}

func joinInts(v []int) string {
	var b strings.Builder
	for i, x := range v {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(x))
	}
	return b.String()
}

// Bits is a float32 attribute by its bits, so that -0 and +0 differ and a NaN equals itself.
type Bits uint32

// B is the Bits of x; every NaN becomes the canonical one.
func B(x float32) Bits { return Bits(bitsOf(x)) }

// F is the float32.
func (b Bits) F() float32 { return math.Float32frombits(uint32(b)) }

func (b Bits) String() string { return fmt.Sprintf("%08x", uint32(b)) }

// Type describes a tensor of one cell.
type Type struct {
	DType
	Domain
	Shape
}

// T makes a Type.
func T(d DType, dom Domain, dims ...int) Type { return Type{d, dom, S(dims...)} }

// Words is the number of 32-bit words that a tensor of this type takes.
func (t Type) Words() int {
	switch n := t.Len(); t.DType {
	case I8:
		return (n + 3) / 4
	case T2:
		if n == 0 {
			return 0
		}
		return n / t.At(-1) * RowWords(t.At(-1))
	default:
		return n
	}
}

// RowWords is the number of words of one T2 row of n codes: 4 for every 64 codes begun.
func RowWords(n int) int { return (n + 63) / 64 * 4 }

// MaxLen is the largest number of elements of a tensor.
const MaxLen = 1 << 36

// Fits tells whether t has at most MaxLen elements.
func (t Type) Fits() bool {
	n := 1
	for _, d := range t.D[:t.Rank] {
		if d == 0 {
			return true
		}
		if n *= int(d); n > MaxLen { // the product before was at most 2^36, and d is below 2^31: no overflow of int64
			return false
		}
	}
	return true
}

// Outputs is o.Shape, with results of more than MaxLen elements refused: what whoever builds a program calls.
func Outputs(o Op, in []Type) ([]Type, error) {
	out, err := o.Shape(in)
	for _, t := range out {
		if !t.Fits() {
			return nil, bad(o, in, "a result of at most 2^36 elements, not %s", t.Shape)
		}
	}
	return out, err
}

func (t Type) String() string {
	return fmt.Sprintf("%s%s:%s", t.DType, t.Shape, t.Domain)
}

// Tensor is one cell's tensor, contiguous, row-major.
type Tensor struct {
	Type
	W []uint32 // len Type.Words()
}

// New allocates a tensor of zero words.
func New(t Type) Tensor { return Tensor{t, make([]uint32, t.Words())} }

// Float32s makes a canonical F32 tensor of the given shape that holds a copy of v.
func Float32s(s Shape, v ...float32) Tensor {
	t := New(Type{F32, Shared, s})
	for i, x := range v {
		t.W[i] = bitsOf(x)
	}
	return t
}

// Words32 makes a tensor of a one-word element type that holds a copy of w.
func Words32(d DType, s Shape, w ...uint32) Tensor {
	t := New(Type{d, Shared, s})
	copy(t.W, w)
	return t
}

// Bytes is the words as bytes, little endian: the form in which tensors are stored, hashed and handed to packs.
func Bytes(w []uint32) []byte {
	b := make([]byte, 4*len(w))
	PutBytes(b, w)
	return b
}

// PutBytes stores the words at dst as bytes, little endian; dst has at least 4 len(w) bytes.
func PutBytes(dst []byte, w []uint32) {
	for i, x := range w {
		binary.LittleEndian.PutUint32(dst[4*i:], x)
	}
}

// PutWords stores little-endian bytes as words: the inverse of PutBytes. It fills dst; src has at least 4 len(dst) bytes.
func PutWords(dst []uint32, src []byte) {
	for i := range dst {
		dst[i] = binary.LittleEndian.Uint32(src[4*i:])
	}
}

// F views the words of an F32 tensor as float32. Reading is free of traps; write through SetF, which keeps NaNs canonical.
func (t Tensor) F() []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(t.W))), len(t.W))
}

// SetF stores x at word i, a NaN as the canonical NaN.
func (t Tensor) SetF(i int, x float32) { t.W[i] = bitsOf(x) }

// Code is ternary code i of row r of a T2 tensor: bit 0 says non-zero, bit 1 negative.
func (t Tensor) Code(r, i int) uint32 {
	return t.W[r*RowWords(t.At(-1))+i/16] >> (2 * (i % 16)) & 3
}

// Int8 is element i of an I8 tensor.
func (t Tensor) Int8(i int) int8 { return int8(t.W[i/4] >> (8 * (i % 4))) }

// SetInt8 stores x at element i of an I8 tensor.
func (t Tensor) SetInt8(i int, x int8) {
	s := 8 * (i % 4)
	t.W[i/4] = t.W[i/4]&^(0xff<<s) | uint32(uint8(x))<<s
}

// NaN is the canonical NaN, the only one that is ever stored.
const NaN uint32 = 0x7fc00000

// bitsOf is the stored form of x.
func bitsOf(x float32) uint32 {
	if x != x {
		return NaN
	}
	return math.Float32bits(x)
}

// Canonical replaces every NaN in the words of an F32 tensor by the canonical one. Data are canonicalised when bound.
func Canonical(w []uint32) {
	for i, b := range w {
		if b&0x7fffffff > 0x7f800000 {
			w[i] = NaN
		}
	}
}
