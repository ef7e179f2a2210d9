// Package bench measures the kernels of an engine through programs and packs, as sweeps use them, and holds their times against
// roofs that are measured in the same run.
//
// A case is an op, or a few, at one size and one number of cells. Its program holds it so many times on as many sets of operands,
// so that neither the start of a step nor a cache full of the last step's data is measured; see Case.program.
package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"lockstep/graph"
	"lockstep/internal/nearest"
	"lockstep/op"
)

// Case is one line of a benchmark.
type Case struct {
	Name  string // family/what/cells=C
	Cells int
	Unit  string // of its rate: see units
	in    []operand
	body  func(b *graph.Builder, in []op.Value) []op.Value
	train *TrainSpec     // instead of in and body
	sweep *SweepSpec     // or this
	hvp   *CurvatureSpec // or this
}

// Family is the part of the name before the first slash.
func (c *Case) Family() string {
	f, _, _ := strings.Cut(c.Name, "/")
	return f
}

// Select picks the cases whose names match any of the patterns, regular expressions as those of go test -bench; no pattern picks
// all. Quick keeps the first of each family only. Errors: a pattern that is none, or that matches no case, with the nearest name.
func Select(all []*Case, patterns []string, quick bool) (some []*Case, err error) {
	matches := make([]*regexp.Regexp, len(patterns))
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	for i, p := range patterns {
		if matches[i], err = Pattern(p, names, "lockstep bench --list shows all"); err != nil {
			return nil, err
		}
	}
	families := map[string]bool{}
	for _, c := range all {
		if len(matches) > 0 && !slices.ContainsFunc(matches, func(m *regexp.Regexp) bool { return m.MatchString(c.Name) }) || quick && families[c.Family()] {
			continue
		}
		families[c.Family()] = true
		some = append(some, c)
	}
	return some, nil
}

// Pattern is a regular expression that picks cases by their names. Errors: it is none, or matches no name, with the nearest and a hint
// where all are to be seen.
func Pattern(p string, names []string, hint string) (*regexp.Regexp, error) {
	match, err := regexp.Compile(p)
	if err != nil {
		return nil, fmt.Errorf("%q is no regular expression: %w", p, err)
	}
	if !slices.ContainsFunc(names, match.MatchString) {
		if near := nearestCase(p, names); near != "" {
			return nil, fmt.Errorf("no case matches %q; nearest is %q (%s)", p, near, hint)
		}
		return nil, fmt.Errorf("no case matches %q (%s)", p, hint)
	}
	return match, nil
}

// nearestCase compares a wrong name with as much of each name: "matmull" is near to "matmul", not to a short name.
func nearestCase(wrong string, names []string) string {
	parts := strings.Count(wrong, "/") + 1
	var cut []string
	for _, n := range names {
		cut = append(cut, strings.Join(strings.SplitN(n, "/", parts+1)[:min(parts, strings.Count(n, "/")+1)], "/"))
	}
	return nearest.Near(wrong, cut)
}

// operand is one operand of one set.
type operand struct {
	op.Type
	word func(r *rand.Rand) uint32 // draws one
	read int                       // words that a cell reads; 0: all
	row  int                       // 1 + its axis of which every row of the result takes one entry; 0: a row takes all of it
}

// byRow says that row i of every result hangs on entry i of this axis, and on no other entry.
func (o operand) byRow(axis int) operand {
	o.row = 1 + axis
	return o
}

// bytes are the least that so many cells must read of the operand, of which there are so many.
func (o operand) bytes(cells, slots int64) int64 {
	all := int64(o.Words()) * slots
	if o.read > 0 {
		all = min(all, int64(o.read)*cells)
	}
	return 4 * all
}

// program holds the case's body so many times, each time on operands of its own: so no two are equal nodes, which would be
// computed once. Operands of the cells are states that a step replaces by themselves, which costs nothing: what depends on no state
// would be computed once, too. Each result is kept alive by an output that shows none of its words, which costs nothing either;
// or, if whole, by one that shows all of them.
func (c *Case) program(sets int, whole bool) (*graph.Program, error) {
	return graph.Trace(func(b *graph.Builder) {
		for s := range sets {
			in := make([]op.Value, len(c.in))
			for i, o := range c.in {
				if o.Domain != op.Cell {
					in[i] = b.Input(operandName(s, i), o.Type)
					continue
				}
				in[i] = b.State(operandName(s, i), b.Do(op.Fill{DType: o.DType, To: o.Shape}), op.Cell)
				b.Next(in[i], in[i])
			}
			for j, y := range c.body(b, in) {
				if whole {
					b.OutputOver(wholeName(s, j), y, op.Cell)
					continue
				}
				b.OutputOver(fmt.Sprintf("none%d.%d", s, j), nothing(b, y), op.Cell)
			}
		}
	})
}

