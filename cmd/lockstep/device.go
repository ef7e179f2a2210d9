package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"lockstep/cpu"
	"lockstep/gpu"
	"lockstep/graph"
)

// deviceFlag is the flag of every verb that runs on an engine.
func deviceFlag() cli.Flag {
	return &cli.StringFlag{Name: "device", Value: "auto", Usage: "run on `DEVICE`: auto (cards if there are any), cpu, cuda (all cards; one that uses a single card takes the first) or cuda:N (cards need a build by make cuda); results do not depend on it"}
}

// noFuseFlag is the flag of verbs that may run the CPU engine without fusion.
func noFuseFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-fuse", Usage: "on the CPU, run every op of every cell by itself: slower, with the same results"}
}

// variantFlag is the flag of every verb that runs the CPU engine.
func variantFlag() cli.Flag {
	return &cli.StringFlag{Name: "variant", Usage: "run only these `VARIANTS` of the CPU's kernels, with commas between them, and the laws: " + strings.Join(cpu.Variants(), ", ") + " (default: " + strings.Join(cpu.Defaults(), ",") + "); results do not depend on it"}
}

// chosenVariants are the variants that the flag names; nil if it is not given.
func chosenVariants(c *cli.Context) []string {
	if c.IsSet("variant") { // "" is no variant, and is refused like any other wrong name
		return strings.Split(c.String("variant"), ",")
	}
	return nil
}

// openDevices makes an engine for each device that --device names, at most so many, and says which cards it took; options are
// the CPU engine's.
func openDevices(c *cli.Context, options cpu.Options, most int) ([]graph.Engine, error) {
	name := c.String("device")
	options.NoFuse = c.Bool("no-fuse")
	if name == "auto" && options.Variants == nil && !options.NoFuse { // variants are the CPU's
		n, reason := gpu.Count()
		if n > 0 {
			engines, err := openCards(c, 0, n, most)
			if err == nil {
				return engines, nil
			}
			reason = err.Error()
		}
		if gpu.Built {
			fmt.Fprintf(c.App.ErrWriter, "note: no CUDA device can be used (%s): running on the CPU\n", reason)
		}
	}
	if name == "auto" || name == "cpu" {
		e, err := cpu.New(options)
		return []graph.Engine{e}, err
	}
	kind, number, numbered := strings.Cut(name, ":")
	index, err := strconv.Atoi(number)
	if kind != "cuda" || numbered && (err != nil || index < 0) {
		return nil, fmt.Errorf("--device %q: want auto, cpu, cuda or cuda:N", name)
	}
	if options.Variants != nil {
		return nil, fmt.Errorf("--variant chooses among kernels of the CPU; --device is %s", name)
	}
	if options.NoFuse {
		return nil, fmt.Errorf("--no-fuse is about the CPU engine; --device is %s", name)
	}
	n := 1
	if !numbered {
		n, _ = gpu.Count()
	}
	engines, err := openCards(c, index, max(n, 1), most)
	if err != nil {
		return nil, fmt.Errorf("--device %s: %w", name, err)
	}
	return engines, nil
}

// openCards makes engines on n cards from a number on, or on the first `most` of them.
func openCards(c *cli.Context, from, n, most int) (engines []graph.Engine, err error) {
	for i := range min(n, most) {
		e, err := gpu.Open(from + i)
		if err != nil {
			return nil, errors.Join(err, closeAll(engines))
		}
		engines = append(engines, e)
		note := ""
		if n > most {
			note = fmt.Sprintf(", one of %d cards", n)
		}
		fmt.Fprintf(c.App.ErrWriter, "note: running on %s%s\n", e.Info(), note)
	}
	return engines, nil
}

func closeAll(engines []graph.Engine) (err error) {
	for _, e := range engines {
		err = errors.Join(err, e.Close())
	}
	return err
}
