package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lockstep/bench/record"
)

// peersPart is the part of a record that bin/peers writes.
const peersPart = "cpu-peers"

// rivals is what a record says of lockstep beside other libraries on a CPU.
type rivals struct {
	file       string
	begin      *record.Begin
	machine    string
	threads    int
	versions   map[string]string
	results    []result
	changes    []change
	deviations map[string]float64 // from float64, by case and side
	ended      string             // how its run ended, if not well: its tables are of some rounds
	busy       float64            // the share of the processors that other programs took
}

// result and change are lines of bench/peers: what was measured of a side, and how much of a result changes.
type result struct {
	Case, Side, Unit string
	Threads          int
	Values           []float64 // by round
	Median           float64
}

type change struct {
	Case, Side string
	Of, Words  int
}

// readRivals reads the record's part of peers. Error: it holds no figures.
func readRivals(path string, p *record.Part) (*rivals, error) {
	r := &rivals{file: filepath.ToSlash(path), begin: p.Begin, versions: map[string]string{}, deviations: map[string]float64{}}
	if p.End.Status != record.OK {
		r.ended = strings.TrimSuffix(fmt.Sprintf("%s: %s", p.End.Status, p.End.Why), ": ")
	}
	err := each(p, func(x struct {
		result
		Of, Words int
		Relative  float64
		Machine   *struct {
			Host    string
			Threads int
		}
		Versions map[string]string
		Quiet    *struct{ Elsewhere float64 }
	}) {
		switch {
		case x.Machine != nil:
			r.machine, r.threads = x.Machine.Host, x.Machine.Threads
		case x.Quiet != nil:
			r.busy = x.Quiet.Elsewhere
		case strings.HasPrefix(x.Case, "bits/"):
			r.changes = append(r.changes, change{x.Case, x.Side, x.Of, x.Words})
		case strings.HasPrefix(x.Case, "deviation/"):
			r.deviations[x.Case+" "+x.Side] = x.Relative
		case x.Values != nil: // those of all rounds so far: the last line counts
			if was := r.of(x.Case, x.Side, x.Threads); was != nil {
				*was = x.result
			} else {
				r.results = append(r.results, x.result)
			}
		}
		for name, v := range x.Versions {
			r.versions[name] = v
		}
	})
	if err == nil && (r.machine == "" || len(r.results) == 0 || r.begin == nil) {
		err = errors.New("it holds no figures")
	}
	if err != nil {
		return nil, fmt.Errorf("record %s, part %s: %w", path, peersPart, err)
	}
	return r, nil
}

// of is what was measured of a side on a case; nil: nothing.
func (r *rivals) of(name, side string, threads int) *result {
	for i, x := range r.results {
		if x.Case == name && x.Side == side && x.Threads == threads {
			return &r.results[i]
		}
	}
	return nil
}

// ratio is how many times as fast one side was as another: the median over the rounds, in each of which both were measured.
func ratio(ours, theirs *result) (float64, bool) {
	if ours == nil || theirs == nil || len(ours.Values) != len(theirs.Values) {
		return 0, false
	}
	var all []float64
	for i, v := range ours.Values {
		if ours.Unit == "s" {
			all = append(all, theirs.Values[i]/v)
		} else {
			all = append(all, v/theirs.Values[i])
		}
	}
	slices.Sort(all)
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2, n > 0
}

// names of the sides, as the tables write them.
var sideNames = map[string]string{"lockstep": "lockstep", "lockstep gaussian": "lockstep, Gaussian map", "jax": "JAX", "torch": "PyTorch", "openblas": "OpenBLAS", "gonum": "gonum"}

// spaces are the trainings, in words.
var spaces = []struct{ name, title string }{
	{"full", "all 8,970 parameters"},
	{"each", "d = 100, a basis for each network"},
	{"one", "d = 100, one basis for all"},
}

