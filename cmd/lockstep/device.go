package main

import (
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
	return &cli.StringFlag{Name: "device", Value: "auto", Usage: "run on `DEVICE`: auto (a card if there is one), cpu, cuda or cuda:N (cards need a build by make cuda); results do not depend on it"}
}

// openDevice makes the engine that --device names; options are the CPU engine's.
func openDevice(c *cli.Context, options cpu.Options) (graph.Engine, error) {
	name := c.String("device")
	if name == "auto" {
		cards, reason, err := gpu.Devices()
		switch {
		case err != nil:
			return nil, err
		case len(cards) > 0 && options.Variants == nil:
			fmt.Fprintf(c.App.ErrWriter, "note: running on %s\n", cards[0])
			return gpu.Open(0)
		case len(cards) == 0 && gpu.Built:
			fmt.Fprintf(c.App.ErrWriter, "note: no CUDA device (%s): running on the CPU\n", reason)
		}
		name = "cpu"
	}
	if name == "cpu" {
		return cpu.New(options)
	}
	kind, number, numbered := strings.Cut(name, ":")
	index, err := strconv.Atoi(number)
	if kind != "cuda" || numbered && (err != nil || index < 0) {
		return nil, fmt.Errorf("--device %q: want auto, cpu, cuda or cuda:N", name)
	}
	if options.Variants != nil {
		return nil, fmt.Errorf("--variant chooses among kernels of the CPU; --device is %s", name)
	}
	e, err := gpu.Open(index)
	if err != nil {
		return nil, fmt.Errorf("--device %s: %w", name, err)
	}
	return e, nil
}
