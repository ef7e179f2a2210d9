package main

import (
	"bytes"
	"slices"
	"strings"

	"lockstep/cpu"
)

// Faults of the vector twins are planted in the generated assembly, in the function that the file's name ends with: the generator is in its own module, and
// would write a fault into every width. A test of one variant must notice, whatever variants the machine prefers.
func init() { faults = append(faults, assembly...) }

var assembly = []fault{
	{"AVX2 functions: a constant of gelu one bit off", "cpu/functions_amd64.s:stripGeluAVX2", "$0x3f4c422a", "$0x3f4c422b", "./cpu", "TestConformance/avx2/gelu"},
	{"AVX-512 functions: a coefficient of tanh one bit off", "cpu/functions_amd64.s:stripTanhAVX512", "$0x3cb25d45", "$0x3cb25d46", "./cpu", "TestConformance/avx512/tanh"},
	{"AVX2 amax: the rest of a row dropped", "cpu/amax_amd64.s:maxRunsAVX2", "JZ within", "JMP within", "./cpu", "TestConformance/avx2/amax"},
	{"AVX-512 amax: quarters of short rows in a wrong order", "cpu/amax_amd64.s:maxShort2AVX512", "VSHUFF64X2 $0xdd", "VSHUFF64X2 $0x77", "./cpu", "TestConformance/avx512/amax"},
	{"AVX2 batch: a shift of the hash one too far", "cpu/batch_amd64.s:feistelWordsAVX2", "VPSRLD $0x0d", "VPSRLD $0x0e", "./cpu", "TestConformance/avx2/batch"},
	{"AVX-512 batch: a wrong factor of the hash", "cpu/batch_amd64.s:feistelWordsAVX512", "$0xc2b2ae35", "$0xc2b2ae37", "./cpu", "TestConformance/avx512/batch"},
	{"AVX2 draws: products of integers in a wrong order", "cpu/draws_amd64.s:integerWordsAVX2", "VPSHUFD $0xd8", "VPSHUFD $0xe4", "./cpu", "TestConformance/avx2/randint"},
	{"AVX-512 draws: a wrong factor of Philox", "cpu/draws_amd64.s:philoxWordsAVX512", "$0xcd9e8d57", "$0xcd9e8d55", "./cpu", "TestConformance/avx512/rademacher"},
	{"AVX2 integers: the masked tail of a cast dropped", "cpu/integers_amd64.s:stripF32ToI32AVX2", "JZ done", "JMP done", "./cpu", "TestConformance/avx2/cast"},
	{"AVX-512 integers: the last lane of a masked tail dropped", "cpu/integers_amd64.s:stripU32ToF32AVX512", "$0xffffffff", "$0xffffbfff", "./cpu", "TestConformance/avx512/cast"},
	{"AVX2 matmul: another order of operands of an fma", "cpu/matmul_amd64.s:matmul6x16AVX2", "VFMADD231PS", "VFMADD213PS", "./cpu", "TestConformance/avx2/matmul"},
	{"AVX2 matmul: a row's matrix transposed in a wrong order", "cpu/matmul_amd64.s:matmulRowTransposed3AVX2", "VUNPCKLPS", "VUNPCKHPS", "./cpu", "TestConformance/avx2/matmul"},
	{"AVX-512 matmul: a masked load from a wrong place", "cpu/matmul_amd64.s:matmul3x32tailAVX512", "VMOVUPS.Z 64(SI)", "VMOVUPS.Z 32(SI)", "./cpu", "TestConformance/avx512/matmul"},
	{"AVX-512 matmul: a row's term with its neighbour's row", "cpu/matmul_amd64.s:matmulRow8AVX512", "(DX)(BX*2)", "(DX)(BX*1)", "./cpu", "TestConformance/avx512/matmul"},
	{"AVX2 matmul: a few columns' chains not canonical", "cpu/matmul_amd64.s:matmulRowFew13AVX2", "VCMPPS $0x03", "VCMPPS $0x0b", "./cpu", "TestConformance/avx2/matmul"},
	{"AVX-512 matmul: eleven vectors, one of them taken twice", "cpu/matmul_amd64.s:matmulRowFew11AVX512", "192(DX)", "128(DX)", "./cpu", "TestConformance/avx512/matmul"},
	{"AVX-512 matmul: a vector of a row's few columns taken twice", "cpu/matmul_amd64.s:matmulRowFew7AVX512", "320(DX)", "256(DX)", "./cpu", "TestConformance/avx512/matmul"},
	{"AVX2 matmuljvp: the two terms in the other order", "cpu/matmuljvp_amd64.s:matmuljvp3x16tailAVX2",
		"MOVQ da+24(FP), BX MOVQ b+48(FP), SI MOVQ a+16(FP), DI MOVQ db+56(FP), R8",
		"MOVQ a+16(FP), BX\n\tMOVQ db+56(FP), SI\n\tMOVQ da+24(FP), DI\n\tMOVQ b+48(FP), R8", "./cpu", "TestConformance/avx2/matmuljvp"},
	{"AVX-512 matmuljvp: another order of operands of an fma", "cpu/matmuljvp_amd64.s:matmuljvp3x32tailAVX512", "VFMADD231PS", "VFMADD213PS", "./cpu", "TestConformance/avx512/matmuljvp"},
	{"AVX2 softmax: operands of the gradient swapped", "cpu/softmax_amd64.s:stripXentGradAVX2", "VSUBPS Y2, Y1, Y1", "VSUBPS Y1, Y2, Y1", "./cpu", "TestConformance/avx2/xentgrad"},
	{"AVX-512 softmax: NaN not canonical", "cpu/softmax_amd64.s:stripXentGradAVX512", "VCMPPS $0x03", "VCMPPS $0x0b", "./cpu", "TestConformance/avx512/xentgrad"},
	{"AVX2 strips: -0 beats +0", "cpu/strips_amd64.s:stripMaxAVX2", "VPAND", "VPOR", "./cpu", "TestConformance/avx2/max"},
	{"AVX-512 strips: operands of select swapped", "cpu/strips_amd64.s:stripSelectAVX512", "VPBLENDMD Z3, Z2", "VPBLENDMD Z2, Z3", "./cpu", "TestConformance/avx512/select"},
	{"AVX2 sum: another tree over the lanes", "cpu/sum_amd64.s:sumRunsAVX2", "VADDPS Y3, Y1, Y1 VADDPS Y4, Y2, Y2 VADDPS Y2, Y1, Y1",
		"VADDPS Y2, Y1, Y1\n\tVADDPS Y4, Y3, Y3\n\tVADDPS Y3, Y1, Y1", "./cpu", "TestConformance/avx2/sum"},
	{"AVX-512 sum: a lane of a masked tail dropped", "cpu/sum_amd64.s:sumRunsAVX512", "SHRL $0x10", "SHRL $0x11", "./cpu", "TestConformance/avx512/sum"},
	{"AVX2 ternary products: tables in a wrong order", "cpu/ternarymm_amd64.s:ternaryTables", "VPERMQ $0xd8", "VPERMQ $0xe4", "./cpu", "TestConformance/avx2/ternarymm"},
	{"AVX2 ternary products: the weight of a digit is its neighbour's", "cpu/ternarymm_amd64.s:ternaryDots", "VPMADDUBSW 32(R8)", "VPMADDUBSW (R8)", "./cpu", "TestConformance/avx2/ternarymm"},
	{"AVX-512 ternary products: the upper half of a sum shifted too little", "cpu/ternarymm_amd64.s:ternaryColumnsAVX512", "VPSLLQ $0x10", "VPSLLQ $0x0f", "./cpu", "TestConformance/avx512/ternarymm"},
	{"AVX-512 ternary products: a product subtracted", "cpu/ternarymm_amd64.s:ternaryDotsAVX512", "VPADDW", "VPSUBW", "./cpu", "TestConformance/avx512/ternarymm"},
	{"VNNI ternary products: signed and unsigned bytes swapped", "cpu/ternarymm_amd64.s:ternaryDotsVNNI", "VPDPBUSD Z17, Z15", "VPDPBUSD Z15, Z17", "./cpu", "TestConformance/vnni/ternarymm"},
	{"VBMI ternary products: the tables of two pairs swapped", "cpu/ternarymm_amd64.s:ternaryColumnsVBMI", "$0x30201000", "$0x30102000", "./cpu", "TestConformance/vbmi/ternarymm"},
	{"VBMI ternary products: codes of two rows swapped", "cpu/ternarymm_amd64.s:ternaryIndexVBMI", "VPTERNLOGD $0xd8", "VPTERNLOGD $0xe4", "./cpu", "TestConformance/vbmi/ternarymm"},
	{"AVX2 transpose: halves swapped", "cpu/transpose_amd64.s:transposeRowsAVX2", "VPERM2F128 $0x31", "VPERM2F128 $0x13", "./cpu", "TestConformance/avx2/transpose"},
	{"AVX-512 transpose: quarters in a wrong order", "cpu/transpose_amd64.s:transposeRowsAVX512", "VSHUFF32X4 $0x88", "VSHUFF32X4 $0x22", "./cpu", "TestConformance/avx512/transpose"},
}

