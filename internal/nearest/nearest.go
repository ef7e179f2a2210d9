// Package nearest names the right word that lies nearest to a wrong one, for error messages.
package nearest

import (
	"fmt"
	"strings"
)

// Name is the entry of names that takes the fewest edits to reach from s; the first of equals, "" when names is empty.
func Name(s string, names []string) string {
	best, least := "", -1
	for _, n := range names {
		if d := Distance(s, n); least < 0 || d < least {
			best, least = n, d
		}
	}
	return best
}

// Unknown is the error for a word that is none of names: `unknown layer type "linaer"; nearest is "linear" (one of
// linear, relu)`. It keeps the order of names.
func Unknown(what, s string, names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("unknown %s %q; none is allowed here", what, s)
	}
	return fmt.Errorf("unknown %s %q; nearest is %q (one of %s)", what, s, Name(s, names), strings.Join(names, ", "))
}

// Distance is the number of single-character insertions, deletions, substitutions and swaps of neighbours that turn a
// into b (optimal string alignment: Boytsov 2011, ACM JEA 16, section 2.2). Case counts for nothing.
func Distance(a, b string) int {
	s, t := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	var before []int               // row i-2 of the table
	above := make([]int, len(t)+1) // row i-1
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row := make([]int, len(t)+1)
		row[0] = i
		for j := 1; j <= len(t); j++ {
			substitute := above[j-1]
			if s[i-1] != t[j-1] {
				substitute++
			}
			row[j] = min(above[j]+1, row[j-1]+1, substitute)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above = above, row
	}
	return above[len(t)]
}
