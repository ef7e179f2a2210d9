package main

import (
	"fmt"
	"strings"
)

// equivalents are faults that change no bit of a result and touch nothing that is not theirs, and why. Each is given by the text round its place.
var equivalents = []struct{ file, text, kind, why string }{}

// named are planted beside those that are derived: the first occurrence of from in the file becomes to.
var named = []struct{ kind, file, from, to, kernels string }{
	{"a product rounded twice", "num.cuh", "return __fmaf_rn(a, b, c);", "return __fadd_rn(__fmul_rn(a, b), c);", "matmul matmuljvp normal softmax unary xent"},
	{"a result that is not written whole", "fill.cu", "each_word(a.words, slot_of(a.out, blockIdx.y), [&]", "each_word(a.words - 1, slot_of(a.out, blockIdx.y), [&]", "fill"},
	{"a NaN stored as it comes", "num.cuh", "return is_nan(x) ? NAN_BITS : bits_of(x);", "return bits_of(x);", "binary matmul matmuljvp softmax sum unary"},
}

func namedFaults(sources map[string]string) (faults []kernelFault, err error) {
	for _, n := range named {
		at := strings.Index(sources[n.file], n.from)
		if at < 0 {
			return nil, fmt.Errorf("cuda/%s has no %q any more; mend the list", n.file, n.from)
		}
		for _, name := range strings.Fields(n.kernels) {
			faults = append(faults, kernelFault{site{file: n.file, kind: n.kind, line: 1 + strings.Count(sources[n.file][:at], "\n"),
				edits: []edit{{at, at + len(n.from), n.to}}}, name})
		}
	}
	return faults, nil
}

// equivalent is the reason why a fault changes nothing; "" of those that do.
func equivalent(f kernelFault, source string) string {
	for _, e := range equivalents {
		if e.file != f.file || e.kind != f.kind {
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
func checkEquivalents(sources map[string]string, faults []kernelFault) error {
	used := map[string]bool{}
	for _, f := range faults {
		used[equivalent(f, sources[f.file])] = true
	}
	for _, e := range equivalents {
		if !used[e.why] {
			return fmt.Errorf("cuda/%s has no place for %q at %q any more; mend the list of equivalent faults", e.file, e.kind, e.text)
		}
	}
	return nil
}