// path is the file of a fault, and function the assembly function in it where from is searched; "" if it is the whole file.
func (f fault) path() (file, function string) {
	file, function, _ = strings.Cut(f.file, ":")
	return file, function
}

// find is where the fault is to be planted in its file; nil if it is not there any more.
func (f fault) find(source []byte) (at []int) {
	from, to := 0, len(source)
	if _, function := f.path(); function != "" {
		text := []byte("\nTEXT ·" + function + "(SB)")
		if from = bytes.Index(source, text); from < 0 {
			return nil
		}
		from += len(text)
		if next := bytes.Index(source[from:], []byte("\nTEXT ")); next >= 0 {
			to = from + next
		}
	}
	if at = anchor(f.from).FindIndex(source[from:to]); at != nil {
		at[0], at[1] = at[0]+from, at[1]+from
	}
	return at
}

// lacks names the variant that must notice the fault, if this machine has not got it: then its tests would be skipped, and pass.
func (f fault) lacks() string {
	if _, function := f.path(); function == "" {
		return ""
	}
	if variant := strings.Split(f.by, "/")[1]; !slices.Contains(cpu.Variants(), variant) {
		return variant
	}
	return ""
}

// pattern is what go test -run takes for the tests that are known to notice: names of tests, or one with those of its subtests.
func (f fault) pattern() string {
	parts := strings.Split(f.by, "/")
	for i, p := range parts {
		parts[i] = "^(" + p + ")$"
	}
	return strings.Join(parts, "/")
}
