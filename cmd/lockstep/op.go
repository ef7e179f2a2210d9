package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"lockstep/cpu"
	"lockstep/data"
	"lockstep/gpu"
	"lockstep/graph"
	"lockstep/internal/memory"
	"lockstep/internal/nearest"
	"lockstep/op"
)

func opCommand() *cli.Command {
	return &cli.Command{
		Name:  "op",
		Usage: "the operations, their laws and their twins",
		Subcommands: []*cli.Command{
			{
				Name:   "list",
				Usage:  "list every op with its attributes, its class and the variants that this machine has",
				Action: func(c *cli.Context) error { return listOps(c.App.Writer) },
			},
			{
				Name:        "law",
				Usage:       "print the law of an op",
				ArgsUsage:   "NAME",
				Description: "Example: lockstep op law matmul",
				Action: func(c *cli.Context) error {
					o, err := opArg(c)
					if err != nil {
						return err
					}
					text, err := op.Source(o)
					fmt.Fprint(c.App.Writer, text)
					return err
				},
			},
			{
				Name:      "run",
				Usage:     "run an op on .npy files, on any engine and variant",
				ArgsUsage: "NAME IN.npy...",
				Description: "Example: lockstep op run --attr TB=true --device cuda -o c.npy matmul a.npy b.npy\n" +
					"Operands are f4, u4, i4, b1 or i1 arrays; where an op takes ternary codes, an i1 array of -1, 0 and 1 is packed.",
				Flags: []cli.Flag{
					deviceFlag(),
					&cli.StringSliceFlag{Name: "attr", Usage: "set an attribute: `KEY=VALUE`, such as TA=true or Axes=0,1 (see op list)"},
					&cli.StringFlag{Name: "variant", Usage: "the only variant that may run it, or the ops that it is made of, beside the law: " + strings.Join(cpu.Variants(), ", ") + " (default: the preferred one)"},
					&cli.BoolFlag{Name: "unchecked", Usage: "take operands that are an error when data are bound, such as an index outside of its table"},
					&cli.StringSliceFlag{Name: "o", Usage: "write a result to `OUT.npy`; once for each result of the op", Required: true},
				},
				Action: runOp,
			},
		},
	}
}

