package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lockstep/bench"
)

// differentiated is a case of bench/peers by its name, curvature/NETWORK/WHAT/models=M/vectors=K.
type differentiated struct {
	name            string
	network, what   string
	models, vectors int
}

var isDifferentiated = regexp.MustCompile(`^curvature/([^/]+)/([^/]+)/models=(\d+)/vectors=(\d+)$`)

// networks and derivatives, in words and in their order.
var networks = []struct{ name, title string }{
	{"mlp", "MLP"}, {"transformer", "transformer"},
}

var derivatives = []struct{ name, title string }{
	{"gradient", "gradient"}, {"hessian", "Hessian x vector"}, {"ggn", "Gauss-Newton x vector"},
	{"hessian-kept", "Hessian x vector, at the same parameters again"}, {"ggn-kept", "Gauss-Newton x vector, at the same parameters again"},
}

// curvedSides are the sides and their columns.
var curvedSides = []struct{ name, title string }{
	{"lockstep", "lockstep"}, {"jax", "JAX"}, {"torch", "PyTorch, double backward"}, {"torch func", "torch.func"}, {"curvlinops", "curvlinops"},
}

// differentiatedCases are those of a record; of none those that a run measures.
func (r *rivals) differentiatedCases() (all []differentiated) {
	seen := map[string]bool{}
	add := func(name string) {
		m := isDifferentiated.FindStringSubmatch(name)
		if m == nil || seen[name] {
			return
		}
		seen[name] = true
		models, _ := strconv.Atoi(m[3])
		vectors, _ := strconv.Atoi(m[4])
		all = append(all, differentiated{name, m[1], m[2], models, vectors})
	}
	if r != nil {
		for _, x := range r.results {
			add(x.Case)
		}
	} else {
		for _, n := range networks {
			for _, d := range derivatives {
				for _, models := range []int{1, 16} {
					add(fmt.Sprintf("curvature/%s/%s/models=%d/vectors=1", n.name, d.name, models))
					if d.name != bench.Gradient {
						add(fmt.Sprintf("curvature/%s/%s/models=%d/vectors=%d", n.name, d.name, models, bench.CurvatureVectors))
					}
				}
			}
		}
	}
	at := func(list []struct{ name, title string }, name string) int {
		return slices.IndexFunc(list, func(x struct{ name, title string }) bool { return x.name == name })
	}
	slices.SortStableFunc(all, func(a, b differentiated) int {
		return cmp.Or(at(networks, a.network)-at(networks, b.network), at(derivatives, a.what)-at(derivatives, b.what), a.vectors-b.vectors, a.models-b.models)
	})
	return all
}

// title is a word's title in a list; the word itself where it has none.
func title(list []struct{ name, title string }, name string) string {
	for _, x := range list {
		if x.name == name {
			return x.title
		}
	}
	return name
}

// String is the case in words.
func (d differentiated) String() string {
	text := fmt.Sprintf("%s, %s; %s", title(networks, d.network), title(derivatives, d.what), plural(d.models, "model"))
	if d.vectors > 1 {
		text += fmt.Sprintf(", %s each", plural(d.vectors, "vector"))
	}
	return text
}

// markdownCurvature are the tables of the last record that has derivatives: times, deviations from float64, bits.
func markdownCurvature(all []*rivals) string {
	var r *rivals
	for _, x := range all {
		if len(x.differentiatedCases()) > 0 {
			r = x
		}
	}
	var b strings.Builder
	if r == nil {
		b.WriteString("Not measured yet.\n")
	} else {
		if r.ended != "" {
			fmt.Fprintf(&b, "**Not a whole run**, it was %s.\n\n", r.ended)
		}
		fmt.Fprintf(&b, "%s, %s, %s, %s ([record](%s)); JAX %s, PyTorch %s, curvlinops %s. Other programs took %.0f %% of the processors.\n",
			r.machine, plural(r.threads, "thread"), r.begin.At.Format("2006-01-02"), r.begin.Build, r.file,
			cmp.Or(r.versions["jax"], "?"), cmp.Or(r.versions["torch"], "?"), cmp.Or(r.versions["curvlinops"], "?"), 100*r.busy)
	}
	r.derivativeTimes(&b)
	if r != nil {
		r.deviation(&b)
		r.derivativeBits(&b)
	}
	return b.String()
}

// derivativeTimes are milliseconds of one gradient or product on all threads, and on one.
func (r *rivals) derivativeTimes(b *strings.Builder) {
	head := []string{"milliseconds of one gradient or product"}
	if r != nil && r.threads > 1 {
		head[0] += fmt.Sprintf(": on %d threads (on 1)", r.threads)
	}
	for _, s := range curvedSides {
		head = append(head, s.title)
	}
	head = append(head, "JAX / lockstep", "fastest of PyTorch's / lockstep")
	var rows [][]string
	for _, c := range r.differentiatedCases() {
		row := []string{c.String()}
		if r == nil {
			row = append(row, "not measured yet")
			rows = append(rows, append(row, make([]string, len(head)-len(row))...))
			continue
		}
		for _, s := range curvedSides {
			text := ""
			if x := r.of(c.name, s.name, r.threads); x != nil {
				text = digits(1000 / x.Median)
			}
			if x := r.of(c.name, s.name, 1); x != nil && r.threads > 1 {
				text += fmt.Sprintf(" (%s)", digits(1000/x.Median))
			}
			row = append(row, text)
		}
		ours := r.of(c.name, "lockstep", r.threads)
		var fastest *result
		for _, s := range curvedSides[2:] {
			if x := r.of(c.name, s.name, r.threads); x != nil && (fastest == nil || x.Median > fastest.Median) {
				fastest = x
			}
		}
		rows = append(rows, append(row, times(ours, r.of(c.name, "jax", r.threads)), times(ours, fastest)))
	}
	table(b, head, rows)
}

// deviation is how far products are from those in float64, of the largest pack.
func (r *rivals) deviation(b *strings.Builder) {
	head := []string{"distance from the product in float64 / its length, of the worst vector"}
	for _, s := range curvedSides {
		head = append(head, s.title)
	}
	most := map[string]int{}
	cases := r.differentiatedCases()
	for _, c := range cases {
		most[c.network+c.what] = max(most[c.network+c.what], c.models)
	}
	var rows [][]string
	for _, c := range cases {
		row, any := []string{c.String()}, false
		for _, s := range curvedSides {
			text := ""
			if x, ok := r.deviations["deviation/"+strings.TrimPrefix(c.name, "curvature/")+" "+s.name]; ok {
				text, any = fmt.Sprintf("%.1e", x), true
			}
			row = append(row, text)
		}
		if any && c.models == most[c.network+c.what] {
			rows = append(rows, row)
		}
	}
	table(b, head, rows)
}

// derivativeBits is how many words of the first model's first product change with what should not matter: the most of the cases.
func (r *rivals) derivativeBits(b *strings.Builder) {
	head := []string{"float32 words that change"}
	for _, s := range curvedSides {
		head = append(head, s.title)
	}
	var rows [][]string
	for _, n := range networks {
		for _, by := range []struct{ name, title string }{{"pack", "the number of models"}, {"vectors", "the number of vectors"}, {"threads", "the number of threads"}} {
			row := []string{fmt.Sprintf("%s, of a gradient or product, with %s", n.title, by.title)}
			for _, s := range curvedSides {
				row = append(row, r.most(s.name, fmt.Sprintf("bits/curvature/%s/%s/", by.name, n.name)))
			}
			rows = append(rows, row)
		}
	}
	table(b, head, rows)
}
