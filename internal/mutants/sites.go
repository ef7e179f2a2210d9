package main

import (
	"fmt"
	"regexp"
	"strings"
)

// site is a place of a source of cuda/ at which a fault can be planted.
type site struct {
	file, kind string
	line       int
	edits      []edit // the fault
	mark       edit   // a harmless edit by which a compiler tells that it makes code of the place: %d is the site's number
}

// edit replaces source[from:to].
type edit struct {
	from, to int
	text     string
}

// The kinds of faults.
const (
	barrier     = "barrier removed"
	mask        = "mask without its lowest lane"
	contraction = "multiply-add contracted"
	bound       = "bound one too far"
)

// String says where a site is and what is there.
func (s site) String() string { return fmt.Sprintf("%s:%d", s.file, s.line) }

var (
	comments = regexp.MustCompile(`//[^\n]*`)
	barriers = regexp.MustCompile(`(?:(?:__syncthreads|__syncwarp|cp_async_wait<\w+>)\([^;{]*|cluster_barrier\()\);`)
	masks    = regexp.MustCompile(`__(?:shfl|shfl_up|shfl_down|shfl_xor|ballot|any|all|match_any|reduce_\w+)_sync\(([^,]+),`)
	bounds   = regexp.MustCompile(` (<|>=) ([\w.\->]+(?:\([^()]*\))?)`)
	constant = regexp.MustCompile(`^(?:-?[0-9][\w.\-]*|[A-Z][A-Z0-9_]*)$`)
	products = regexp.MustCompile(`\b(\w+) = mul\(`)
	sums     = regexp.MustCompile(`\b(add|sub)\(`)
)

// sitesOf finds the places of faults in a source: barriers and waits, masks of what lanes do together, additions of a product,
// comparisons with what is no constant, but for those that choose the smaller or larger of two.
func sitesOf(file, source string) (all []site) {
	code := comments.ReplaceAllStringFunc(source, func(c string) string { return strings.Repeat(" ", len(c)) })
	found := func(kind string, at int, mark edit, edits ...edit) {
		all = append(all, site{file, kind, 1 + strings.Count(code[:at], "\n"), edits, mark})
	}
	for _, m := range barriers.FindAllStringIndex(code, -1) {
		found(barrier, m[0], edit{m[0], m[1], "(emu_site<%d>(), " + strings.TrimSuffix(code[m[0]:m[1]], ";") + ");"}, edit{m[0], m[1], ";"})
	}
	for _, m := range masks.FindAllStringSubmatchIndex(code, -1) {
		x := code[m[2]:m[3]]
		found(mask, m[0], edit{m[2], m[3], "emu_site<%d>() | (" + x + ")"}, edit{m[2], m[3], fmt.Sprintf("(%s) & ((%s) - 1)", x, x)})
	}
	for _, m := range bounds.FindAllStringSubmatchIndex(code, -1) {
		operator, limit := code[m[2]:m[3]], code[m[4]:m[5]]
		rest := strings.TrimLeft(code[m[5]:], ") ")
		if constant.MatchString(limit) || strings.HasPrefix(rest, "?") && chooses(code[:m[0]], limit, rest) {
			continue
		}
		wrong := map[string]string{"<": "<=", ">=": ">"}[operator]
		found(bound, m[0], edit{m[4], m[4], "emu_site<%d>() + "}, edit{m[2], m[3], wrong})
	}
	for _, m := range sums.FindAllStringSubmatchIndex(code, -1) {
		args := arguments(code, m[1])
		if len(args) != 2 || strings.Contains(code[max(0, m[0]-40):m[0]], "__forceinline__") {
			continue
		}
		for i, x := range args {
			mark := edit{m[1], m[1], "emu_site<%d>() + "}
			if strings.HasPrefix(x.text, "mul(") && strings.HasSuffix(x.text, ")") {
				if f := arguments(code, x.from+len("mul(")); len(f) == 2 && f[1].to+1 == x.to {
					found(contraction, m[0], mark, edit{m[0], args[1].to + 1, fused(code[m[2]:m[3]], f[0].text, f[1].text, args[1-i].text, i)})
				}
			}
			if def, f := productOf(code[:m[0]], x.text); f != nil {
				found(contraction, m[0], mark, edit{def, def, fmt.Sprintf("const float factor0 = %s, factor1 = %s; ", f[0].text, f[1].text)},
					edit{m[0], args[1].to + 1, fused(code[m[2]:m[3]], "factor0", "factor1", args[1-i].text, i)})
			}
		}
	}
	return all
}

// fused is add or sub of a product, its argument i, and of c, rounded once.
func fused(name, a, b, c string, i int) string {
	switch {
	case name == "sub" && i == 0:
		c = "-(" + c + ")"
	case name == "sub":
		a = "-(" + a + ")"
	}
	return fmt.Sprintf("fma32(%s, %s, %s)", a, b, c)
}

// productOf finds the last assignment of the function to a variable before a statement, if it is that of a product: where its statement begins,
// and the factors.
func productOf(before, variable string) (statement int, factors []edit) {
	begin := strings.LastIndex(before, "\n}") + 1
	end := strings.LastIndexAny(before, ";{}") // of the statement before
	if begin > end {
		return 0, nil
	}
	assigned := regexp.MustCompile(`\b`+regexp.QuoteMeta(variable)+` = `).FindAllStringIndex(before[begin:end], -1)
	if assigned == nil {
		return 0, nil
	}
	last := begin + assigned[len(assigned)-1][0]
	m := products.FindStringSubmatchIndex(before[last:])
	if m == nil || m[0] != 0 {
		return 0, nil
	}
	if factors = arguments(before, last+m[1]); len(factors) != 2 {
		return 0, nil
	}
	return strings.LastIndexAny(before[:last], ";{}\n") + 1, factors
}

// arguments are those of a call whose first argument begins at from; nil if its parentheses do not match.
func arguments(code string, from int) (all []edit) {
	depth, begin := 0, from
	for i := from; i < len(code); i++ {
		switch c := code[i]; {
		case c == '(' || c == '{' || c == '[':
			depth++
		case depth > 0 && (c == ')' || c == '}' || c == ']'):
			depth--
		case depth == 0 && (c == ',' || c == ')'):
			for begin < i && code[begin] == ' ' {
				begin++
			}
			all = append(all, edit{begin, i, code[begin:i]})
			if begin = i + 1; c == ')' {
				return all
			}
		}
	}
	return nil
}

// chooses tells whether `left < limit ? ..` gives left or limit itself: then it does not matter which if they are equal.
func chooses(before, limit, rest string) bool {
	left := before[strings.LastIndexAny(before, " (\n")+1:]
	then := strings.TrimLeft(rest, "? ")
	return strings.HasPrefix(then, left+" :") || strings.HasPrefix(then, limit+" :")
}

// apply makes the edits, of which none overlap.
func apply(source string, edits ...edit) string {
	for i := len(edits) - 1; i >= 0; i-- { // they are in ascending order
		source = source[:edits[i].from] + edits[i].text + source[edits[i].to:]
	}
	return source
}
