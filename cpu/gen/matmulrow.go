package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The product of one row by a matrix is bound by the reading of the matrix, so these kernels read it in long runs of memory, which the
// processor's prefetchers follow; a tile goes down its columns, a line here and a line there.

// rowTerms is the most rows of B that a kernel of matmulRow follows at a time.
const rowTerms = 8

// rowVectors is the most vectors of columns whose chains a kernel of matmulRowFew keeps in registers: of the 16 that AVX2 has, three hold a
// term, a part of the last vector, and its mask.
const rowVectors = 13

// rowGroups is the most registers of outputs of a kernel of matmulRowTransposed, each of 8 rows of B: so many chains hide the latency of
// an FMA.
const rowGroups = 4

// matmulRow generates, for each number of terms, the kernel that takes the chains of all columns some terms further.
func matmulRow(c *build.Context) {
	widths(c, func(k *code) {
		for terms := 1; terms <= rowTerms; terms++ {
			rowOfColumns(k, terms)
		}
		for vectors := 1; vectors <= rowVectors; vectors++ {
			rowOfFew(k, vectors)
		}
	})
	for groups := 1; groups <= rowGroups; groups++ {
		rowOfRows(newCode(c, newAVX2), groups)
	}
}

func rowOfColumns(k *code, terms int) {
	c := k.Context
	k.begin(fmt.Sprintf("matmulRow%d", terms), "c, a, b *float32, bk, n int",
		fmt.Sprintf("sets c[j] to the chain fma(a[i], b[i*bk+j], c[j]) for i < %d, ascending, for j < n.", terms))
	out, from, b, bk, n := load(c, "c", 0), load(c, "a", 0), load(c, "b", 0), load(c, "bk", 2), load(c, "n", 0)
	nan := k.word(nanBits)
	a := k.regs(terms)
	for i, r := range a {
		c.VBROADCASTSS(mem(from, 4*i), r)
	}
	far := tile{code: k, rows: terms}.distances(bk)
	chain := func(acc reg.VecVirtual, operand func(i int, m operand.Mem) operand.Op) {
		for i, r := range a {
			c.VFMADD231PS(operand(i, distant(b, far, i)), r, acc)
		}
		k.blend(k.compare(unordered, acc, acc), nan, acc, acc)
	}
	c.SUBQ(operand.U8(k.lanes()), n)
	c.JL(operand.LabelRef("tail"))

	c.Label("columns")
	acc := k.reg()
	c.VMOVUPS(mem(out, 0), acc)
	chain(acc, func(_ int, m operand.Mem) operand.Op { return m })
	c.VMOVUPS(acc, mem(out, 0))
	c.ADDQ(operand.U8(k.bytes()), out)
	c.ADDQ(operand.U8(k.bytes()), b)
	c.SUBQ(operand.U8(k.lanes()), n)
	c.JGE(operand.LabelRef("columns"))

	c.Label("tail") // n is now the number of columns left, less that of lanes
	c.ADDQ(operand.U8(k.lanes()), n)
	c.JZ(operand.LabelRef("done"))
	mask := k.firstLanes(n)
	last, x := k.reg(), k.reg()
	k.loadMasked(mem(out, 0), mask, last)
	chain(last, func(_ int, m operand.Mem) operand.Op {
		k.loadMasked(m, mask, x)
		return x
	})
	k.storeMasked(last, mask, mem(out, 0))
	c.Label("done")
	end(c)
}

// rowOfFew generates the kernel for few columns and many terms: the chains stay in registers while the rows of B go by.
func rowOfFew(k *code, vectors int) {
	c := k.Context
	k.begin(fmt.Sprintf("matmulRowFew%d", vectors), "c, a, b *float32, bk, k, last int",
		fmt.Sprintf("sets c[j] to the chain fma(a[i], b[i*bk+j], acc) from acc = +0 for i < k, ascending, for the columns of %d vectors, of the last of which", vectors),
		"there are last. k > 0.")
	out, from, b, bk, n := load(c, "c", 0), load(c, "a", 0), load(c, "b", 0), load(c, "bk", 2), load(c, "k", 0)
	mask := k.firstLanes(load(c, "last", 0))
	acc, a, x := k.regs(vectors), k.reg(), k.reg()
	k.clear(acc...)

	c.Label("term")
	c.VBROADCASTSS(mem(from, 0), a)
	for i, r := range acc {
		if i < vectors-1 {
			c.VFMADD231PS(mem(b, i*k.bytes()), a, r)
			continue
		}
		k.loadMasked(mem(b, i*k.bytes()), mask, x)
		c.VFMADD231PS(x, a, r)
	}
	c.ADDQ(operand.U8(4), from)
	c.ADDQ(bk, b)
	c.DECQ(n)
	c.JNZ(operand.LabelRef("term"))

	nan := k.word(nanBits)
	for i, r := range acc {
		k.blend(k.compare(unordered, r, r), nan, r, r)
		if i < vectors-1 {
			c.VMOVUPS(r, mem(out, i*k.bytes()))
		} else {
			k.storeMasked(r, mask, mem(out, i*k.bytes()))
		}
	}
	end(c)
}

