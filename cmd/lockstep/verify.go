package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/internal/nearest"
	"lockstep/op"
	"lockstep/optest"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "hold this machine's engines against the laws, bit for bit; exit status 1 if a bit differs",
		ArgsUsage: "[OP...]",
		Description: "Example: lockstep verify --device cpu matmul exp\nIt runs the conformance suite: edge sizes and awkward values of every op, one cell alone and three in a pack. lockstep sweep verify does it with the results of a sweep.\n" +
			"With --exhaustive it runs every elementwise op of one operand, or those that are named, such as exp, cast or cast_f32_i8, over all 2^32 inputs, and compares with the digests of the laws that this build holds.",
		Flags: []cli.Flag{
			deviceFlag(),
			&cli.StringFlag{Name: "variant", Usage: "only one `VARIANT` of the CPU's kernels: " + strings.Join(cpu.Variants(), ", ")},
			&cli.IntFlag{Name: "threads", Usage: "run on `N` threads", DefaultText: "all processors"},
			&cli.Uint64Flag{Name: "seed", Usage: "draw the random operands from the seed `S`"},
			&cli.BoolFlag{Name: "list", Usage: "list the ops and their cases, and run nothing"},
			&cli.BoolFlag{Name: "cases", Usage: "print a line for each case: the kernels that ran it, and whether it has the bits of the law"},
			&cli.IntFlag{Name: "few", Usage: "only `N` cases of each op and kernel, none of them large, and those that show missing barriers: for sanitizers and other slow machines", DefaultText: "all"},
			&cli.BoolFlag{Name: "exhaustive", Usage: "run the elementwise ops of one operand over all inputs (minutes)"},
			&cli.IntFlag{Name: "blocks", Usage: "with --exhaustive: only `N` of the 4096 blocks of 2^20 inputs, and those with zeros, ones, subnormals, infinities and NaNs; compared with the laws, which run beside", DefaultText: "all"},
			&cli.BoolFlag{Name: "json", Usage: "print a line of JSON for each op; with --cases, its cases are in it"},
		},
		Action: verifyOps,
	}
}

// listRunsNothing refuses flags beside --list that say how to run.
func listRunsNothing(c *cli.Context) error {
	for _, flag := range []string{"device", "variant", "no-fuse", "threads", "time", "count", "seed", "cases", "few", "blocks"} {
		if c.Bool("list") && c.IsSet(flag) {
			return fmt.Errorf("--%s is about what runs, and --list runs nothing: want one of them", flag)
		}
	}
	return nil
}

// opCheck is what verify found for an op.
type opCheck struct {
	Op       string      `json:"op"`
	Cases    int         `json:"cases"`
	Kernels  []string    `json:"kernels"` // what ran it, and its expansion
	Failures []string    `json:"failures"`
	Error    string      `json:"error,omitempty"`    // the engine could not run a case, and those after it did not run
	Without  int         `json:"without,omitempty"`  // further cases, for which there is no kernel
	Missing  string      `json:"missing,omitempty"`  // how many they are, and why
	PerCase  []caseCheck `json:"per_case,omitempty"` // with --cases
}

// caseCheck is what verify found for a case.
type caseCheck struct {
	Case    string   `json:"case"`
	Kernels []string `json:"kernels"`
	Failure string   `json:"failure,omitempty"`
	Missing string   `json:"missing,omitempty"` // there is no kernel, and why
}

func (x *caseCheck) verdict() string {
	switch {
	case x.Missing != "":
		return "no kernel: " + x.Missing
	case x.Failure != "":
		return "FAIL: " + x.Failure
	}
	return "ok"
}

func verifyOps(c *cli.Context) error {
	if err := listRunsNothing(c); err != nil {
		return err
	}
	if c.Bool("exhaustive") {
		return verifyExhaustive(c)
	}
	if c.IsSet("blocks") {
		return errors.New("--blocks says how many blocks --exhaustive runs, which is missing")
	}
	if c.IsSet("few") && c.Int("few") < 1 {
		return fmt.Errorf("--few %d: want at least 1", c.Int("few"))
	}
	var names []string
	for _, o := range op.All {
		names = append(names, o.Name())
	}
	for _, name := range c.Args().Slice() {
		if !slices.Contains(names, name) {
			return nearest.Unknown("op", name, names)
		}
	}
	var v verification
	if !c.Bool("list") {
		if err := v.start(func() (graph.Engine, error) { return engineWithThreads(c) }); err != nil {
			return err
		}
		defer v.close()
	}
	t := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	defer t.Flush()
	cases, failed, missing, broken := 0, 0, 0, 0
	for _, o := range op.All {
		if c.NArg() > 0 && !slices.Contains(c.Args().Slice(), o.Name()) {
			continue
		}
		if err := c.Context.Err(); err != nil {
			return err
		}
		all := optest.Cases(o, c.Uint64("seed"))
		r := opCheck{Op: o.Name(), Cases: len(all), Kernels: []string{}, Failures: []string{}}
		if !c.Bool("list") {
			r = v.check(o, all, c.Int("few"))
		}
		cases, failed = cases+r.Cases, failed+len(r.Failures)
		if r.Missing != "" {
			missing++
		}
		if r.Error != "" {
			broken++
		}
		if !c.Bool("cases") {
			r.PerCase = nil
		}
		switch {
		case c.Bool("json"):
			if err := json.NewEncoder(c.App.Writer).Encode(r); err != nil {
				return err
			}
		case c.Bool("list"):
			fmt.Fprintf(t, "%s\t%d cases\n", r.Op, r.Cases)
		default:
			for _, x := range r.PerCase {
				fmt.Fprintf(t, "%s\t%s\t%s\n", x.Case, strings.Join(x.Kernels, " "), x.verdict())
			}
			t.Flush()
			verdict := "ok"
			if r.Missing != "" {
				verdict = r.Missing
			}
			if r.Error != "" {
				verdict = "ERROR: " + r.Error
			}
			if len(r.Failures) > 0 {
				verdict = fmt.Sprintf("%d FAILED: %s", len(r.Failures), r.Failures[0])
			}
			fmt.Fprintf(t, "%s\t%d cases\t%s\t%s\n", r.Op, r.Cases, strings.Join(r.Kernels, " "), verdict)
			t.Flush()
		}
	}
	if broken > 0 {
		return fmt.Errorf("the %s engine could not run all cases of %d ops; %d of the %d that ran do not have the bits of the law", v.name, broken, failed, cases)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d cases do not have the bits of the law", failed, cases)
	}
	if !c.Bool("list") && !c.Bool("json") {
		fmt.Fprintf(t, "%d cases on the %s engine, alone and in a pack: all have the bits of the law", cases, v.name)
		if missing > 0 {
			fmt.Fprintf(t, "; %d ops are not whole", missing)
		}
		fmt.Fprintln(t)
	}
	return nil
}

