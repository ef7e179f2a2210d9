// Package nearest names the right word that lies nearest to a wrong one, for error messages.
package nearest

import (
	"fmt"
	"strings"
	"unicode/utf8"
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

// Near is the entry of names that s was meant to be, as far as one can tell: Name, if edits reach it of which there are at most one
// in three letters, or a single one, and which leave something; else the shortest one that s, three letters or more, begins; else "".
func Near(s string, names []string) string {
	name := Name(s, names)
	letters := max(utf8.RuneCountInString(s), utf8.RuneCountInString(name))
	if d := Distance(s, name); name != "" && d <= max(1, letters/3) && d < letters {
		return name
	}
	name = ""
	for _, n := range names {
		begins := utf8.RuneCountInString(s) >= 3 && strings.HasPrefix(strings.ToLower(n), strings.ToLower(s))
		if begins && (name == "" || len(n) < len(name)) {
			name = n
		}
	}
	return name
}

// Unknown is the error for a word that is none of names: `unknown layer type "linaer"; nearest is "linear" (one of
// linear, relu)`, or, where none is near, `unknown layer type "x"; want one of linear, relu`. It keeps the order of names.
func Unknown(what, s string, names []string) error {
	all := strings.Join(names, ", ")
	switch near := Near(s, names); {
	case len(names) == 0:
		return fmt.Errorf("unknown %s %q; none is allowed here", what, s)
	case near != "":
		return fmt.Errorf("unknown %s %q; nearest is %q (one of %s)", what, s, near, all)
	case len(names) == 1:
		return fmt.Errorf("unknown %s %q; want %s", what, s, all)
	default:
		return fmt.Errorf("unknown %s %q; want one of %s", what, s, all)
	}
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
