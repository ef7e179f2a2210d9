package op

import "math/bits"

// Batch gives the examples of one training step: position p = step * B + j lies in epoch p / N (floor) and holds example
// Permute(p mod N) of that epoch's order, so batches straddle epochs. With B = N it is the whole order of epoch step.
//
//	key u32[2], step u32[] -> u32[B]
type Batch struct{ N, B int32 }

func (Batch) Name() string { return "batch" }
func (Batch) Class() Class { return Exact }

func (o Batch) Shape(in []Type) ([]Type, error) {
	if o.N < 1 || o.B < 0 || len(in) == 2 && !isScalar(in[1]) {
		return nil, bad(o, in, "N of at least 1, B of at least 0, a key u32[2] and a step u32[]")
	}
	return drawShape(o, in, U32, S(int(o.B)))
}

// Law: y[j] = Permute of position (step * B + j) mod N in epoch (step * B + j) / N.
func (o Batch) Law(out, in []Tensor) {
	s := streamOf(in)
	for j := range out[0].W {
		p := s.t*uint64(o.B) + uint64(j)
		out[0].W[j] = Permute(s.key, p/uint64(o.N), uint32(o.N), uint32(p%uint64(o.N)))
	}
}

func (Batch) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (Batch) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }

// Permute is position i of the order of epoch t over n examples: a Feistel network of 8 rounds over two halves of h =
// max(1, ceil(bits(n-1) / 2)) bits, walked along its cycle until it is below n (Black and Rogaway, Ciphers with Arbitrary
// Finite Domains, CT-RSA 2002, method 2). Round r: (L, R) -> (R, L xor (fmix32(R xor key_r) mod 2^h)), key_r = word r mod
// 4 of block r / 4 at step t, of a stream that nothing else uses. It is not uniform over all permutations.
func Permute(key [2]uint32, t uint64, n, i uint32) uint32 {
	h := max(1, (bits.Len32(n-1)+1)/2)
	mask := uint32(1)<<h - 1
	k := [2][4]uint32{Philox(key, t, 0), Philox(key, t, 1)}
	x := uint64(i)
	for {
		l, r := uint32(x>>h), uint32(x)&mask
		for q := range 8 {
			l, r = r, l^fmix32(r^k[q/4][q%4])&mask
		}
		if x = uint64(l)<<h | uint64(r); x < uint64(n) {
			return uint32(x)
		}
	}
}

// fmix32 is the finaliser of MurmurHash3 (A. Appleby).
func fmix32(x uint32) uint32 {
	x = (x ^ x>>16) * 0x85ebca6b
	x = (x ^ x>>13) * 0xc2b2ae35
	return x ^ x>>16
}