// markdownPeers are the tables of a record: speed in training, speed of products, bits. Of several records the last one counts.
func markdownPeers(all []*rivals) string {
	if len(all) == 0 {
		return "Not measured yet.\n"
	}
	r := all[len(all)-1]
	var b strings.Builder
	if r.ended != "" {
		fmt.Fprintf(&b, "**Not a whole run**, it was %s.\n\n", r.ended)
	}
	fmt.Fprintf(&b, "%s, %d threads for every side, %s, %s ([record](%s)); %s. Medians over rounds in each of which every side was measured once, ratios within rounds; other programs took %.0f %% of the processors.\n",
		r.machine, r.threads, r.begin.At.Format("2006-01-02"), r.begin.Build, r.file, r.libraries(), 100*r.busy)
	r.training(&b)
	r.products(&b)
	r.bits(&b)
	return b.String()
}

// libraries names what was measured beside lockstep.
func (r *rivals) libraries() string {
	return fmt.Sprintf("JAX %s, PyTorch %s, OpenBLAS %s (%s) by way of numpy %s, gonum %s", cmp.Or(r.versions["jax"], "?"), cmp.Or(r.versions["torch"], "?"),
		cmp.Or(r.versions["openblas"], "?"), cmp.Or(r.versions["core"], "?"), cmp.Or(r.versions["numpy"], "?"), cmp.Or(r.versions["gonum"], "?"))
}

// table writes a table: the first column of text, the others of figures.
func table(b *strings.Builder, head []string, rows [][]string) {
	fmt.Fprintf(b, "\n| %s |\n|---|%s\n", strings.Join(head, " | "), strings.Repeat("---:|", len(head)-1))
	for _, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
}

// same tells which of lockstep's sides trains what the peers train: with all parameters there is no map, and in a subspace it is
// the Gaussian one.
func (r *rivals) same(name string, threads int) *result {
	if strings.HasPrefix(name, "train/full/") {
		return r.of(name, "lockstep", threads)
	}
	return r.of(name, "lockstep gaussian", threads)
}

// ternary is the other side; nil: there is none.
func (r *rivals) ternary(name string, threads int) *result {
	if strings.HasPrefix(name, "train/full/") {
		return nil
	}
	return r.of(name, "lockstep", threads)
}

// training is the speed of packs and of the whole job.
func (r *rivals) training(b *strings.Builder) {
	b.WriteString("\nThe same problem as the peers' is lockstep's training of all parameters, and in a subspace by its Gaussian map, a dense float32 basis as theirs: z must agree before anything is timed. " +
		"The ternary map is another basis for the same study, of two bits an entry.\n")
	row := func(title, name, unit string) []string {
		ours, ternary, jax, torch := r.same(name, r.threads), r.ternary(name, r.threads), r.of(name, "jax", r.threads), r.of(name, "torch", r.threads)
		cells := []string{title}
		for _, x := range []*result{ours, ternary, jax, torch} {
			if x == nil {
				cells = append(cells, "")
				continue
			}
			cells = append(cells, digits(x.Median)+unit)
		}
		return append(cells, times(ours, jax), times(ternary, jax), times(ours, torch))
	}
	var rows [][]string
	for _, s := range spaces {
		for _, n := range r.numbers("train/" + s.name + "/cells=") {
			rows = append(rows, row(fmt.Sprintf("%s; %s", s.title, plural(n, "network")), fmt.Sprintf("train/%s/cells=%d", s.name, n), ""))
		}
	}
	for _, n := range r.numbers("job/") {
		rows = append(rows, row(fmt.Sprintf("a whole sweep of 30 networks, %s, from nothing: seconds", plural(n, "step")), fmt.Sprintf("job/%d", n), " s"))
	}
	table(b, []string{"steps of training a second, of all networks together", "lockstep, same problem (Gaussian map)", "lockstep, ternary map", "JAX", "PyTorch",
		"same problem / JAX", "ternary map / JAX", "same problem / PyTorch"}, rows)
}

// times is a ratio as the tables show it; "": there is none.
func times(ours, theirs *result) string {
	if x, ok := ratio(ours, theirs); ok {
		return fmt.Sprintf("%.2f", x)
	}
	return ""
}

// multiplied are the products, in words.
var multiplied = []struct{ name, title string }{
	{"matmul/512x512x512/cells=1", "512 x 512 x 512"}, {"matmul/64x64x64/cells=64", "64 products 64 x 64 x 64"}, {"matmul/32x32x32/cells=256", "256 products 32 x 32 x 32"},
}

