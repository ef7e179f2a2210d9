package optest

import (
	"slices"
	"strings"
)

// fewWords is what the operands and results of a case among few have at most: enough for every kernel.
const fewWords = 20000

// Few chooses, of the cases that launch a kernel, n that are spread over their sizes, none of them large, and those of Turns; so
// for each kernel, in the order of cases. kernels tells what a case launches; cases that launch nothing are left out.
func Few(cases []*Case, n int, kernels func(*Case) []string) (few []*Case) {
	of := map[string][]*Case{}
	chosen := map[*Case]bool{}
	for _, c := range cases {
		all := kernels(c)
		for _, k := range all {
			if c.Words() <= fewWords {
				of[k] = append(of[k], c)
			}
		}
		chosen[c] = len(all) > 0 && strings.HasPrefix(c.Note, Turns)
	}
	for _, some := range of {
		slices.SortStableFunc(some, func(a, b *Case) int { return a.Words() - b.Words() })
		m := min(n, len(some))
		for i := range m {
			chosen[some[(2*i+1)*len(some)/(2*m)]] = true
		}
	}
	for _, c := range cases {
		if chosen[c] {
			few = append(few, c)
		}
	}
	return few
}
