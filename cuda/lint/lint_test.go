package main

import (
	"slices"
	"strings"
	"testing"
)

func TestWrong(t *testing.T) {
	for why, ops := range map[string][]string{
		"its order is nobody's": {
			"atom.global.add.f32", "atom.add.noftz.f16x2", "red.global.add.f32", "red.relaxed.gpu.global.add.v2.f32", "red.shared.max.f64", "atom.shared::cta.add.f64",
			"multimem.red.relaxed.sys.global.add.f32", "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32",
			"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", "wmma.mma.sync.aligned.row.col.m16n16k16.f32.f32",
			"wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16",
		},
		"an approximation": {"ex2.approx.f32", "rsqrt.approx.f32", "div.approx.f32", "rcp.approx.f64", "tanh.approx.f32", "sqrt.approx.f32"},
		"it flushes subnormals": {
			"add.rn.ftz.f32", "mul.ftz.f32", "fma.rn.ftz.f32", "setp.lt.ftz.f32", "max.ftz.f32", "cvt.rn.ftz.f32.f64", "abs.ftz.f32", "fma.rn.ftz.f32x2",
		},
		"it does not round to nearest even (.rn)": {
			"fma.rm.f32", "fma.rz.f32", "add.f32", "sub.f32", "mul.f32", "mul.rp.f32", "div.full.f32", "add.f64", "mad.f32", "add.f16x2", "mul.bf16", "sqrt.rz.f32", "rcp.rm.f32",
			"add.f32x2", "fma.rz.f32x2", "mul.rm.f32x2", "add.rz.f32.f16", "cvt.rz.f32.s32", "cvt.rp.f32.u64", "cvt.rm.f16.f32", "add.sat.f32",
		},
		"": {
			"add.rn.f32", "sub.rn.f32", "mul.rn.f32", "fma.rn.f32", "div.rn.f32", "sqrt.rn.f32", "rcp.rn.f32", "add.rn.f32x2", "fma.rn.f32x2", "fma.rn.f64",
			"cvt.rn.f32.s32", "cvt.rn.f32.f64", "cvt.f64.f32", "cvt.rni.s32.f32", "cvt.rzi.u32.f32", "max.f32", "min.NaN.f32", "neg.f32", "setp.gt.f32", "selp.f32", "ld.global.f32", "st.shared.v4.f32", "mov.f32",
			"add.s32", "add.u64", "mul.wide.u32", "mul.lo.s64", "mad.lo.s32", "div.u32", "rem.u64", "atom.global.add.u32", "red.shared.max.s32", "atom.global.cas.b32", "red.global.or.b64",
			"mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32", "cp.async.cg.shared.global", "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32", "bar.sync", "shfl.sync.bfly.b32",
		},
	} {
		for _, op := range ops {
			if got := wrong(op); (got == "") != (why == "") || !strings.HasSuffix(got, why) {
				t.Errorf("%s: %q, want %q", op, got, why)
			}
		}
	}
}

func TestOpcodes(t *testing.T) {
	for line, want := range map[string][]string{
		"\tadd.rn.f32 \t%f1, %f2, %f3;":             {"add.rn.f32"},
		"\t@%p1 bra \t$L__BB0_2;":                   {"bra"},
		"\t@!%p1 add.f32 %f1, %f1, %f2;":            {"add.f32"},
		"\tret;":                                    {"ret"},
		"{add.f32 a, b, c; mul.rn.f32 d, a, b;}":    {"add.f32", "mul.rn.f32"},
		"\t{ .reg .f32 t; fma.rm.f32 t, a, b, c; }": {"fma.rm.f32"},
		"again: red.global.add.f32 [a], b;":         {"red.global.add.f32"},
		"\t// begin; add.f32 a, b, c;":              nil,
		"$L__BB0_2:":                                nil,
		".visible .entry add(":                      nil,
		".version 9.0":                              nil,
		"\t.reg .f32 \t%f<4>;":                      nil,
		"":                                          nil,
		"mul.rn.f32 a, b, c; // not add.f32":        {"mul.rn.f32"},
		"\tcall.uni (retval0), f, (param0);":        {"call.uni"},
		"\t@%p2 @%p3 add.f32 %f1, %f1, %f2;":        {"add.f32"},
	} {
		if got := opcodes(line); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

const good = `.version 9.0
.target sm_80
.visible .entry count(
	.param .u64 count_param_0
)
.maxntid 256
{
	.reg .b32 	%r<3>;
	mov.u32 	%r1, %tid.x;
	add.s32 	%r2, %r1, 1;
	@%p1 bra 	$L__BB0_2;
	atom.global.add.u32 	%r3, [%rd1], %r2;
$L__BB0_2:
	ret;
}
.visible .entry scale(
)
{
	mul.rn.f32 	%f1, %f2, %f3;
	fma.rn.f32 	%f1, %f2, %f3, %f4;
	ret;
}
`

func TestLint(t *testing.T) {
	if finds, err := lint("x.ptx", strings.NewReader(good)); err != nil || len(finds) > 0 {
		t.Errorf("right PTX: %q, %v", finds, err)
	}
	finds, err := lint("x.ptx", strings.NewReader(strings.Replace(good, "fma.rn", "fma.rm", 1)))
	if want := "x.ptx:20: kernel scale: fma.rm.f32: it does not round to nearest even (.rn)"; err != nil || !slices.Equal(finds, []string{want}) {
		t.Errorf("%q, %v, want %q", finds, err, want)
	}
	if _, err := lint("x.ptx", strings.NewReader(".version 9.0\n")); err == nil {
		t.Error("no instructions are no error")
	}
}
