package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"lockstep/cpu"
	"lockstep/data"
	"lockstep/graph"
	"lockstep/op"
	"lockstep/sweep"
)

func graphCommand() *cli.Command {
	return &cli.Command{
		Name:      "graph",
		Usage:     "show what a step of a card's cells runs on the CPU: ops before and after the rewrites, what runs together, memory, work",
		ArgsUsage: "CARD.toml",
		Description: "Example: lockstep graph studies/intrinsic-digits.toml\n" +
			"A chain runs pointwise ops a part of their elements at a time; a joint op runs for all cells of a block at once;\n" +
			"an update is a chain that writes the next states of active cells into them. What goes by the rows of a batch may\n" +
			"go through the step in bands, a few rows at a time.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "set", Usage: "change the card: `KEY=VALUE`, such as steps=100 or arms.baseline.rule.lr=0.01"},
			&cli.IntFlag{Name: "pack", Value: 64, Usage: "put at most `N` cells into a pack"},
			&cli.IntFlag{Name: "threads", Usage: "plan for `N` threads", DefaultText: "all processors"},
			dataFlag(), variantFlag(), noFuseFlag(),
			&cli.BoolFlag{Name: "json", Usage: "print a line of JSON for each pack"},
		},
		Action: showGraph,
	}
}

// packGraph is what lockstep graph tells of a pack.
type packGraph struct {
	Cells int      `json:"cells"`
	Seeds int      `json:"seeds"`
	First string   `json:"first"` // cell
	Dims  []int    `json:"d"`     // of the cells, each once, ascending
	Arms  []string `json:"arms"`
	cpu.Explanation
	// A step of the cell with the largest d; and of that with the smallest, which differs in what depends on d.
	MACs       int64 `json:"macs"`  // multiply-adds
	Codes      int64 `json:"codes"` // ternary codes that are added
	FLOPs      int64 `json:"flops"`
	LeastMACs  int64 `json:"least_macs"`
	LeastCodes int64 `json:"least_codes"`
	LeastFLOPs int64 `json:"least_flops"`
}

func showGraph(c *cli.Context) error {
	if c.NArg() != 1 {
		return fmt.Errorf("want one card, a TOML file; got %d arguments", c.NArg())
	}
	if c.Int("pack") < 1 {
		return fmt.Errorf("--pack %d: want at least 1 cell", c.Int("pack"))
	}
	if c.IsSet("threads") && c.Int("threads") < 1 {
		return fmt.Errorf("--threads %d: want at least 1", c.Int("threads"))
	}
	card, err := sweep.LoadCard(c.Args().First())
	if err != nil {
		return err
	}
	for _, s := range c.StringSlice("set") {
		if err := card.Set(s); err != nil {
			return err
		}
	}
	card.Data = data.Source{Dir: c.String("data")}
	cells, err := card.Cells()
	if err != nil {
		return err
	}
	e, err := cpu.New(cpu.Options{Threads: c.Int("threads"), Variants: chosenVariants(c), NoFuse: c.Bool("no-fuse")})
	if err != nil {
		return err
	}
	packs, err := sweep.Programs(cells, c.Int("pack"))
	if err != nil {
		return err
	}
	for i, p := range packs {
		g, err := graphOf(e, p)
		if err != nil {
			return err
		}
		if c.Bool("json") {
			if err := json.NewEncoder(c.App.Writer).Encode(g); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(c.App.Writer)
		}
		fmt.Fprintf(c.App.Writer, "pack %d of %d: ", i+1, len(packs))
		if err := g.print(c.App.Writer); err != nil {
			return err
		}
	}
	return nil
}

func graphOf(e *cpu.Engine, p sweep.PackPrograms) (packGraph, error) {
	x, err := e.Explain(p.Step, len(p.Cells), p.Groups)
	if err != nil {
		return packGraph{}, err
	}
	g := packGraph{
		Cells: len(p.Cells), Seeds: slices.Max(p.Groups[op.Seed]) + 1, First: p.Cells[0].Name(),
		Explanation: x,
	}
	for _, c := range p.Cells {
		g.Dims, g.Arms = append(g.Dims, c.Dim()), append(g.Arms, c.Arm)
	}
	slices.Sort(g.Dims)
	slices.Sort(g.Arms)
	g.Dims, g.Arms = slices.Compact(g.Dims), slices.Compact(g.Arms)
	most, least := workOf(p.Step, slices.Max(g.Dims)), workOf(p.Step, slices.Min(g.Dims))
	g.MACs, g.Codes, g.FLOPs = most.MACs, most.Codes, most.FLOPs()
	g.LeastMACs, g.LeastCodes, g.LeastFLOPs = least.MACs, least.Codes, least.FLOPs()
	return g, nil
}

// workOf is the work of a step of a cell that uses so many entries of z.
func workOf(step *graph.Program, d int) graph.Work {
	return step.CountRagged(func(d op.Domain) int64 {
		if d == op.Cell {
			return 1
		}
		return 0 // what cells share is not a cell's work
	}, map[string]int64{"d": int64(d)})
}

// print writes what people read.
func (g packGraph) print(w io.Writer) error {
	fmt.Fprintf(w, "%d cells of %d seeds, d = %s", g.Cells, g.Seeds, strings.Trim(fmt.Sprint(g.Dims), "[]"))
	if arms := strings.Join(g.Arms, ", "); arms != "" {
		fmt.Fprintf(w, ", arm %s", arms)
	}
	fmt.Fprintf(w, "\nprogram %.16s: %d ops traced, %d after the rewrites; %d run once, %d in every step, %d of both are views\n\n", g.Program, g.Traced, g.Lowered, g.Once, g.Step, g.Views)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, u := range g.Units {
		what := u.Kind
		if u.Len > 0 {
			what = fmt.Sprintf("%s of %d, %d at a time, %d inner", u.Kind, u.Len, u.Part, u.Inner)
		}
		if u.Bands > 0 {
			what = fmt.Sprintf("in %d bands: %s", u.Bands, what)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", what, short(u.Ops), u.Result, strings.Join(once(u.Kernels), " "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, `
a step of a cell: %s FLOPs (%s multiply-adds, %s ternary codes)
results of a step: %s if each had memory of its own, %s alive at once at most
memory of a thread: %s for one cell at a time, %s for each of %d cells of a block, %s for parts of chains, %s for a band of rows
`, span(g.LeastFLOPs, g.FLOPs), span(g.LeastMACs, g.MACs), span(g.LeastCodes, g.Codes), kib(g.Sum), kib(g.Peak), kib(g.Scratch), kib(g.Kept), g.Block, kib(g.Parts), kib(g.Band)); err != nil || g.Copied == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "transposed copies of matrices that no two cells share: %s\n", kib(g.Copied))
	return err
}

// short writes ops without their attributes, equal neighbours once.
func short(ops []string) string {
	var names []string
	for i := 0; i < len(ops); {
		name, _, _ := strings.Cut(ops[i], "{")
		n := 0
		for i < len(ops) && (ops[i] == name || strings.HasPrefix(ops[i], name+"{")) {
			i, n = i+1, n+1
		}
		if n > 1 {
			name = fmt.Sprintf("%s x%d", name, n)
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// once drops repetitions.
func once(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

func kib(n int64) string { return fmt.Sprintf("%.1f KiB", float64(n)/1024) }

// span writes what lies between two numbers, or the one that both are.
func span(least, most int64) string {
	if least == most {
		return grouped(most)
	}
	return grouped(least) + " to " + grouped(most)
}

// grouped writes a number with commas between thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