// products is the speed of matrix products.
func (r *rivals) products(b *strings.Builder) {
	var rows [][]string
	for _, p := range multiplied {
		for _, threads := range slices.Compact([]int{1, r.threads}) {
			row := []string{fmt.Sprintf("%s, %s", p.title, plural(threads, "thread"))}
			ours := r.of(p.name, "lockstep", threads)
			for _, side := range []string{"lockstep", "openblas", "gonum"} {
				text := ""
				if x := r.of(p.name, side, threads); x != nil {
					text = digits(x.Median)
					if share, ok := ratio(x, r.of("peak", "lockstep", threads)); ok {
						text += fmt.Sprintf(" (%.0f %%)", 100*share)
					}
				}
				row = append(row, text)
			}
			rows = append(rows, append(row, times(ours, r.of(p.name, "openblas", threads))))
		}
	}
	table(b, []string{"float32 products: GMAC/s (of the multiply-add peak)", "lockstep", "OpenBLAS", "gonum", "lockstep / OpenBLAS"}, rows)
	r.scaling(b)
}

// scaling is the rate on all threads beside that on one: of the peak, which is what the machine allows, and of each product.
func (r *rivals) scaling(b *strings.Builder) {
	var all []string
	if x := times(r.of("peak", "lockstep", r.threads), r.of("peak", "lockstep", 1)); x != "" {
		all = append(all, "the multiply-add peak "+x)
	}
	for _, p := range multiplied {
		var sides []string
		for _, s := range []string{"lockstep", "openblas", "gonum"} {
			if x := times(r.of(p.name, s, r.threads), r.of(p.name, s, 1)); x != "" {
				sides = append(sides, sideNames[s]+" "+x)
			}
		}
		if len(sides) > 0 {
			all = append(all, p.title+": "+strings.Join(sides, ", "))
		}
	}
	if r.threads > 1 && len(all) > 0 {
		fmt.Fprintf(b, "\nRate on %d threads / rate on 1: %s.\n", r.threads, strings.Join(all, "; "))
	}
}

// bits is how many words of a result change with what should not matter: the most of the variations tried.
func (r *rivals) bits(b *strings.Builder) {
	sides := []string{"lockstep", "lockstep gaussian", "jax", "torch", "openblas", "gonum"}
	type kind struct{ prefix, title string }
	var kinds []kind
	for _, by := range []kind{{"bits/pack/", "the size of the pack"}, {"bits/threads/", "the number of threads"}} {
		for _, s := range spaces {
			kinds = append(kinds, kind{by.prefix + s.name + "/", fmt.Sprintf("z after 20 steps, with %s: %s", by.title, s.title)})
		}
	}
	kinds = append(kinds, kind{"bits/batch/", "logits of the test set, with the rows of a batch"}, kind{"bits/threads/rows=", "logits of the test set, with the number of threads"})
	head := []string{"float32 words that change"}
	for _, s := range sides {
		head = append(head, sideNames[s])
	}
	var rows [][]string
	for _, k := range kinds {
		row := []string{k.title}
		for _, s := range sides {
			row = append(row, r.most(s, k.prefix))
		}
		rows = append(rows, row)
	}
	table(b, head, rows)
}

// most is the largest change of a side in the cases with a prefix; "": there are none.
func (r *rivals) most(side, prefix string) string {
	most, of := -1, 0
	for _, c := range r.changes {
		if c.Side == side && strings.HasPrefix(c.Case, prefix) && c.Words > most {
			most, of = c.Words, c.Of
		}
	}
	if most < 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s", digits(float64(most)), digits(float64(of)))
}

// numbers are what follows the prefix in the cases' names, ascending.
func (r *rivals) numbers(prefix string) (all []int) {
	for _, x := range r.results {
		if rest, ok := strings.CutPrefix(x.Case, prefix); ok {
			if n, err := strconv.Atoi(rest); err == nil {
				all = append(all, n)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%s %ss", digits(float64(n)), what)
}

// digits writes a number: with three digits, or all of its whole part with commas.
func digits(x float64) string {
	if math.Abs(x) < 100 && x != math.Trunc(x) {
		return fmt.Sprintf("%.3g", x)
	}
	s := fmt.Sprintf("%.0f", x)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
