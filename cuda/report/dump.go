package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// kernel is one kernel as it was compiled for one architecture.
type kernel struct {
	name, arch, compiler string // compiler: the version of ptxas, which is nvcc's
	threads              int    // of a block, by its KERNEL(threads)
	registers            int    // of a thread
	shared, stack        int    // bytes: static shared memory of a block; a thread's frame and spilled registers, which must be 0
	code                 []instruction
}

// instruction is one of 16 bytes of machine code, as nvdisasm writes it: @P0 LDG.E.128 R4, [R2.64].
type instruction struct {
	at          int    // its address in the kernel
	conditional bool   // it has a predicate
	name        string // LDG
	suffix      string // .E.128
	operands    []string
	targets     []int // of an indirect jump: addresses where it may go
}

var (
	archLine     = regexp.MustCompile(`^arch = (sm_\w+)$`)
	compilerLine = regexp.MustCompile(`^\tTool Version: .*, V([\d.]+)$`)
	infoLine     = regexp.MustCompile(`^\.nv\.info\.(\S+)$`)
	branchLine   = regexp.MustCompile(`^\t\tOffset of Indirect Branch: 0x([0-9a-f]+)`)
	targetsLine  = regexp.MustCompile(`^\t\tTargets: ((?:0x[0-9a-f]+ *)+)$`)
	valueLine    = regexp.MustCompile(`^\tValue:\t0x([0-9a-f]+) 0x([0-9a-f]+) 0x([0-9a-f]+) *$`)
	usageLine    = regexp.MustCompile(`^ Function (\S+):$`)
	usedLine     = regexp.MustCompile(`^  REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+) `)
	codeLine     = regexp.MustCompile(`^\t\tFunction : (\S+)$`)
	instrLine    = regexp.MustCompile(`^ +/\*([0-9a-f]{4,})\*/ +(@\S+ +)?([A-Z][A-Z0-9_]*)((?:\.\w+)*)(?: +([^;]*?))? *;`)
	addressed    = regexp.MustCompile(`^ +/\*[0-9a-f]{4,}\*/ `)
)

// parse reads what `cuobjdump -elf -res-usage -sass` says of a fatbin: the kernels of each architecture, as they stand there.
func parse(r io.Reader) ([]*kernel, error) {
	var (
		all                   []*kernel
		arch, compiler        string
		info, usage, code     *kernel // that lines are about
		attribute, theThreads = "", "\tAttribute:\tEIATTR_MAX_THREADS"
		branch                int // an indirect jump
	)
	targets := map[*kernel]map[int][]int{}
	find := func(name string) *kernel {
		for _, k := range all {
			if k.name == name && k.arch == arch {
				return k
			}
		}
		all = append(all, &kernel{name: name, arch: arch, compiler: compiler})
		return all[len(all)-1]
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<24)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if m := archLine.FindStringSubmatch(line); m != nil {
			arch, info, usage, code = m[1], nil, nil, nil
		} else if m := compilerLine.FindStringSubmatch(line); m != nil {
			compiler = m[1]
		} else if m := infoLine.FindStringSubmatch(line); m != nil {
			info = find(m[1])
		} else if strings.HasPrefix(line, "\tAttribute:") {
			attribute = line
		} else if m := valueLine.FindStringSubmatch(line); m != nil && info != nil && attribute == theThreads {
			info.threads = hex(m[1]) * hex(m[2]) * hex(m[3])
		} else if m := branchLine.FindStringSubmatch(line); m != nil {
			branch = hex(m[1])
		} else if m := targetsLine.FindStringSubmatch(line); m != nil && info != nil {
			if targets[info] == nil {
				targets[info] = map[int][]int{}
			}
			for to := range strings.FieldsSeq(m[1]) {
				targets[info][branch] = append(targets[info][branch], hex(to[2:]))
			}
		} else if m := usageLine.FindStringSubmatch(line); m != nil {
			usage = find(m[1])
		} else if m := usedLine.FindStringSubmatch(line); m != nil && usage != nil {
			usage.registers, usage.shared, usage.stack = decimal(m[1]), decimal(m[3]), decimal(m[2])+decimal(m[4])
			if usage.shared > 0 && arch != "sm_80" {
				usage.shared -= reserved // which from compute capability 9.0 on is counted in a cubin's size, where there is any
			}
		} else if m := codeLine.FindStringSubmatch(line); m != nil {
			code = find(m[1])
		} else if m := instrLine.FindStringSubmatch(line); m != nil && code != nil {
			i := instruction{at: hex(m[1]), conditional: m[2] != "", name: m[3], suffix: m[4]}
			if m[5] != "" {
				i.operands = strings.Split(m[5], ", ")
			}
			code.code = append(code.code, i)
		} else if addressed.MatchString(line) && code != nil {
			return nil, fmt.Errorf("line %d: no instruction: %q", n, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no kernels: want the output of cuobjdump -elf -res-usage -sass")
	}
	for _, k := range all {
		for n := range k.code {
			k.code[n].targets = targets[k][k.code[n].at]
		}
		if k.compiler == "" || k.threads == 0 || k.registers == 0 || len(k.code) == 0 {
			return nil, fmt.Errorf("kernel %s of %s: no compiler, launch bound, register count or code: want the output of cuobjdump -elf -res-usage -sass", k.name, k.arch)
		}
	}
	return all, nil
}

// The patterns above let only digits through.
func hex(s string) int {
	n, _ := strconv.ParseInt(s, 16, 64)
	return int(n)
}

func decimal(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
