package model

import (
	"fmt"
	"strings"
)

// Block is a named part of theta: Runs runs of Len elements, the first at Offset, each Stride behind the one before it.
type Block struct {
	Name                      string
	Offset, Runs, Len, Stride int
}

// Size is the number of its elements.
func (b Block) Size() int { return b.Runs * b.Len }

// Offsets lists its elements' places in theta, ascending.
func (b Block) Offsets() (all []int) {
	for r := range b.Runs {
		for i := range b.Len {
			all = append(all, b.Offset+r*b.Stride+i)
		}
	}
	return all
}

// Blocks lists the parts of theta that one may want to look at by themselves, in the order of theta: of each layer with parameters the whole,
// "1"; then each of its parameters, "1.wq", and behind it that of each head where it has one, "1.wq.0": of wq, wk and wv the columns, of wo the
// rows of the head.
func (s Spec) Blocks() (all []Block) {
	layer := -1 // in all
	for _, p := range s.Params() {
		name, _, _ := strings.Cut(p.Name, ".")
		if layer < 0 || all[layer].Name != name {
			layer = len(all)
			all = append(all, Block{Name: name, Offset: p.Offset, Runs: 1})
		}
		all[layer].Len += p.Len()
		all = append(all, Block{Name: p.Name, Offset: p.Offset, Runs: 1, Len: p.Len()})
		for h := range p.Heads {
			b := Block{Name: fmt.Sprintf("%s.%d", p.Name, h), Runs: 1, Stride: p.Len()}
			for _, d := range p.Shape[:p.HeadAxis] {
				b.Runs *= d
			}
			b.Stride /= b.Runs
			b.Len = b.Stride / p.Heads
			b.Offset = p.Offset + h*b.Len
			all = append(all, b)
		}
	}
	return all
}
