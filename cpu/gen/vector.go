package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"lockstep/op"
)

// code is a function that is being written: instructions of any width, those of one vector instruction set, and constants.
type code struct {
	*build.Context
	isa
	remake func(c *build.Context) isa
	words  map[uint32]reg.VecVirtual
}

// newCode is code for one instruction set.
func newCode(c *build.Context, make func(c *build.Context) isa) *code {
	return &code{c, make(c), make, map[uint32]reg.VecVirtual{}}
}

// isa is what differs between vector instruction sets. Operands stand as the assembler writes them, the second source first
// and the destination last.
//
// A mask tells lanes apart: a vector register with -1 in the lanes that are meant and 0 in the others, or a mask register.
type isa interface {
	shuffles

	suffix() string // of the names of functions
	lanes() int     // float32 in a register
	reg() reg.VecVirtual
	held() int    // words that number may keep in registers
	scales() bool // has VSCALEFPS, y * 2^n rounded once

	zero(x reg.VecVirtual)
	xor(x, y, z operand.Op)
	and(x, y, z operand.Op)
	andn(y, x, z operand.Op) // z = ^x & y
	or(x, y, z operand.Op)
	xor3(x, y, z operand.Op) // z ^= x ^ y

	compare(predicate uint8, b, a operand.Op) reg.Register         // a <predicate> b, of float32
	equal(b, a operand.Op) reg.Register                            // a == b, of integers
	greater(b, a operand.Op) reg.Register                          // a > b, of signed integers
	blend(m reg.Register, x, y, z operand.Op)                      // z = m ? x : y
	keep(m reg.Register, x, z operand.Op)                          // z = m ? x : 0
	firstLanes(n reg.GPVirtual) reg.Register                       // the first n lanes, 0 < n <= lanes; it changes n
	loadMasked(from operand.Mem, m reg.Register, x reg.VecVirtual) // other lanes are not touched, and 0
	firstOf32(n reg.GPVirtual) []reg.Register                      // the first n, 0 < n < 32, of the lanes of 32 / lanes registers; it may change n
	laneBits(m reg.Register, bits reg.GPVirtual)                   // bit l of bits, of 32 bits, is lane l
	storeMasked(x reg.VecVirtual, m reg.Register, to operand.Mem)  // other lanes are not touched
}

// shuffles is the part of an isa that reductions need.
type shuffles interface {
	// within reduces a register to its lane 0: f(y, x, z), which is z = x joined to y, joins lanes l and l+h for h = lanes/2, .., 1.
	within(x reg.VecVirtual, f func(y, x, z operand.Op))
	// parts takes those lanes of a and b whose partners are h lanes up, in blocks of 2h lanes, to low, and the partners to high.
	parts(h int, a, b, low, high operand.Op)
}

// Predicates of compare; all but unordered and notLessEqual are false for a NaN, and none signals.
const (
	equal        = 0x00
	unordered    = 0x03
	less         = 0x11
	lessEqual    = 0x12
	notLessEqual = 0x16 // true for a NaN
)

// widths writes a function for each instruction set.
func widths(c *build.Context, write func(k *code)) {
	for _, make := range []func(c *build.Context) isa{newAVX2, newAVX512} {
		write(newCode(c, make))
	}
}

// begin starts a function that calls nothing; doc begins with the verb of which it is the subject.
func (k *code) begin(name, signature string, doc ...string) {
	begin(k.Context, name+k.suffix(), signature, doc...)
	k.words = map[uint32]reg.VecVirtual{}
}

// bytes is the size of a register.
func (k *code) bytes() int { return 4 * k.lanes() }

// regs are n fresh registers.
func (k *code) regs(n int) []reg.VecVirtual {
	r := make([]reg.VecVirtual, n)
	for i := range r {
		r[i] = k.reg()
	}
	return r
}

// clear sets registers to +0.
func (k *code) clear(r ...reg.VecVirtual) {
	for _, x := range r {
		k.zero(x)
	}
}

// word is a register with a word in every lane. It is filled where the function first asks for it: before any loop, by preload.
func (k *code) word(bits uint32) reg.VecVirtual {
	r, ok := k.words[bits]
	if !ok {
		r = k.reg()
		k.words[bits] = r
		if bits == 0 {
			k.clear(r)
			return r
		}
		w, x := k.GP32(), k.XMM()
		k.MOVL(operand.U32(bits), w)
		k.VMOVD(w, x)
		k.VPBROADCASTD(x, r)
	}
	return r
}