// rowOfRows generates the kernel for columns of B whose terms are contiguous: the lanes of a register are rows of memory. Of each row it
// takes four terms, a half of a register, and exchanges words within the halves of four registers. It is AVX2 code, which serves AVX-512
// as well: 512-bit registers were slower.
func rowOfRows(k *code, groups int) {
	c := k.Context
	const terms, rows = 4, 8 // of a half of a register; that distances reach
	const line, ahead = 64, 256
	k.begin(fmt.Sprintf("matmulRowTransposed%d", groups), "c, a, b *float32, bn, k int",
		fmt.Sprintf("sets c[j] to the chain fma(a[i], b[j*bn+i], acc) from acc = +0 for i < k, ascending, for j < %d. k > 0.", groups*k.lanes()))
	out, from, b, bn, n := load(c, "c", 0), load(c, "a", 0), load(c, "b", 0), load(c, "bn", 2), load(c, "k", 0)
	far := tile{code: k, rows: rows}.distances(bn)
	acc := k.regs(groups)
	k.clear(acc...)

	// columns gives the four columns, of a group's rows, that begin at p, and moves p past these rows.
	columns := func(p reg.GPVirtual, piece func(low, high operand.Mem, r reg.VecVirtual)) [terms]reg.VecVirtual {
		x := k.regs(terms)
		for i, r := range x {
			piece(distant(p, far, i), distant(p, far, terms+i), r)
		}
		c.LEAQ(indexed(p, bn, rows), p)
		t, y := k.regs(terms), k.regs(terms)
		for i := 0; i < terms; i += 2 {
			c.VUNPCKLPS(x[i+1], x[i], t[i])
			c.VUNPCKHPS(x[i+1], x[i], t[i+1])
		}
		for i := range 2 {
			c.VUNPCKLPD(t[2+i], t[i], y[2*i])
			c.VUNPCKHPD(t[2+i], t[i], y[2*i+1])
		}
		return [terms]reg.VecVirtual(y)
	}
	p := c.GP64()
	// step takes all chains four terms further, and fetches what lies ahead of the rows of a group.
	step := func(group int) {
		a := k.regs(terms)
		for i, r := range a {
			c.VBROADCASTSS(mem(from, 4*i), r)
		}
		c.MOVQ(b, p)
		for g, r := range acc {
			if g == group {
				for i := range rows {
					c.PREFETCHT0(distant(p, far, i).Offset(ahead))
				}
			}
			x := columns(p, func(low, high operand.Mem, r reg.VecVirtual) {
				c.VBROADCASTF128(low, r) // a load of all lanes, which avo knows not to need the old ones
				c.VINSERTF128(operand.U8(1), high, r, r)
			})
			for i, y := range x {
				c.VFMADD231PS(y, a[i], r)
			}
		}
		c.ADDQ(operand.U8(4*terms), from)
		c.ADDQ(operand.U8(4*terms), b)
	}
	c.SUBQ(operand.U8(line/4), n)
	c.JL(operand.LabelRef("rest"))

	c.Label("line")
	for group := range line / 4 / terms {
		step(group)
	}
	c.SUBQ(operand.U8(line/4), n)
	c.JGE(operand.LabelRef("line"))

	c.Label("rest") // n is now the number of terms left, less 16
	c.ADDQ(operand.U8(line/4-terms), n)
	c.JL(operand.LabelRef("tail"))

	c.Label("terms")
	step(-1)
	c.SUBQ(operand.U8(terms), n)
	c.JGE(operand.LabelRef("terms"))

	c.Label("tail") // n is now the number of terms left, less 4
	c.ADDQ(operand.U8(terms), n)
	c.JZ(operand.LabelRef("store"))
	left := c.GP64()
	c.MOVQ(n, left)
	mask, x, word := k.firstLanes(left).(reg.VecVirtual).AsX(), c.XMM(), k.reg()
	c.MOVQ(b, p)
	for g, r := range acc {
		y := columns(p, func(low, high operand.Mem, r reg.VecVirtual) {
			k.clear(r)
			for lane, m := range []operand.Mem{low, high} {
				k.loadMasked(m, mask, x)
				c.VINSERTF128(operand.U8(lane), x, r, r)
			}
		})
		for i := range terms - 1 {
			if i > 0 { // absent terms are not executed
				c.CMPQ(n, operand.U8(i))
				c.JE(operand.LabelRef(fmt.Sprintf("next%d", g)))
			}
			c.VBROADCASTSS(mem(from, 4*i), word)
			c.VFMADD231PS(y[i], word, r)
		}
		c.Label(fmt.Sprintf("next%d", g))
	}

	c.Label("store")
	nan := k.word(nanBits)
	for g, r := range acc {
		k.blend(k.compare(unordered, r, r), nan, r, r)
		c.VMOVUPS(r, mem(out, g*k.bytes()))
	}
	end(c)
}
