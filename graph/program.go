// Package graph holds programs: tracing, derivatives as program transformations, lowering to a tape, and the interfaces
// of the engines that run them.
//
// A program is an immutable straight-line list of ops on the tensors of one cell. It has no loops: training is
// Executable.Run(ctx, steps), and what must survive a step is State.
package graph

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"lockstep/op"
)

// State is a value that survives a step: it starts at Init, which depends on inputs alone, is read as In, and is
// replaced by Next when a step ends.
type State struct {
	Name           string
	Init, In, Next op.Value
}

// Named is an input.
type Named struct {
	Name string
	V    op.Value
}

// Output is a named array that each step writes. It varies over Domain, which may be finer than V's.
type Output struct {
	Name   string
	V      op.Value
	Domain op.Domain
}

// Program is a traced program. Value v has type Types[v]; value 0 does not occur.
type Program struct {
	Nodes  []op.Node
	Types  []op.Type
	In     []Named
	Out    []Output
	State  []State
	Active op.Value // bool []: a cell whose Active is false keeps every State; 0 means always active
}

// String writes the program, one op a line, in a form that names it: equal programs, and only they, have equal texts.
func (p *Program) String() string {
	var b strings.Builder
	for _, n := range p.In {
		fmt.Fprintf(&b, "input %q %%%d %s\n", n.Name, n.V, p.Types[n.V])
	}
	for _, s := range p.State {
		fmt.Fprintf(&b, "state %q %%%d %s init %%%d next %%%d\n", s.Name, s.In, p.Types[s.In], s.Init, s.Next)
	}
	for _, n := range p.Nodes {
		for i, v := range n.Out {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%%%d %s", v, p.Types[v])
		}
		fmt.Fprintf(&b, " = %s(", op.Describe(n.Op))
		for i, v := range n.In {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%%%d", v)
		}
		b.WriteString(")\n")
	}
	for _, n := range p.Out {
		fmt.Fprintf(&b, "output %q %%%d over %s\n", n.Name, n.V, n.Domain)
	}
	fmt.Fprintf(&b, "active %%%d\n", p.Active)
	return b.String()
}

// OutType is the type of an output's array.
func (p *Program) OutType(o Output) op.Type {
	t := p.Types[o.V]
	t.Domain = o.Domain
	return t
}

// Hash names the program: the SHA-256 of its text.
func (p *Program) Hash() [32]byte { return sha256.Sum256([]byte(p.String())) }