// number is a word in every lane as the second source of an instruction: a register while there are some to spare, which preload
// fills as it does those of word, and then memory.
func (k *code) number(bits uint32) operand.Op {
	if r, ok := k.words[bits]; ok {
		return r
	}
	if len(k.words) < k.held() {
		return k.word(bits)
	}
	key := wordTable{k.Context, bits, k.lanes()}
	table, made := wordTables[key]
	if !made {
		table = static(k.Context, fmt.Sprintf("word%08x%s", bits, k.suffix()), bytesOf(k.lanes(), int32(bits)))
		wordTables[key] = table
	}
	return table
}

// wordTables holds the tables of number.
var wordTables = map[wordTable]operand.Mem{}

type wordTable struct {
	file  *build.Context
	bits  uint32
	lanes int
}

// fresh is a register with a word in every lane that may be overwritten.
func (k *code) fresh(bits uint32) reg.VecVirtual {
	r := k.reg()
	k.VMOVUPS(k.number(bits), r)
	return r
}

// copy is a register with the content of another.
func (k *code) copy(x reg.VecVirtual) reg.VecVirtual {
	r := k.reg()
	k.VMOVAPS(x, r)
	return r
}

// lawBits is a constant of the primitive functions, by its name in op/constants.go.
func lawBits(name string) uint32 {
	for _, c := range op.Constants() {
		if c.Name == name {
			return c.Bits
		}
	}
	panic("gen: op/constants.go has no " + name)
}

// broadcast32 is a fresh register with a word in every lane.
func (k *code) broadcast32(w reg.Register) reg.VecVirtual {
	r, x := k.reg(), k.XMM()
	k.VMOVD(w, x)
	k.VPBROADCASTD(x, r)
	return r
}

// broadcast64 is a fresh register with a word of 64 bits in every pair of lanes.
func (k *code) broadcast64(w reg.Register) reg.VecVirtual {
	r, x := k.reg(), k.XMM()
	k.VMOVQ(w, x)
	k.VPBROADCASTQ(x, r)
	return r
}

// preload fills the registers of all words that a part of the function will ask for. It must stand before the loop round that part,
// which it writes once elsewhere, to learn what they are.
func (k *code) preload(part func(k *code)) {
	dry := newCode(build.NewContext(), k.remake)
	begin(dry.Context, "dry", "")
	part(dry)
	for _, w := range slices.Sorted(maps.Keys(dry.words)) {
		k.word(w)
	}
}

// The words of some numbers.
const (
	nanBits  = 0x7fc00000
	signBit  = 1 << 31
	zeroBits = 0
)

// canonical is y, but the canonical NaN where a or b is a NaN.
func (k *code) canonical(a, b, y reg.VecVirtual) reg.VecVirtual {
	k.blend(k.compare(unordered, b, a), k.number(nanBits), y, y)
	return y
}

// abreast writes independent parts an instruction of each in turn, so that the chains of one fill the waits of another: a
// processor looks ahead no further than its schedulers hold. The parts have no labels, and ask for no words but those preloaded.
func (k *code) abreast(parts ...func()) {
	file, _ := k.Result()
	f := file.Functions()[len(file.Functions())-1]
	before, longest := len(f.Nodes), 0
	written := make([][]ir.Node, len(parts))
	for i, part := range parts {
		part()
		written[i] = slices.Clone(f.Nodes[before:])
		f.Nodes = f.Nodes[:before]
		longest = max(longest, len(written[i]))
	}
	for at := range longest {
		for _, nodes := range written {
			f.Nodes = append(f.Nodes, nodes[min(at, len(nodes)):min(at+1, len(nodes))]...)
		}
	}
}

// begin starts a function that calls nothing; doc begins with the verb of which it is the subject.
func begin(c *build.Context, name, signature string, doc ...string) {
	c.Function(name)
	c.Attributes(noSplit)
	c.SignatureExpr("func(" + signature + ")")
	c.Pragma("noescape")
	if len(doc) > 0 {
		doc[0] = name + " " + doc[0]
		c.Doc(doc...)
	}
}

// end returns to Go.
func end(c *build.Context) {
	c.VZEROUPPER()
	c.RET()
}
