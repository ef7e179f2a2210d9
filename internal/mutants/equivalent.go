package main

import (
	"fmt"
	"strings"
)

// equal is a kind of fault at a place, given by the text round it, in one kernel file or ("") all, and why it changes nothing.
type equal struct{ kind, file, name, text, why string }

// equivalents are faults that change no bit of a result and touch nothing that is not theirs, and why.
var equivalents = []equal{
	{bound, "strided.cuh", "", "d < n", "beyond the last axis nothing is left of the index: a stride times 0 is added"},
	{bound, "strided.cuh", "", "d + 1 < n", "the index of the last axis is smaller than the axis: its quotient is 0"},
	{bound, "elementwise.cuh", "fill", "first + 256 * r < words) y[r] = f(first", "a word is made from nothing that is read, and is not stored"},
	{bound, "philox.cuh", "", "4 * b >= words", "a block of the stream of which no word is stored"},
	{bound, "philox.cuh", "ternary", "4 * b + j < words", "rows of codes are whole blocks"},
	{bound, "gather.cu", "", "first < a.b", "an empty chunk: +0 is added to a sum that is never -0"},
	{bound, "gather.cu", "", "i >= a.words", "a sum, of rows that are there, that is not stored"},
	{bound, "matmul.cuh", "", "k0 + BK < kn", "a tile of no terms, of which nothing is read"},
	{bound, "matmul.cuh", "", "n0 < columns(p, slot)", "the products of a tile of which no column is kept"},
	{bound, "matmul.cuh", "", "chunk < p.chunks", "a chunk that nobody adds"},
	{bound, "matmul.cuh", "", "round < p.k", "a round of no terms"},
	{bound, "matmul.cuh", "matmuljvp", "cj + dj < nn ?", "a tangent has all columns"},
	{bound, "matmul.cuh", "matmuljvp", "w % p.n < columns(p, slot)", "a tangent has all columns, and each thread asks before whether it has one"},
	{bound, "matmul.cuh", "dualmatmul", "cj + dj < nn ?", "a product that is no tail's has all columns"},
	{bound, "matmul.cuh", "dualmatmul", "w % p.n < columns(p, slot)", "a product that is no tail's has all columns, and each thread asks before whether it has one"},
	{bound, "rows.cuh", "", "first < n", "a segment without elements: +0 is added to a sum that is never -0"},
	{bound, "resident.cu", "", "free < blocks", "each kernel without shared memory asks for itself whether its block has anything to do"},
	{bound, "sum.cu", "", "i < end; i += LANES)\n#pragma", "the four additions ask for themselves"},
	{bound, "ternarymm.cu", "", "i0 < a.m; i0", "rows from m on are neither read nor stored"},
	{bound, "ternarymm.cu", "", "blockIdx.x * blockDim.x * 4 < nn", "each thread asks for itself: its results are from nn on"},
	{bound, "ternarymm.cu", "", "l0 < kn", "256 terms of which there are none"},
	{bound, "ternarymm.cu", "", "j0 < nn)", "each result asks for itself: its codes are 0"},
	{contraction, "functions.cuh", "", "add(e, 1.0f)", "e is a product by a power of two that neither overflows nor underflows: it is exact"},
}

// namedFault: in a copy of the file, for each of the kernel files, the first occurrence of from becomes to.
type namedFault struct{ kind, file, from, to, kernels string }

// named are planted beside those that are derived.
var named = []namedFault{
	{"a product rounded twice", "num.cuh", "return __fmaf_rn(a, b, c);", "return __fadd_rn(__fmul_rn(a, b), c);", "dual dualmatmul matmul matmuljvp normal softmax unary xent"},
	{"a result that is not written whole", "fill.cu", "each_word(a.words, slot_of(a.out, blockIdx.y), [&]", "each_word(a.words - 1, slot_of(a.out, blockIdx.y), [&]", "fill"},
	{"a row spread like a column", "chain.cuh", "at = uint32_t(at) % k.by", "at = uint32_t(at) / k.by", "chain"},
	{"another op", "chain.cuh", "switch (op) {", "switch (op + 1) {", "chain"},
	{"a NaN stored as it comes", "num.cuh", "return is_nan(x) ? NAN_BITS : bits_of(x);", "return bits_of(x);", "binary dual dualmatmul layernorm matmul matmuljvp softmax sum unary"},
}

func (l *lab) namedFaults() (faults []kernelFault, err error) {
	for _, n := range l.named {
		source := l.sources[n.file]
		at := strings.Index(source, n.from)
		if at < 0 {
			return nil, fmt.Errorf("cuda/%s has no %q any more; mend the list", n.file, n.from)
		}
		for _, name := range strings.Fields(n.kernels) {
			faults = append(faults, kernelFault{site{file: n.file, kind: n.kind, line: 1 + strings.Count(source[:at], "\n"),
				edits: []edit{{at, at + len(n.from), n.to}}}, name})
		}
	}
	return faults, nil
}

// equivalent is the reason why a fault changes nothing; "" of those that do.
func (l *lab) equivalent(f kernelFault) string {
	source := l.sources[f.file]
	for _, e := range l.equivalents {
		if e.file != f.file || e.kind != f.kind || e.name != "" && e.name != f.name {
			continue
		}
		last := f.edits[len(f.edits)-1]
		for from := 0; ; {
			at := strings.Index(source[from:], e.text)
			if at < 0 {
				break
			}
			if at += from; at <= last.from && last.to <= at+len(e.text) {
				return e.why
			}
			from = at + 1
		}
	}
	return ""
}

// checkEquivalents is an error if one on the list is no fault of any kernel any more.
func (l *lab) checkEquivalents(faults []kernelFault) error {
	used := map[string]bool{}
	for _, f := range faults {
		used[l.equivalent(f)] = true
	}
	for _, e := range l.equivalents {
		if !used[e.why] {
			return fmt.Errorf("cuda/%s has no place for %q at %q any more; mend the list of equivalent faults", e.file, e.kind, e.text)
		}
	}
	return nil
}