// verification holds ops against their laws, one after the other.
type verification struct {
	open   func() (graph.Engine, error)
	name   string       // of the engine
	engine graph.Engine // nil after an error that it could not be opened again after
	closed error        // that error
}

// start opens the engine.
func (v *verification) start(open func() (graph.Engine, error)) (err error) {
	v.open = open
	if v.engine, err = open(); err == nil {
		v.name = v.engine.Name()
	}
	return err
}

// check runs cases of an op. An error of the engine may have closed it: the next op gets another one. If none can be opened, all
// ops after it have that for their error.
func (v *verification) check(o op.Op, cases []*optest.Case, few int) opCheck {
	if v.engine == nil {
		return opCheck{Op: o.Name(), Kernels: []string{}, Failures: []string{}, Error: fmt.Sprintf("not run, as the engine does not open again: %v", v.closed)}
	}
	r := checkOp(v.engine, o, cases, few)
	if r.Error != "" {
		v.close()
		v.engine, v.closed = v.open()
	}
	return r
}

func (v *verification) close() {
	if v.engine != nil {
		v.engine.Close() // what it has to say was said by what did not run
	}
	v.engine = nil
}

// engineWithThreads is the engine that the flags choose, of which --threads must be the CPU's.
func engineWithThreads(c *cli.Context) (graph.Engine, error) {
	e, err := engineOf(c)
	if err == nil && c.IsSet("threads") && e.Name() != "cpu" {
		return nil, errors.Join(fmt.Errorf("--threads is about the CPU engine, and this would run on %s: want one of --threads and a card, or --device cpu", e.Name()), e.Close())
	}
	return e, err
}

// checkOp runs cases of an op, or a few with each kernel, until the engine cannot run one.
func checkOp(e graph.Engine, o op.Op, cases []*optest.Case, few int) opCheck {
	r := opCheck{Op: o.Name(), Kernels: []string{}, Failures: []string{}}
	if few > 0 {
		cases = optest.Few(cases, few, func(c *optest.Case) []string {
			kernels, err := optest.Kernels(e, c)
			if err != nil {
				return []string{err.Error()} // to be told below
			}
			return slices.DeleteFunc(variantsOf(kernels), func(v string) bool { return v == "cuda:nothing" })
		})
	}
	var used []string
	for _, c := range cases {
		x, err := checkCase(e, c)
		if err != nil {
			r.Error = fmt.Sprintf("%s: %v", c, err)
			break
		}
		r.PerCase = append(r.PerCase, x)
		if x.Missing != "" {
			r.Without++
			r.Missing = fmt.Sprintf("%d cases have no kernel: %s", r.Without, x.Missing)
			continue
		}
		r.Cases++
		used = append(used, x.Kernels...)
		if x.Failure != "" {
			r.Failures = append(r.Failures, x.Failure)
		}
	}
	slices.Sort(used)
	r.Kernels = append(r.Kernels, slices.Compact(used)...)
	return r
}

// checkCase runs a case, alone and in a pack.
func checkCase(e graph.Engine, c *optest.Case) (caseCheck, error) {
	x := caseCheck{Case: c.String(), Kernels: []string{}}
	kernels, err := optest.Kernels(e, c)
	if errors.Is(err, graph.ErrNoKernel) {
		x.Missing = err.Error()
		return x, nil
	}
	if err != nil {
		return x, err
	}
	x.Kernels = append(x.Kernels, variantsOf(kernels)...)
	for _, p := range []optest.Packing{optest.Alone, optest.Three} {
		err := optest.Check(e, c, p, "")
		if f := (*optest.Failure)(nil); errors.As(err, &f) {
			x.Failure = err.Error()
			break
		}
		if err != nil {
			return x, err
		}
	}
	return x, nil
}

// variantsOf lists the kernels that ran, each once.
func variantsOf(kernels []graph.KernelInfo) (used []string) {
	for _, k := range kernels {
		used = append(used, k.Variant)
	}
	slices.Sort(used)
	return slices.Compact(used)
}
