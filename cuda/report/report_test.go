package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// sample.txt is of cuobjdump 13.2.86, cut down to two kernels, without the encodings.
func sample(t *testing.T) string {
	b, err := os.ReadFile("testdata/sample.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestParse(t *testing.T) {
	kernels, err := parse(strings.NewReader(sample(t)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []kernel{
		{name: "ternary_rows_i8", arch: "sm_80", compiler: "13.0.88", threads: 1024, registers: 18},
		{name: "rademacher", arch: "sm_90a", compiler: "13.0.88", threads: 256, registers: 22, shared: 128}, // the cubin says 1152
	} {
		got := *kernels[i]
		code := got.code
		got.code = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
		for n, c := range code {
			if c.at != 16*n {
				t.Fatalf("%s: instruction %d stands at %#x", got.name, n, c.at)
			}
		}
	}
	code := kernels[0].code
	want := instruction{at: 0x310, conditional: true, name: "IMAD", suffix: ".WIDE.U32", operands: []string{"R8", "R3", "c[0x0][0x1e4]", "R8"}}
	if !reflect.DeepEqual(code[0x31], want) {
		t.Errorf("%+v, want %+v", code[0x31], want)
	}
	if len(kernels) != 2 || len(code) != 0x78 {
		t.Errorf("%d kernels, %d instructions of the first, want 2 and 120", len(kernels), len(code))
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"EIATTR_MAX_THREADS", "EIATTR_OTHER", "kernel ternary_rows_i8 of sm_80: no compiler, launch bound"},
		{"S2UR UR6, SR_CTAID.Y ;", "?", "no instruction"},
		{"  REG:18", "  ", "ternary_rows_i8"},
		{"Function : ternary_rows_i8", "", "ternary_rows_i8"},
		{"Tool Version", "", "ternary_rows_i8"},
	} {
		if _, err := parse(strings.NewReader(strings.Replace(sample(t), c.old, c.new, -1))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q as %q: %v, want %q", c.old, c.new, err, c.want)
		}
	}
	if _, err := parse(strings.NewReader("")); err == nil {
		t.Error("no kernels are no error")
	}
}

// assemble makes code of instructions, one a line; LABEL: before one stands for its address.
func assemble(t *testing.T, text string) []instruction {
	at, lines := map[string]int{}, []string{}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		line = strings.TrimSpace(line)
		if label, rest, ok := strings.Cut(line, ": "); ok {
			at[label], line = 16*len(lines), rest
		}
		lines = append(lines, line)
	}
	var code []instruction
	for n, line := range lines {
		var i instruction
		i.at = 16 * n
		if strings.HasPrefix(line, "@") {
			_, line, i.conditional = strings.Cut(line, " ")
		}
		name, operands, _ := strings.Cut(line, " ")
		i.name, _, _ = strings.Cut(name, ".")
		i.suffix = name[len(i.name):]
		for _, o := range strings.Split(operands, ", ") {
			if a, ok := at[o]; ok {
				o = fmt.Sprintf("%#x", a)
			}
			if o != "" {
				i.operands = append(i.operands, o)
			}
		}
		code = append(code, i)
	}
	return code
}

func TestLoops(t *testing.T) {
	for _, c := range []struct {
		name, code string
		want       [][]int
	}{
		{"none, and the trap behind the end", `
			MOV
			EXIT
			end: BRA end
			NOP`, nil},
		{"one", `
			MOV
			top: FFMA
			IADD3
			@P0 BRA top
			EXIT`, [][]int{{1, 2, 3}}},
		{"the inner one only", `
			outer: MOV
			inner: FFMA
			@P0 BRA inner
			IADD3
			@P1 BRA outer
			EXIT`, [][]int{{1, 2}}},
		{"the outer one is entered behind the inner one", `
			BRA outer
			inner: FFMA
			@P0 BRA inner
			outer: MOV
			@P1 BRA inner
			EXIT`, [][]int{{1, 2}}},
		{"two in a loop", `
			outer: MOV
			a: FFMA
			@P0 BRA a
			b: FMUL
			@P0 BRA b
			BRA outer`, [][]int{{1, 2}, {3, 4}}},
		{"a part that was laid out behind the end", `
			top: FFMA
			@P0 BRA far
			near: IADD3
			@P1 BRA top
			EXIT
			far: FMUL
			BRA near`, [][]int{{0, 1, 2, 3, 5, 6}}},
		{"a jump back that is no loop", `
			@P0 BRA far
			near: STG
			EXIT
			far: FMUL
			BRA near`, nil},
		{"what never comes back is no part", `
			top: FFMA
			@P0 BRA out
			@P1 BRA top
			EXIT
			out: FMUL
			EXIT`, [][]int{{0, 1, 2}}},
		{"a jump on a second predicate falls through, too", `
			top: FFMA
			BRA.U !UP0, skip
			FMUL
			skip: @P1 BRA P2, top
			EXIT`, [][]int{{0, 1, 2, 3}}},
		{"a bare jump does not", `
			top: FFMA
			BRA over
			FMUL
			over: @P0 BRA top
			EXIT`, [][]int{{0, 1, 3}}},
		{"a subroutine is no part of the loop that calls it", `
			top: FFMA
			CALL.REL.NOINC slow
			@P0 BRA top
			EXIT
			slow: FMUL
			RET.REL.NODEC R2, top`, [][]int{{0, 1, 2}}},
		{"a call for a far jump", `
			top: FFMA
			@P0 CALL.REL.NOINC out
			BRA top
			out: STG
			EXIT`, [][]int{{0, 1, 2}}},
		{"threads that part and meet", `
			top: BSSY B0, meet
			@P0 BRA sync
			FFMA
			sync: BSYNC B0
			meet: @P1 BRA top
			EXIT`, [][]int{{0, 1, 2, 3, 4}}},
		{"an end on a predicate falls through", `
			top: FFMA
			@P0 EXIT
			BRA top`, [][]int{{0, 1, 2}}},
		{"two ways in", `
			@P0 BRA b
			a: FFMA
			b: FMUL
			@P1 BRA a
			EXIT`, [][]int{{1, 2, 3}}},
		{"continue and the end of the loop are one head", `
			top: FFMA
			@P0 BRA top
			FMUL
			@P1 BRA top
			EXIT`, [][]int{{0, 1, 2, 3}}},
	} {
		got, err := loops(assemble(t, c.code))
		if err != nil || len(got) != len(c.want) || len(got) > 0 && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

// An indirect jump goes where the attribute of the kernel says: here to a case that is part of the loop round the switch, and out of it.
func TestLoopsOfSwitch(t *testing.T) {
	code := assemble(t, `
			top: FFMA
			BRX R2, -0x10
			FMUL
			BRA top
			FADD
			BRA top
			EXIT`)
	code[1].targets = []int{0x20, 0x40, 0x60}
	if got, err := loops(code); err != nil || !reflect.DeepEqual(got, [][]int{{0, 1, 2, 3, 4, 5}}) {
		t.Errorf("%v, %v; want one loop, of all but its end", got, err)
	}
	code[1].targets = []int{0x20, 0x48}
	if _, err := loops(code); err == nil || !strings.Contains(err.Error(), "goes to 0048") {
		t.Errorf("%v; want a jump to no instruction", err)
	}
}

func TestIndirectJumpsAreRead(t *testing.T) {
	const dump = "arch = sm_80\n\tTool Version: Cuda compilation tools, release 13.0, V13.0.88\n.nv.info.k\n\tAttribute:\tEIATTR_MAX_THREADS\n\tFormat:\tEIFMT_SVAL\n\tValue:\t0x100 0x1 0x1 \n" +
		"\tAttribute:\tEIATTR_INDIRECT_BRANCH_TARGETS\n\tFormat:\tEIFMT_SVAL\n\tValue:\t\n\t\tOffset of Indirect Branch: 0x0\t Number of targets: 2\n\t\tTargets: 0x10 0x20 \n" +
		" Function k:\n  REG:8 STACK:0 SHARED:0 LOCAL:0 CONSTANT[0]:4\n\t\tFunction : k\n        /*0000*/                   BRX R28 -0x10 ;\n        /*0010*/                   NOP ;\n        /*0020*/                   EXIT ;\n"
	all, err := parse(strings.NewReader(dump))
	if err != nil || len(all) != 1 || !reflect.DeepEqual(all[0].code[0].targets, []int{0x10, 0x20}) {
		t.Errorf("%+v, %v; want two targets", all, err)
	}
}

func TestLoopsRefuse(t *testing.T) {
	for code, want := range map[string]string{
		"BRX R2, -0x10\nEXIT":                "0000: BRX R2, -0x10: an indirect jump",
		"MOV\nBRA 0x1000":                    "0010: BRA 0x1000 goes to no instruction",
		"BSSY B0, 0x30\nBSYNC B0\nMOV\nEXIT": "0010: BSYNC B0 does not stand before",
	} {
		if _, err := loops(assemble(t, code)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", code, err, want)
		}
	}
}

func TestMix(t *testing.T) {
	for line, want := range map[string]string{
		"FFMA R1, R2, R3, R4": "FFMA", "FFMA.RZ R1, R2, R3, R4": "FFMA", "FADD.FTZ R1, R2, R3": "FP32", "FSETP.GT.AND P0, PT, R1, R2, PT": "FP32",
		"MUFU.RCP R1, R2": "XU", "I2F.U32.RP R1, R2": "XU", "UI2F.U32.RP UR4, UR5": "XU", "IMMA.16832.S8.S8 R4, R8.ROW, R2.COL, R4": "MMA",
		"IMAD.WIDE.U32 R2, R3, 0x4, R4": "int", "IMAD.MOV.U32 R1, RZ, RZ, R2": "move", "UIADD3 UR4, UR5, UR6, URZ": "int", "LOP3.LUT R1, R2, R3, RZ, 0xc0, !PT": "int",
		"HFMA2 R1, -RZ, RZ, 0, 0": "move", "HFMA2 R1, R2, RZ, R4": "other", "HFMA2 R1, -RZ, R3, R4": "other", "LDCU.64 UR4, c[0x0][0x358]": "move", "ULDC UR4, c[0x0][0x28]": "move",
		"LDG.E R1, [R2.64]": "LDG", "STG.E.128 [R2.64], R4": "STG", "LDS R1, [R2]": "LDS", "STS.64 [R2], R4": "STS", "LDGSTS.E.BYPASS.128 [R2], [R4.64]": "async",
		"SHFL.BFLY PT, R1, R2, 0x1, 0x1f": "warp", "BAR.SYNC.DEFER_BLOCKING 0x0": "bar", "BSYNC B0": "ctrl", "LDL R1, [R2]": "other", "ATOMG.E.ADD PT, R1, [R2.64], R3": "other",
		"NOP": "",
	} {
		if got := assemble(t, line)[0].class(); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	got := mix(assemble(t, "LDG.E R1, [R2.64]\nLDG.E.128 R4, [R2.64]\nFFMA R1, R2, R3, R4\nNOP\nATOMS.ADD R1, [R2], R3"))
	if want := map[string]int{"all": 4, "LDG": 2, "LDG.128": 1, "FFMA": 1, "other": 1}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The whole way; checked by hand against the sample: two loops of 33 and 28 instructions that load and store one word each.
func TestReport(t *testing.T) {
	pins := filepath.Join(t.TempDir(), "toolkit.txt")
	write := func(text string) {
		if err := os.WriteFile(pins, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("# pins\nnvidia-cuda-nvcc==13.0.88\n")
	text, err := run(pins, []string{"testdata/sample.txt"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"machine code of nvcc 13.0.88.", "\n## sample.cu\n",
		"\nkernel            arch threads regs shared stack blocks warps  limit lose  win   all FFMA    % FP32   XU  MMA  int move  LDG 128  STG 128  LDS 128  STS 128 async warp  bar ctrl other\n",
		"\nrademacher      sm_90a     256   22    128     .      8  100%  warps   11    .   192    .   0%    .    .    .  118   51    7   .    2   .    2   .    1   1     .    .    1   10     .\n",
		"\nternary_rows_i8  sm_80    1024   18      .     .      2  100%  warps   15    .   110    .   0%    .    .    .   68   25    6   .    2   .    .   .    .   .     .    .    .    9     .\n" +
			"  loop 1                                                                          33    .   0%    .    .    .   24    6    1   .    1   .    .   .    .   .     .    .    .    1     .\n" +
			"  loop 2                                                                          28    .   0%    .    .    .   19    6    1   .    1   .    .   .    .   .     .    .    .    1     .\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	write("nvidia-cuda-nvcc==13.0.96\n")
	if _, err := run(pins, []string{"testdata/sample.txt"}); err == nil || !strings.Contains(err.Error(), "code of nvcc 13.0.88, but the table is of nvcc 13.0.96") {
		t.Errorf("another compiler's code: %v", err)
	}
	write("nvcc\n")
	if _, err := run(pins, nil); err == nil {
		t.Error("no pin is no error")
	}
}

// The committed table is of the pinned compiler, and has every file of kernels.
func TestCommittedReport(t *testing.T) {
	text, err := os.ReadFile("../REPORT.md")
	if err != nil {
		t.Fatal(err)
	}
	head, err := run("../toolkit.txt", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), head) {
		t.Error("the head of cuda/REPORT.md is not that of this program and of the nvcc in cuda/toolkit.txt: make cuda-report")
	}
	// The loop over the terms of the large product is nine tenths multiply-adds.
	_, rows, ok := strings.Cut(string(text), "\nmatmul_128x128 sm_90a ")
	if !ok {
		t.Fatal("cuda/REPORT.md lacks matmul_128x128 for sm_90a")
	}
	most := 0
	for line := range strings.Lines(rows) {
		if f := strings.Fields(line); f[0] == "loop" { // N, all, FFMA, %
			all, e1 := strconv.Atoi(f[2])
			ffma, e2 := strconv.Atoi(f[3])
			if e1 != nil || e2 != nil {
				t.Fatal(line)
			}
			if ffma >= 128 { // of whole tiles, two terms at a time
				most = max(most, 100*ffma/all)
			}
		} else if strings.HasPrefix(line, "matmul") {
			break
		}
	}
	if most < 90 {
		t.Errorf("%d %% of the inner loop of matmul_128x128 on sm_90a are multiply-adds; want 90", most)
	}
	files, err := filepath.Glob("../*.cu")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if !strings.Contains(string(text), "\n## "+filepath.Base(f)+"\n") {
			t.Errorf("cuda/REPORT.md lacks %s: make cuda-report", filepath.Base(f))
		}
	}
}
