package optest

import "lockstep/op"

// The cases of what goes over the last axis, and has one number for each row or none.

// rowLengths are lengths of rows round the lanes of vectors, of Sum, and its segments.
var rowLengths = []int{1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 63, 64, 65, 128, 1023, 1024, 1025, 2050}

// overRows calls add for rows of every length, and for every flavour.
func overRows(add func(f flavour, dims ...int)) {
	for _, c := range rowLengths {
		add(gauss, 5, c)
		add(bits, 3, c)
	}
	for _, n := range short {
		add(wide, 35, n)
	}
	for _, f := range flavours {
		add(f, 6, 10)
		add(f, 2, 3, 4)
		add(f, 35, 60) // more than a block
		add(f, 22, 100)
	}
	add(wide, 33)
	add(gauss, 34000) // segments, of which there are more than lanes
	add(wide, 0, 3)
	add(gauss, 2, 4, 16, 16) // as attention has them
}

func softmaxGrads(g *table) {
	overRows(func(f flavour, dims ...int) { g.add(op.SoftmaxGrad{}, f.name, f32(f, dims...), f32(f, dims...)) })
}

func layerNorms(g *table) {
	overRows(func(f flavour, dims ...int) { g.add(op.LayerNorm{Eps: op.B(1e-5)}, f.name, f32(f, dims...)) })
	g.add(op.LayerNorm{}, "rows of one value", f32(zeros, 5, 33)) // 0 * inf
}

func layerNormGrads(g *table) {
	overRows(func(f flavour, dims ...int) {
		g.add(op.LayerNormGrad{}, f.name, f32(f, dims...), f32(f, op.S(dims...).With(-1, 1).Dims()...), f32(f, dims...))
	})
}
