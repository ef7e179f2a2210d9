package optest

import (
	"slices"
	"strings"
)

// fewWords is what the operands and results of a case among few have at most: enough for every kernel.
const fewWords = 20000

// Few chooses, of the cases that launch a kernel, n that are spread over their sizes, none of them large, and those of Turns; so
// for each kernel, in the order of cases. kernels tells what a case launches, which may take it a compilation: it is asked of
// the cases that can be chosen, and no others. Cases that launch nothing are left out.
func Few(cases []*Case, n int, kernels func(*Case) []string) (few []*Case) {
	of := map[string][]*Case{}
	chosen := map[*Case]bool{}
	for _, c := range cases {
		small, turns := c.Words() <= fewWords, strings.HasPrefix(c.Note, Turns)
		if !small && !turns {
			continue
		}
		all := kernels(c)
		if small {
			for _, k := range all {
				of[k] = append(of[k], c)
			}
		}
		chosen[c] = turns && len(all) > 0
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
