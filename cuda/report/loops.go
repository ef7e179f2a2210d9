package main

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"
)

// loops finds the innermost loops of a kernel: for each the numbers of its instructions, ascending; the loops as they stand in the
// code. It follows the flow of control, so code that was laid out elsewhere belongs to the loop that comes back from it, and
// a jump back that is no loop is none.
func loops(code []instruction) ([][]int, error) {
	next, err := flow(code)
	if err != nil {
		return nil, err
	}
	all := make([]int, len(code))
	for i := range all {
		all[i] = i
	}
	found := innermost(next, all)
	slices.SortFunc(found, slices.Compare)
	return found, nil
}

// flow lists the instructions that may follow each.
func flow(code []instruction) ([][]int, error) {
	number := map[int]int{}
	for n, i := range code {
		number[i.at] = n
	}
	next := make([][]int, len(code))
	rejoin := map[string]map[int]bool{} // of a convergence barrier: where those that it holds go on
	for n, i := range code {
		falls, to := true, -1
		switch i.name {
		case "BRA", "CALL", "BSSY":
			target, ok := 0, false
			if len(i.operands) > 0 {
				target, ok = number[hex(strings.TrimPrefix(i.operands[len(i.operands)-1], "0x"))]
			}
			if !ok {
				return nil, fmt.Errorf("%04x: %s goes to no instruction of the kernel", i.at, i)
			}
			if i.name != "BSSY" {
				to = target
			} else if barrier := i.operands[0]; rejoin[barrier] == nil {
				rejoin[barrier] = map[int]bool{target: true}
			} else {
				rejoin[barrier][target] = true
			}
			// A call also goes on behind it; where nvcc makes it a far jump, it has a predicate.
			falls = i.name != "BRA" || i.conditional || len(i.operands) > 1
		case "EXIT", "RET", "KILL":
			falls = i.conditional
		case "BRX", "BRXU", "JMP", "JMX", "JMXU":
			if len(i.targets) == 0 {
				return nil, fmt.Errorf("%04x: %s: an indirect jump, which cannot be followed", i.at, i)
			}
			for _, at := range i.targets {
				to, ok := number[at]
				if !ok {
					return nil, fmt.Errorf("%04x: %s goes to %04x, where there is no instruction of the kernel", i.at, i, at)
				}
				next[n] = append(next[n], to)
			}
			falls = i.conditional
		}
		if falls && n+1 < len(code) {
			next[n] = append(next[n], n+1)
		}
		if to >= 0 {
			next[n] = append(next[n], to)
		}
	}
	for n, i := range code {
		if i.name == "BSYNC" && !rejoin[i.operands[0]][n+1] {
			return nil, fmt.Errorf("%04x: %s does not stand before the place where its BSSY lets go on", i.at, i)
		}
	}
	return next, nil
}

// innermost takes each strongly connected part of some instructions: without its head, where it is entered, it falls apart into
// loops within, or it is an innermost loop.
func innermost(next [][]int, some []int) (found [][]int) {
	g, within := simple.NewDirectedGraph(), map[int]bool{}
	for _, n := range some {
		g.AddNode(simple.Node(n))
		within[n] = true
	}
	for _, n := range some {
		for _, to := range next[n] {
			if within[to] && to != n { // a jump to itself is the trap behind the end
				g.SetEdge(simple.Edge{F: simple.Node(n), T: simple.Node(to)})
			}
		}
	}
	for _, part := range topo.TarjanSCC(g) {
		if len(part) == 1 {
			continue
		}
		ids := numbers(part)
		inner := innermost(next, without(ids, head(next, ids)))
		if len(inner) == 0 {
			inner = [][]int{ids}
		}
		found = append(found, inner...)
	}
	return found
}

func numbers(part []graph.Node) []int {
	ids := make([]int, len(part))
	for i, n := range part {
		ids[i] = int(n.ID())
	}
	slices.Sort(ids)
	return ids
}

// head is the first instruction of a loop that is entered from outside.
func head(next [][]int, loop []int) int {
	first := len(next)
	for n, to := range next {
		if _, inside := slices.BinarySearch(loop, n); inside {
			continue
		}
		for _, t := range to {
			if _, inside := slices.BinarySearch(loop, t); inside {
				first = min(first, t)
			}
		}
	}
	if first == len(next) { // nobody comes here
		return loop[0]
	}
	return first
}

func without(loop []int, n int) []int {
	return slices.DeleteFunc(slices.Clone(loop), func(i int) bool { return i == n })
}

func (i instruction) String() string { return i.name + i.suffix + " " + strings.Join(i.operands, ", ") }
