package optest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"

	"lockstep/op"
)

// Case is one op with attributes, operand types and a rule for the operands' values.
type Case struct {
	Op   op.Op
	In   []op.Type // of the operands; the domain is set by the packing
	Note string    // what is special about the values
	Seed uint64    // of the values; see Draw

	fill func(r *rand.Rand, in []op.Tensor)
	mu   sync.Mutex
	drew map[int][]op.Tensor
	want map[string][]op.Tensor
}

func (c *Case) String() string {
	s := op.Describe(c.Op) + "("
	for i, t := range c.In {
		if i > 0 {
			s += ", "
		}
		s += t.DType.String() + t.Shape.String()
	}
	return fmt.Sprintf("%s) %s, seed %d", s, c.Note, c.Seed)
}

// Words counts those of the operands and results of one cell.
func (c *Case) Words() (words int) {
	out, _ := c.Op.Shape(c.In) // no error: the cases are right
	for _, t := range slices.Concat(c.In, out) {
		words += t.Words()
	}
	return words
}

// Draw is the operands' data for a slot; slots differ in their data only. The tensors are shared: copy before writing.
func (c *Case) Draw(slot int) []op.Tensor {
	c.mu.Lock()
	defer c.mu.Unlock()
	if in, ok := c.drew[slot]; ok {
		return in
	}
	in := make([]op.Tensor, len(c.In))
	for i, t := range c.In {
		in[i] = op.New(t)
	}
	c.fill(rand.New(rand.NewPCG(c.Seed, uint64(slot))), in)
	for _, t := range in {
		if t.DType == op.F32 {
			op.Canonical(t.W)
		}
	}
	c.drew[slot] = in
	return in
}

// Operands takes operand i from the data of slot slots[i].
func (c *Case) Operands(slots []int) []op.Tensor {
	in := make([]op.Tensor, len(c.In))
	for i := range in {
		in[i] = c.Draw(slots[i])[i]
	}
	return in
}

// Want is the law's result for Operands(slots); nil takes everything from slot 0.
func (c *Case) Want(slots []int) ([]op.Tensor, error) {
	if slots == nil {
		slots = make([]int, len(c.In))
	}
	in, key := c.Operands(slots), fmt.Sprint(slots)
	c.mu.Lock()
	defer c.mu.Unlock()
	if out, ok := c.want[key]; ok {
		return out, nil
	}
	out, err := op.Run(c.Op, in...)
	if err == nil {
		c.want[key] = out
	}
	return out, err
}

// cached holds the tables that were made before: the laws are slow, and every variant of an engine wants the same results.
var cached sync.Map // name and seed -> []*Case

// Cases is the table of an op for a seed of the values.
func Cases(o op.Op, seed uint64) []*Case {
	key := fmt.Sprint(o.Name(), seed)
	if cases, ok := cached.Load(key); ok {
		return cases.([]*Case)
	}
	h := fnv.New32a()
	h.Write([]byte(o.Name()))
	t := &table{op: o, seed: seed<<32 | uint64(h.Sum32()&0xffff)<<16}
	if generate := generators[o.Name()]; generate != nil {
		generate(t)
	}
	cases, _ := cached.LoadOrStore(key, t.cases)
	return cases.([]*Case)
}

// table collects the cases of one op.
type table struct {
	op    op.Op
	seed  uint64
	cases []*Case
}

// operand is a type and a rule for its values.
type operand struct {
	t    op.Type
	fill func(r *rand.Rand, t op.Tensor)
}

// add appends a case whose operands are independent of each other.
func (g *table) add(o op.Op, note string, in ...operand) { g.addRelated(o, note, nil, in...) }

// addRelated appends a case whose operands are drawn one by one and then adjusted together.
func (g *table) addRelated(o op.Op, note string, adjust func(r *rand.Rand, in []op.Tensor), in ...operand) {
	c := &Case{Op: o, Note: note, Seed: g.seed + uint64(len(g.cases)), drew: map[int][]op.Tensor{}, want: map[string][]op.Tensor{}}
	for _, x := range in {
		c.In = append(c.In, x.t)
	}
	c.fill = func(r *rand.Rand, t []op.Tensor) {
		for i, x := range in {
			x.fill(r, t[i])
		}
		if adjust != nil {
			adjust(r, t)
		}
	}
	g.cases = append(g.cases, c)
}
