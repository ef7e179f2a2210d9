// Package idxtest makes small data sets in the files of MNIST, for tests.
package idxtest

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"lockstep/op"
)

// Write writes the four files of MNIST into the folder dir, plain: train and test images of side x side pixels, with
// labels 0 to 9 drawn at random. The same arguments give the same bytes. An image shows two of five spots, those of a
// die's 5; its label says which two. Spots are shifted by up to an eighth of the side, and noise covers them. Errors: a
// count below 1; those of the file system.
func Write(dir string, train, test, side int, seed uint64) error {
	if train < 1 || test < 1 || side < 1 {
		return fmt.Errorf("idxtest: %d and %d images of side %d; each is at least 1", train, test, side)
	}
	for name, n := range map[string]int{"train": train, "t10k": test} {
		images, labels := IDX(n, side, side), IDX(n)
		key := op.Key(seed, "idxtest/"+name)
		for i := range n {
			p := picture{key, i}
			label := p.below(0, len(pairs))
			labels = append(labels, byte(label))
			images = p.draw(images, pairs[label], side)
		}
		for kind, b := range map[string][]byte{"images-idx3": images, "labels-idx1": labels} {
			if err := os.WriteFile(filepath.Join(dir, name+"-"+kind+"-ubyte"), b, 0o666); err != nil {
				return err
			}
		}
	}
	return nil
}

// IDX is the header of an IDX file of bytes with the given dimensions, which the elements may be appended to.
func IDX(dims ...int) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return b
}

// spots are the five places, x and y in quarters of the side.
var spots = [5][2]int{{1, 1}, {3, 1}, {2, 2}, {1, 3}, {3, 3}}

// pairs are the spots of each label.
var pairs = [10][2]int{{0, 1}, {0, 2}, {0, 3}, {0, 4}, {1, 2}, {1, 3}, {1, 4}, {2, 3}, {2, 4}, {3, 4}}

// A spot's light falls from its centre with the square of the distance, to nothing at a quarter of the side.
const (
	light = 127
	noise = 255 - light
)

// picture is one image: words of Philox at a step of its own.
type picture struct {
	key [2]uint32
	i   int
}

// below draws a whole number below n from word j.
func (p picture) below(j, n int) int {
	w := op.Philox(p.key, uint64(p.i), uint64(j/4))[j%4]
	return int(uint64(w) * uint64(n) >> 32)
}

// draw appends the side x side pixels. Words 1 to 4 shift the spots, words 5 and on are the noise; lengths are in quarters
// of a pixel, where pixel x has its centre at 4 x + 2.
func (p picture) draw(b []byte, pair [2]int, side int) []byte {
	var at [2][2]int
	for s, spot := range pair {
		for axis := range 2 {
			at[s][axis] = spots[spot][axis]*side + p.below(1+2*s+axis, side/2*2+1) - side/2
		}
	}
	for y := range side {
		for x := range side {
			v := p.below(5+y*side+x, noise+1)
			for _, c := range at {
				dx, dy := 4*x+2-c[0], 4*y+2-c[1]
				v += max(0, light-light*(dx*dx+dy*dy)/(side*side))
			}
			b = append(b, byte(min(v, 255)))
		}
	}
	return b
}
