package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// preamble takes the version of nvcc.
const preamble = `# What nvcc makes of the kernels

Written by ` + "`make cuda-report`" + ` from the machine code of nvcc %s. Nothing here was timed. For each kernel and architecture one line for the whole, and below it one
for each of its innermost loops, in the order of the code. A point is a zero.

| column | means |
|---|---|
| threads | of a block, by the launch bound ` + "`KERNEL(threads)`" + ` |
| regs | registers of a thread |
| shared | bytes of static shared memory of a block; the KiB that the driver takes of each block comes on top |
| stack | bytes of local memory of a thread, spills included; the build fails if there are any |
| blocks, warps | what a multiprocessor holds at once: blocks of that many threads, and the share of the warps that it could hold |
| limit | what there is too little of for one block more: warps, blocks, registers or shared memory |
| lose, win | with so many registers more a block fewer fits; with so many fewer, one more does; a point: no number of registers does that |
| all | instructions, without padding |
| FFMA, %% | fused multiply-adds, and their share of all; those of exact divisions and square roots count, too |
| FP32 | other arithmetic, comparisons and selections of float32 |
| XU | conversions and MUFU |
| MMA | tensor cores |
| int | integers, addresses, their comparisons, predicates |
| move | moves, selections, constants, special registers |
| LDG STG LDS STS, 128 | loads and stores of global and shared memory, and how many of them move 16 bytes a thread |
| async | cp.async |
| warp, bar, ctrl | shuffles and votes; barriers, fences and waits; branches, calls, ends |
| other | the rest, such as atomics, and loads and stores of spills |
`

// column is one of the table: right-aligned but for the first.
type column struct {
	name  string
	width int
	of    func(row) string
}

// row is a kernel, or one of its loops.
type row struct {
	*kernel
	loop   int // from 1; 0: the kernel
	mix    map[string]int
	blocks int
	share  float64 // of the warps, percent
	limit  string
	lose   int
	win    int
}

func kernelOnly(of func(row) string) func(row) string {
	return func(r row) string {
		if r.loop > 0 {
			return ""
		}
		return of(r)
	}
}

func count(n int) string {
	if n == 0 {
		return "."
	}
	return strconv.Itoa(n)
}

var columns = func() []column {
	cs := []column{
		{"arch", 6, kernelOnly(func(r row) string { return r.arch })},
		{"threads", 7, kernelOnly(func(r row) string { return count(r.threads) })},
		{"regs", 4, kernelOnly(func(r row) string { return count(r.registers) })},
		{"shared", 6, kernelOnly(func(r row) string { return count(r.shared) })},
		{"stack", 5, kernelOnly(func(r row) string { return count(r.stack) })},
		{"blocks", 6, kernelOnly(func(r row) string { return count(r.blocks) })},
		{"warps", 5, kernelOnly(func(r row) string { return fmt.Sprintf("%.0f%%", r.share) })},
		{"limit", 6, kernelOnly(func(r row) string { return r.limit })},
		{"lose", 4, kernelOnly(func(r row) string { return count(r.lose) })},
		{"win", 4, kernelOnly(func(r row) string { return count(r.win) })},
		{"all", 5, func(r row) string { return count(r.mix["all"]) }},
	}
	for _, c := range classes {
		name := c.name
		cs = append(cs, column{name, max(4, len(name)), func(r row) string { return count(r.mix[name]) }})
		switch name {
		case "FFMA":
			cs = append(cs, column{"%", 4, func(r row) string { return fmt.Sprintf("%.0f%%", 100*float64(r.mix[name])/float64(r.mix["all"])) }})
		case "LDG", "STG", "LDS", "STS":
			cs = append(cs, column{"128", 3, func(r row) string { return count(r.mix[name+".128"]) }})
		}
	}
	return append(cs, column{"other", 5, func(r row) string { return count(r.mix["other"]) }})
}()

// section writes the table of a file's kernels, by name and, as they come, by architecture.
func section(text *strings.Builder, title string, kernels []*kernel) error {
	kernels = slices.Clone(kernels)
	slices.SortStableFunc(kernels, func(a, b *kernel) int { return strings.Compare(a.name, b.name) })
	width := len("kernel")
	for _, k := range kernels {
		width = max(width, len(k.name))
	}
	fmt.Fprintf(text, "\n## %s\n\n```\n%-*s", title, width, "kernel")
	for _, c := range columns {
		fmt.Fprintf(text, " %*s", c.width, c.name)
	}
	text.WriteByte('\n')
	for _, k := range kernels {
		rows, err := k.rows()
		if err != nil {
			return fmt.Errorf("kernel %s of %s: %w", k.name, k.arch, err)
		}
		for _, r := range rows {
			name := k.name
			if r.loop > 0 {
				name = fmt.Sprintf("  loop %d", r.loop)
			}
			line := fmt.Sprintf("%-*s", width, name)
			for _, c := range columns {
				line += fmt.Sprintf(" %*s", c.width, c.of(r))
			}
			fmt.Fprintln(text, line)
		}
	}
	text.WriteString("```\n")
	return nil
}

func (k *kernel) rows() ([]row, error) {
	m, err := machine(k.arch)
	if err != nil {
		return nil, err
	}
	r := row{kernel: k, mix: mix(k.code)}
	r.blocks, r.limit = m.holds(k.threads, k.registers, k.shared)
	r.share = 100 * float64(r.blocks*ceil(k.threads, warp)) / float64(m.warps)
	r.lose, r.win = m.cliffs(k.threads, k.registers, k.shared)
	rows := []row{r}
	inner, err := loops(k.code)
	if err != nil {
		return nil, err
	}
	for n, loop := range inner {
		body := make([]instruction, len(loop))
		for i, at := range loop {
			body[i] = k.code[at]
		}
		rows = append(rows, row{kernel: k, loop: n + 1, mix: mix(body)})
	}
	return rows, nil
}