// nothing is a value without words that depends on y.
func nothing(b *graph.Builder, y op.Value) op.Value {
	t := b.Type(y)
	if t.DType == op.T2 { // which has no slices: the product of no rows
		return b.Do(op.TernaryMM{}, b.Fill(0, 0, t.At(0)), y)
	}
	return b.Do(op.Slice{}, b.Do(op.Reshape{To: op.S(t.Len())}, y))
}

func operandName(set, i int) string { return fmt.Sprintf("in%d.%d", set, i) }
func wholeName(set, j int) string   { return fmt.Sprintf("out%d.%d", set, j) }

// groups: all cells have one seed.
func (c *Case) groups() graph.Groups { return graph.Groups{op.Seed: make([]int, c.Cells)} }

// slots is how many there are of a value of the domain.
func (c *Case) slots(d op.Domain) int64 {
	if d == op.Cell {
		return int64(c.Cells)
	}
	return 1
}

// Work is what a case has to do, for all its cells, whatever the engine.
type Work struct {
	MACs  int64 `json:"macs"`  // float32 multiply-adds of matrix products
	Codes int64 `json:"codes"` // ternary codes that are added, each for one row of activations
	Bytes int64 `json:"bytes"` // what is read of operands, once, and every result, written once
	Words int64 `json:"words"` // of results
}

// all is how much there is to do, where nothing is done fast.
func (w Work) all() int64 { return w.MACs + w.Codes + w.Bytes }

// work counts a case of operands; see count for products.
func (c *Case) work() (w Work, err error) {
	p, err := c.program(1, true)
	if err != nil {
		return w, err
	}
	w = count(p, c.slots)
	for _, o := range c.in {
		w.Bytes += o.bytes(int64(c.Cells), c.slots(o.Domain))
	}
	for _, o := range p.Out {
		n := int64(p.OutType(o).Words()) * c.slots(op.Cell)
		w.Bytes, w.Words = w.Bytes+4*n, w.Words+n
	}
	return w, nil
}

// count is the arithmetic of one step.
func count(p *graph.Program, slots func(op.Domain) int64) Work {
	w := p.Count(slots)
	return Work{MACs: w.MACs, Codes: w.Codes}
}

// Floor is the least time in seconds that the work can take on the machine, and what bounds it: "fma" or "memory". Memory is a
// roof only if the data do not fit into a cache. Integer work (ternary codes, random numbers) has no roof here. 0 and "" where no
// roof is known.
func (w Work) Floor(p graph.Peak, cached bool) (seconds float64, bound string) {
	if p.FMA > 0 && w.MACs > 0 {
		seconds, bound = float64(w.MACs)/p.FMA, "fma"
	}
	if s := float64(w.Bytes) / p.Copy; !cached && p.Copy > 0 && s > seconds {
		seconds, bound = s, "memory"
	}
	return seconds, bound
}

// units: what a case's rate counts, and how many of it a rate's unit is; one line per entry.
var units = map[string]struct {
	count func(c *Case, w Work) int64
	scale float64
}{
	"GMAC/s":       {func(_ *Case, w Work) int64 { return w.MACs }, 1e9},
	"Gcode/s":      {func(_ *Case, w Work) int64 { return w.Codes }, 1e9},
	"GB/s":         {func(_ *Case, w Work) int64 { return w.Bytes }, 1e9},
	"Mdraw/s":      {func(_ *Case, w Work) int64 { return w.Words }, 1e6},
	"cells/s":      {func(c *Case, _ Work) int64 { return int64(c.Cells) }, 1},
	"cell-steps/s": {func(c *Case, _ Work) int64 { return int64(c.Cells) }, 1},
	"products/s":   {func(c *Case, _ Work) int64 { return int64(c.Cells) }, 1}, // of matrices with vectors; or gradients
}

// Skip is why a case was not measured.
type Skip struct{ Reason string }

func (s *Skip) Error() string { return s.Reason }

// workload is a case that is ready to be timed.
type workload struct {
	work    Work
	sets    int                                    // how many times a step does it
	cached  bool                                   // the operands of all sets fit into a cache
	bytes   int64                                  // of memory that the engine plans with
	checked string                                 // the engine that gave the same bits, and in what part; "": nothing was compared
	share   float64                                // of the last cell's results, that were compared
	kernels []graph.KernelInfo                     // of a step
	run     func(ctx context.Context, n int) error // n steps
	begin   func(ctx context.Context) error        // before each burst; may be nil
	end     func(steps int) error                  // after each burst; may be nil
	close   func() error
}
