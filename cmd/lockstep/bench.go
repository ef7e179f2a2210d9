package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"lockstep/bench"
	"lockstep/cpu"
	"lockstep/gpu"
	"lockstep/internal/memory"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "time the kernels of an engine, and steps of training, beside the peaks of its machine",
		ArgsUsage: "[NAME...]",
		Description: "Example: lockstep bench --device cuda 'matmul/.*cells=1024' ternary\n" +
			"NAMEs are regular expressions, as for go test -bench. Lines are those of Go benchmarks, which benchstat reads:\nthe median of bursts, their quartiles, the share of the roof that the peaks make (measured in the same run), and what\nshare of the last cell's results was checked bit for bit: 1, some rows of a large product, or 0 where these take too long, too.",
		Flags: []cli.Flag{
			deviceFlag(),
			variantFlag(),
			noFuseFlag(),
			&cli.IntFlag{Name: "threads", Usage: "run on `N` threads", DefaultText: "all processors"},
			&cli.DurationFlag{Name: "time", Usage: "time each case for about `TIME`", DefaultText: "1s; 50ms with --quick"},
			&cli.IntFlag{Name: "count", Value: 1, Usage: "do everything `N` times: benchstat wants 6 or more"},
			&cli.BoolFlag{Name: "quick", Usage: "only the smallest case of each family, on two sets of operands: to see that all works, not for figures"},
			&cli.BoolFlag{Name: "list", Usage: "list the cases, and run nothing"},
			&cli.BoolFlag{Name: "json", Usage: "print a line of JSON for each case"},
		},
		Action: runBench,
	}
}

// What the engines that results are checked against are given to do at most: multiply-adds, codes and bytes of one cell. Of results
// that take more, some rows are checked.
const (
	lawWork = 1 << 24 // a law takes some 5 ns for each
	cpuWork = 1 << 37 // a product of 4096^3 is half of that: some seconds on two cores
)

func runBench(c *cli.Context) error {
	cases, err := bench.Select(bench.Cases(), c.Args().Slice(), c.Bool("quick"))
	if err != nil {
		return err
	}
	if c.Bool("list") {
		if err := listRunsNothing(c); err != nil {
			return err
		}
		return listCases(c, cases)
	}
	o := &bench.Options{Time: time.Second, Quick: c.Bool("quick")}
	if o.Quick {
		o.Time = 50 * time.Millisecond
	}
	if c.IsSet("time") {
		o.Time = c.Duration("time")
	}
	switch {
	case o.Time <= 0:
		return fmt.Errorf("--time %v: want more than nothing, such as 1s", o.Time)
	case c.Int("count") < 1:
		return fmt.Errorf("--count %d: want at least 1", c.Int("count"))
	}
	if o.Engine, err = engineWithThreads(c); err != nil {
		return err
	}
	defer o.Engine.Close()
	m := onCPU(c, o)
	if card, ok := o.Engine.(*gpu.Engine); ok {
		m = onCard(card.Info(), o)
	}
	checker := cpu.Options{}
	if o.CheckName == cpu.Law {
		checker.Variants = []string{cpu.Law}
	}
	if o.Check, err = cpu.New(checker); err != nil {
		return err
	}
	defer o.Check.Close()
	if m.Peak, err = bench.Peak(c.Context, o.Engine); err != nil {
		return err
	}
	m.Checked = o.CheckName
	if o.Clocks != nil {
		m.Clocks = o.Clocks()
	}
	return measureAll(c, cases, o, m.Describe())
}

// onCPU describes the CPU engine, and sets the options that hang on it: it is checked against the laws.
func onCPU(c *cli.Context, o *bench.Options) bench.Machine {
	o.CheckName, o.CheckWork, o.Memory, o.Clocks = cpu.Law, lawWork, memory.Available()/10*8, cpuClocks
	variants := cpu.Defaults()
	if v := chosenVariants(c); v != nil {
		variants = v
	}
	return bench.Machine{Engine: "cpu", Device: "cpu, kernels " + strings.Join(variants, ", "), Threads: cmp.Or(c.Int("threads"), runtime.GOMAXPROCS(0))}
}

// onCard describes a card, and sets the options that hang on it: it is checked against the CPU engine.
func onCard(i gpu.Info, o *bench.Options) bench.Machine {
	o.CheckName, o.CheckWork, o.Memory, o.Clocks = "cpu", cpuWork, i.Free/10*9, func() bench.Clocks { return cardClocks(i.Index) }
	return bench.Machine{
		Engine: "cuda",
		Device: fmt.Sprintf("cuda:%d %s, compute capability %d.%d, %d multiprocessors", i.Index, i.Name, i.Capability/10, i.Capability%10, i.Multiprocessors),
		Driver: fmt.Sprintf("%s, CUDA %d.%d", i.Driver, i.Version/1000, i.Version%1000/10),
	}
}

// cardClocks is what NVML says that a card runs at; nil where it says nothing.
func cardClocks(index int) bench.Clocks {
	t, err := gpu.ReadTelemetry(index)
	if err != nil {
		return nil
	}
	c := bench.Clocks{"sm": fmt.Sprintf("%d MHz", t.SMClock), "memory": fmt.Sprintf("%d MHz", t.MemClock), "temperature": fmt.Sprintf("%d C", t.Temperature)}
	if len(t.Held) > 0 {
		c["held-by"] = strings.Join(t.Held, " and ")
	}
	return c
}

// measureAll measures case by case, and prints each when it is done. A case that fails does not keep the others from being measured.
func measureAll(c *cli.Context, cases []*bench.Case, o *bench.Options, m bench.Machine) error {
	if !c.Bool("json") {
		if err := m.WriteHeader(c.App.Writer); err != nil {
			return err
		}
	}
	write := m.WriteLine
	if c.Bool("json") {
		write = m.WriteJSON
	}
	measured, failed := 0, 0
	var all []bench.Result
	for range c.Int("count") {
		for _, k := range cases {
			if err := c.Context.Err(); err != nil {
				return err
			}
			r, err := bench.Measure(c.Context, k, o, m.Peak)
			switch {
			case c.Context.Err() != nil:
				return c.Context.Err()
			case err != nil:
				r, failed = bench.Result{Case: k.Name, Cells: k.Cells, Failed: err.Error()}, failed+1
			case r.Skipped == "":
				measured++
				all = append(all, r)
			}
			if err := write(c.App.Writer, r); err != nil {
				return err
			}
		}
	}
	if measured > 0 && !c.Bool("json") {
		if err := m.WriteTable(c.App.Writer, all); err != nil {
			return err
		}
	}
	switch {
	case failed > 0:
		return fmt.Errorf("%d cases failed, for the reasons given", failed)
	case measured == 0:
		return errors.New("every case was skipped, for the reasons given")
	}
	return nil
}

func listCases(c *cli.Context, cases []*bench.Case) error {
	for _, k := range cases {
		if !c.Bool("json") {
			fmt.Fprintln(c.App.Writer, k.Name)
			continue
		}
		l, err := k.List()
		if err != nil {
			return err
		}
		if err := json.NewEncoder(c.App.Writer).Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// cpuClocks is what Linux says that the first processor runs at; nil where it does not.
func cpuClocks() bench.Clocks {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "cpu MHz" {
			return bench.Clocks{"cpu": strings.TrimSpace(value) + " MHz"}
		}
	}
	return nil
}
