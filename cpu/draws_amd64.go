//go:build !purego

package cpu

import "math"

func init() {
	for _, d := range []struct {
		family  string
		philox  func(w *uint32, n int, keys *[20]uint32, t, block uint64)
		uniform func(w *uint32, n int, lo, width uint32)
		integer func(w *uint32, n int, below uint32)
		normal  func(w *uint32, n int)
		signs   func(y, w *uint32, n int)
		feistel func(x *uint32, n int, half, mask uint32, keys *[8]uint32)
	}{
		{"avx2", philoxWordsAVX2, uniformWordsAVX2, integerWordsAVX2, normalWordsAVX2, signsAVX2, feistelWordsAVX2},
		{"avx512", philoxWordsAVX512, uniformWordsAVX512, integerWordsAVX512, normalWordsAVX512, signsAVX512, feistelWordsAVX512},
	} {
		(&drawSet{
			family: d.family,
			words: func(w []uint32, s stream, block uint64) {
				d.philox(&w[0], len(w), s.keys, s.t, block)
			},
			uniform: func(w []uint32, lo, width float32) {
				d.uniform(&w[0], len(w), math.Float32bits(lo), math.Float32bits(width))
			},
			integer: func(w []uint32, n uint32) {
				d.integer(&w[0], len(w), n)
			},
			normal: func(w []uint32) { d.normal(&w[0], len(w)) },
			signs: func(y, w []uint32) {
				if len(w) > 0 {
					d.signs(&y[0], &w[0], len(w))
				}
			},
			feistel: func(x []uint32, half int, keys *[8]uint32) {
				d.feistel(&x[0], len(x), uint32(half), 1<<half-1, keys)
			},
		}).register()
	}
}
