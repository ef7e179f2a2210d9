//go:build !purego

package cpu

import "lockstep/op"

func init() {
	twin("avx2", func(o op.MatMulJVP, _ []op.Type) kernel {
		return func(w *workspace, out, in []op.Tensor) {
			d, _ := op.MatMul(o).Dims(in[0].Shape, in[1].Shape)
			as, bs := [][]float32{in[0].F(), in[2].F()}, [][]float32{in[1].F(), in[3].F()}
			newProduct(d, in[4:]).run(w, out[0].F(), as, bs, &matmulJVPTiles)
		}
	})
}

var matmulJVPTiles = tileSet{
	1: {matmuljvp1x16, matmuljvp1x16tail, matmuljvp1x8tail},
	2: {matmuljvp2x16, matmuljvp2x16tail, matmuljvp2x8tail},
	3: {matmuljvp3x16, matmuljvp3x16tail, matmuljvp3x8tail},
	4: {matmuljvp4x16, matmuljvp4x16tail, matmuljvp4x8tail},
	5: {matmuljvp5x16, matmuljvp5x16tail, matmuljvp5x8tail},
	6: {matmuljvp6x16, matmuljvp6x16tail, matmuljvp6x8tail},
}

//go:noescape
func matmuljvp1x16(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp1x16tail(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp1x8tail(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp2x16(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp2x16tail(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp2x8tail(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp3x16(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp3x16tail(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp3x8tail(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp4x16(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp4x16tail(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp4x8tail(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp5x16(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp5x16tail(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp5x8tail(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp6x16(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp6x16tail(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

//go:noescape
func matmuljvp6x8tail(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)
