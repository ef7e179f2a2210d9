package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of a command in front of its arguments, where the flag parser looks for them, so that
// "study run NAME --out DIR" means what it says. What follows "--" stays where it is.
func flagsFirst(args []string, commands []*cli.Command) []string {
	if len(args) == 0 {
		return args
	}
	at, flags := 1, []cli.Flag{}
	for at < len(args) { // the path to the command
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[at]) })
		if i < 0 {
			break
		}
		flags, commands = commands[i].Flags, commands[i].Subcommands
		at++
	}
	path := args[:at:at]
	var before, behind []string
	for rest := args[at:]; len(rest) > 0; rest = rest[1:] {
		arg := rest[0]
		if arg == "--" {
			behind = append(behind, rest...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			behind = append(behind, arg)
			continue
		}
		before = append(before, arg)
		if takesValue(arg, flags) && len(rest) > 1 {
			rest = rest[1:]
			before = append(before, rest[0])
		}
	}
	return slices.Concat(path, before, behind)
}

// takesValue tells whether the flag arg has its value in the next argument.
func takesValue(arg string, flags []cli.Flag) bool {
	name, _, inline := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	if inline {
		return false
	}
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			return !isBool
		}
	}
	return false
}