// opArg is the op that the first argument names, with the attributes of --attr.
func opArg(c *cli.Context) (op.Op, error) {
	if c.NArg() == 0 {
		return nil, fmt.Errorf("op %s: the name of an op is missing; see lockstep op list", c.Command.Name)
	}
	o, err := op.Named(c.Args().First())
	if err != nil {
		var names []string
		for _, o := range op.All {
			names = append(names, o.Name())
		}
		slices.Sort(names)
		return nil, nearest.Unknown("op", c.Args().First(), names)
	}
	set := map[string]bool{}
	for _, a := range c.StringSlice("attr") {
		key, value, ok := strings.Cut(a, "=")
		if !ok {
			return nil, fmt.Errorf("--attr %q: want KEY=VALUE", a)
		}
		if set[key] {
			return nil, fmt.Errorf("--attr %s is given twice", key)
		}
		set[key] = true
		if o, err = op.WithAttr(o, key, value); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func listOps(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "op\tclass\tvariants\tattributes")
	cards, _ := gpu.Count()
	for _, o := range op.All {
		variants := cpu.Has(o)
		if cards > 0 && gpu.Kernel(o) {
			variants = append(variants, "cuda")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", o.Name(), o.Class(), strings.Join(variants, " "), strings.Join(op.Attrs(o), ", "))
	}
	return t.Flush()
}

func runOp(c *cli.Context) error {
	o, err := opArg(c)
	if err != nil {
		return err
	}
	in := make([]op.Tensor, c.NArg()-1)
	for i := range in {
		if in[i], err = data.ReadNPY(c.Args().Get(i + 1)); err != nil {
			return err
		}
	}
	out, err := runOn(c, o, in)
	if err != nil {
		return err
	}
	files := c.StringSlice("o")
	if len(files) != len(out) {
		return fmt.Errorf("%s has %d results; -o names %d files", op.Describe(o), len(out), len(files))
	}
	for i, t := range out {
		if t.DType == op.T2 {
			t = op.UnpackTernary(t)
		}
		if err := data.WriteNPY(files[i], t); err != nil {
			return err
		}
	}
	return nil
}

// runOn runs an op as a program of its own.
func runOn(c *cli.Context, o op.Op, in []op.Tensor) ([]op.Tensor, error) {
	types, err := fit(o, in)
	if err != nil {
		return nil, err
	}
	if !c.Bool("unchecked") {
		if err := op.CheckData(o, in); err != nil {
			return nil, err
		}
	}
	var options cpu.Options
	variant := c.String("variant")
	if c.IsSet("variant") {
		options.Variants = []string{variant}
	}
	engines, err := openDevices(c, options, 1)
	if err != nil {
		return nil, err
	}
	engine := engines[0]
	defer engine.Close()
	pack, err := engine.NewPack(1, nil)
	if err != nil {
		return nil, err
	}
	defer pack.Close()
	p, err := graph.Trace(func(b *graph.Builder) {
		operands := make([]op.Value, len(in))
		for i := range in {
			operands[i] = b.Input(fmt.Sprint("in", i), op.Type{DType: in[i].DType, Domain: op.Cell, Shape: in[i].Shape})
		}
		for i, v := range b.Emit(o, operands...) {
			b.Output(fmt.Sprint("out", i), v)
		}
	})
	if err != nil {
		return nil, err
	}
	need, err := engine.Plan([]*graph.Program{p}, 1, nil)
	if err != nil {
		return nil, err
	}
	// The results are held three times: in the pack, as a tensor and as the file's content.
	if free := memory.Available(); 3*need.Bytes > free {
		return nil, fmt.Errorf("%s needs about %s; there are %s", op.Describe(o), humanize.Bytes(uint64(3*need.Bytes)), humanize.Bytes(uint64(max(free, 0))))
	}
	for i, t := range in {
		if err := pack.Put(fmt.Sprint("in", i), p.Types[p.In[i].V], 0, op.Bytes(t.W)); err != nil {
			return nil, err
		}
	}
	x, err := pack.Compile(p)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	ran := false
	for _, k := range x.Kernels() {
		fmt.Fprintf(c.App.ErrWriter, "%s: %s\n", k.Op, k.Variant)
		ran = ran || k.Variant == variant
	}
	if variant != "" && !ran {
		return nil, fmt.Errorf("%s has no %s twin for these operands, nor have the ops that it is made of; it has: %s", op.Describe(o), variant, strings.Join(cpu.Has(o), ", "))
	}
	if err := x.Run(c.Context, 1); err != nil {
		return nil, err
	}
	out := make([]op.Tensor, len(types))
	for i, t := range types {
		out[i] = op.New(t)
		b := make([]byte, 4*t.Words())
		if err := pack.Read(fmt.Sprint("out", i), 0, b); err != nil {
			return nil, err
		}
		op.PutWords(out[i].W, b)
	}
	return out, nil
}

// fit checks the operands against the op; where it does not take them as they are, int8 matrices are tried as ternary codes.
func fit(o op.Op, in []op.Tensor) ([]op.Type, error) {
	check := func() ([]op.Type, error) {
		t := make([]op.Type, len(in))
		for i := range in {
			t[i] = in[i].Type
		}
		return op.Outputs(o, t)
	}
	out, err := check()
	for i := len(in) - 1; err != nil && i >= 0; i-- {
		packed, ok := op.PackTernary(in[i])
		if !ok {
			continue
		}
		was := in[i]
		in[i] = packed
		var again error
		if out, again = check(); again == nil {
			return out, nil
		}
		in[i] = was
	}
	return out, err
}
