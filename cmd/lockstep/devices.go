package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"lockstep/cpu"
	"lockstep/gpu"
)

func devicesCommand() *cli.Command {
	return &cli.Command{
		Name:        "devices",
		Usage:       "list what programs can run on, with clocks, power, temperature and load of cards",
		Description: "Example: lockstep devices",
		Flags:       []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print JSON"}},
		Action:      listDevices,
	}
}

// cardReport is a card, and what NVML says of it now.
type cardReport struct {
	gpu.Info
	Telemetry      *gpu.Telemetry `json:"telemetry,omitempty"`
	WhyNoTelemetry string         `json:"why_no_telemetry,omitempty"`
}

func listDevices(c *cli.Context) error {
	if c.NArg() > 0 {
		return fmt.Errorf("devices takes no arguments: %q", c.Args().Slice())
	}
	infos, reason, err := gpu.Devices()
	if err != nil {
		return err
	}
	cards := []cardReport{}
	for _, i := range infos {
		x := cardReport{Info: i}
		if t, err := gpu.ReadTelemetry(i.Index); err != nil {
			x.WhyNoTelemetry = err.Error()
		} else {
			x.Telemetry = &t
		}
		cards = append(cards, x)
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(map[string]any{"cpu": cpu.Variants(), "cuda": cards, "why_no_cuda": reason})
	}
	fmt.Fprintf(c.App.Writer, "cpu: kernels %s\n", strings.Join(cpu.Variants(), ", "))
	for _, x := range cards {
		fmt.Fprintln(c.App.Writer, x.Info)
		if x.Telemetry != nil {
			fmt.Fprintf(c.App.Writer, "  %s\n", x.Telemetry)
		} else {
			fmt.Fprintf(c.App.Writer, "  no telemetry: %s\n", x.WhyNoTelemetry)
		}
	}
	if len(cards) == 0 {
		fmt.Fprintf(c.App.Writer, "no CUDA device: %s\n", reason)
	}
	return nil
}
