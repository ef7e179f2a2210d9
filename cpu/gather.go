//go:build !purego

package cpu

import (
	"math"

	"lockstep/op"
)

// Gather's law is a copy of rows and needs no twin.

func init() {
	twin("go", func(o op.ScatterAdd, _ []op.Type) kernel {
		return scatterAdd(int(o.N), func(y, x []uint32) {
			for j, v := range x[:len(y)] {
				sum := math.Float32frombits(y[j]) + math.Float32frombits(v)
				if y[j] = math.Float32bits(sum); sum != sum {
					y[j] = op.NaN
				}
			}
		})
	})
}

func init() {
	scratch(func(o op.ScatterAdd, in []op.Type, _ int) int {
		n, index := int(o.N), in[0].Len()
		if index <= op.Chunk {
			return 0
		}
		return min(n, op.Chunk)*(in[1].Len()/index+1) + n
	})
}

// scatterAdd is the kernel of ScatterAdd into n rows; add does y += x for a row that is not empty. Rows into which nothing is added cost
// no more than their zeros: the first chunk adds to the result itself, a later one to as many rows in scratch memory as it meets.
func scatterAdd(n int, add func(y, x []uint32)) kernel {
	return func(ws *workspace, out, in []op.Tensor) {
		index, x, y := in[0].W, in[1].W, out[0].W
		clear(y)
		if len(x) == 0 || len(y) == 0 {
			return
		}
		row := len(x) / len(index)
		at := func(t []uint32, i int) []uint32 { return t[i*row : (i+1)*row] }
		inside := func(v uint32) bool { return uint64(v) < uint64(n) }
		for i, v := range index[:min(op.Chunk, len(index))] {
			if inside(v) {
				add(at(y, int(v)), at(x, i))
			}
		}
		if len(index) <= op.Chunk {
			return
		}
		most := min(n, op.Chunk)
		sums, met := ws.Words(most*row), ws.Words(most) // sums [most, row]: row k is of row met[k] of the result
		place := ws.Words(n)                            // 1 + k for the rows that were met in this chunk, 0 for the others
		clear(place)
		for first := op.Chunk; first < len(index); first += op.Chunk {
			m := 0
			for i := first; i < min(first+op.Chunk, len(index)); i++ {
				v := index[i]
				if !inside(v) {
					continue
				}
				if place[v] == 0 {
					clear(at(sums, m))
					met[m] = v
					m++
					place[v] = uint32(m)
				}
				add(at(sums, int(place[v])-1), at(x, i))
			}
			for k, v := range met[:m] {
				add(at(y, int(v)), at(sums, k))
				place[v] = 0
			}
		}
	}
}
