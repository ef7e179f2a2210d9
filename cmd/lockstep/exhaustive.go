package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"lockstep/graph"
	"lockstep/internal/nearest"
	"lockstep/op"
	"lockstep/optest/exhaustive"
)

// functionCheck is what verify --exhaustive found for a function.
type functionCheck struct {
	Function string   `json:"function"`
	Device   string   `json:"device"`
	Kernels  []string `json:"kernels"`
	Blocks   int      `json:"blocks"` // that ran, of 4096
	Digest   string   `json:"digest,omitempty"`
	Want     string   `json:"want,omitempty"` // the law's digest; absent of a sample
	Differ   []int    `json:"differ"`         // blocks
	First    string   `json:"first,omitempty"`
	OK       bool     `json:"ok"`
	Seconds  float64  `json:"seconds"`
}

// verdict is for people.
func (r *functionCheck) verdict() string {
	switch {
	case len(r.Differ) > 0:
		return fmt.Sprintf("FAILED: %d of %d blocks differ from the law, the first is %03x: %s", len(r.Differ), r.Blocks, r.Differ[0], r.First)
	case !r.OK:
		return fmt.Sprintf("FAILED: digest %s, the law's is %s, but every block begins as the law's: this build's list of digests is damaged", r.Digest, r.Want)
	case r.Want == "":
		return fmt.Sprintf("ok in %d blocks", r.Blocks)
	}
	return "ok " + r.Digest
}

// functionArgs are the functions that the arguments name, by their own names or by that of their op; all without arguments.
func functionArgs(args []string) (fs []exhaustive.Function, err error) {
	all := exhaustive.Functions()
	var names []string
	for _, f := range all {
		names = append(names, f.String(), f.Op.Name())
	}
	slices.Sort(names)
	for _, a := range args {
		if !slices.Contains(names, a) {
			return nil, nearest.Unknown("elementwise function of one operand", a, slices.Compact(names))
		}
	}
	for _, f := range all {
		if len(args) == 0 || slices.Contains(args, f.String()) || slices.Contains(args, f.Op.Name()) {
			fs = append(fs, f)
		}
	}
	return fs, nil
}

func verifyExhaustive(c *cli.Context) error {
	switch {
	case c.IsSet("seed"):
		return errors.New("--seed draws operands, and --exhaustive takes all: want one of them")
	case c.Bool("cases"):
		return errors.New("--cases tells about the cases of the conformance suite, which --exhaustive does not run: want one of them")
	case c.IsSet("few"):
		return errors.New("--few chooses among the cases of the conformance suite; --blocks N is a sample of --exhaustive")
	case c.IsSet("blocks") && c.Int("blocks") < 1:
		return fmt.Errorf("--blocks %d: want at least 1", c.Int("blocks"))
	}
	fs, err := functionArgs(c.Args().Slice())
	if err != nil {
		return err
	}
	if c.Bool("list") {
		return listFunctions(c, fs)
	}
	e, err := engineOf(c)
	if err != nil {
		return err
	}
	defer e.Close()
	o := exhaustive.Options{Threads: c.Int("threads")}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if c.IsSet("blocks") {
		o.Blocks = exhaustive.Sample(c.Int("blocks"))
		o.Law = o.Blocks != nil
	}
	start, ran, failed := time.Now(), 0, 0
	for _, in := range []op.DType{op.F32, op.U32, op.I32} {
		group := slices.DeleteFunc(slices.Clone(fs), func(f exhaustive.Function) bool { return f.In != in })
		if len(group) == 0 {
			continue
		}
		begun, told := time.Now(), time.Now()
		o.Progress = func(done, all int) {
			if time.Since(told) > 10*time.Second || done == all {
				told = time.Now()
				fmt.Fprintf(c.App.ErrWriter, "%d functions of %s: %d of %d blocks in %.0f s\n", len(group), in, done, all, time.Since(begun).Seconds())
			}
			ran = done
		}
		results, err := exhaustive.Run(c.Context, e, group, o)
		if err != nil {
			return err
		}
		n, err := printFunctions(c, e, results, ran)
		if err != nil {
			return err
		}
		failed += n
	}
	what := "all 2^32 inputs"
	if o.Law {
		what = fmt.Sprintf("a sample of %d of 4096 blocks (%d inputs of 2^32)", ran, ran*exhaustive.BlockLen)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d functions do not have the bits of the law over %s", failed, len(fs), what)
	}
	if !c.Bool("json") {
		fmt.Fprintf(c.App.Writer, "%d functions on the %s engine over %s: all have the bits of the law (%.0f s)\n", len(fs), e.Name(), what, time.Since(start).Seconds())
	}
	return nil
}

// printFunctions prints what was found, and returns how many functions failed.
func printFunctions(c *cli.Context, e graph.Engine, results []exhaustive.Result, blocks int) (failed int, err error) {
	t := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	for _, r := range results {
		x := functionCheck{Function: r.Function.String(), Device: e.Name(), Kernels: variantsOf(r.Kernels), Blocks: blocks, Digest: r.Digest, Want: r.Want,
			Differ: append([]int{}, r.Differ...), OK: r.OK(), Seconds: r.Seconds}
		if !x.OK {
			failed++
		}
		switch {
		case r.First != nil:
			x.First = r.First.String()
		case len(r.Differ) > 0:
			x.First = "it does not differ when it runs once more"
		}
		if c.Bool("json") {
			if err := json.NewEncoder(c.App.Writer).Encode(x); err != nil {
				return failed, err
			}
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%.1f s\t%s\n", x.Function, strings.Join(x.Kernels, " "), x.Seconds, x.verdict())
	}
	return failed, t.Flush()
}

// listFunctions prints the functions with the digests of their laws.
func listFunctions(c *cli.Context, fs []exhaustive.Function) error {
	all, err := exhaustive.Committed()
	if err != nil {
		return err
	}
	for _, f := range fs {
		digest := "none"
		if sums, ok := all[f.String()]; ok {
			digest = fmt.Sprintf("%x", sums.All)
		}
		if c.Bool("json") {
			err = json.NewEncoder(c.App.Writer).Encode(map[string]string{"function": f.String(), "want": digest})
		} else {
			_, err = fmt.Fprintf(c.App.Writer, "%s  %s\n", digest, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
