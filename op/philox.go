package op

import (
	"crypto/sha256"
	"encoding/binary"
)

// Key is the Philox key of a named stream of a seed: the first eight bytes of SHA-256("lockstep/1", a zero byte, the seed
// as 64 bits little endian, the stream's name), as two little endian words. The host binds it as a u32[2] operand.
func Key(seed uint64, stream string) [2]uint32 {
	b := append([]byte("lockstep/1"), 0)
	b = binary.LittleEndian.AppendUint64(b, seed)
	h := sha256.Sum256(append(b, stream...))
	return [2]uint32{binary.LittleEndian.Uint32(h[:]), binary.LittleEndian.Uint32(h[4:])}
}

// Philox is block number block of a stream at step t: Philox 4x32-10 of Salmon, Moraes, Dror and Shaw, Parallel Random
// Numbers: As Easy as 1, 2, 3 (SC 2011), section 3.3, with the words and rounds of Random123. The counter words are
// block low, block high, t low, t high.
func Philox(key [2]uint32, t, block uint64) [4]uint32 {
	c := [4]uint32{uint32(block), uint32(block >> 32), uint32(t), uint32(t >> 32)}
	k := key
	for range 10 {
		p0, p1 := uint64(c[0])*0xD2511F53, uint64(c[2])*0xCD9E8D57
		c = [4]uint32{uint32(p1>>32) ^ c[1] ^ k[0], uint32(p1), uint32(p0>>32) ^ c[3] ^ k[1], uint32(p0)}
		k = [2]uint32{k[0] + 0x9E3779B9, k[1] + 0xBB67AE85} // the golden ratio and sqrt(3) - 1, as 0.32 fractions
	}
	return c
}

// stream is a bound draw: a key and a step.
type stream struct {
	key [2]uint32
	t   uint64
}

// streamOf reads the operands (key u32[2], t u32[] or u32[2]) of a draw.
func streamOf(in []Tensor) stream {
	s := stream{[2]uint32{in[0].W[0], in[0].W[1]}, uint64(in[1].W[0])}
	if len(in[1].W) == 2 {
		s.t |= uint64(in[1].W[1]) << 32
	}
	return s
}

// word is word i mod 4 of block i / 4.
func (s stream) word(i int) uint32 { return Philox(s.key, s.t, uint64(i/4))[i%4] }

// drawShape checks the operands of a draw with results of type d and shape s.
func drawShape(o Op, in []Type, d DType, s Shape) ([]Type, error) {
	if len(in) != 2 || in[0].DType != U32 || in[0].Shape != S(2) || in[1].DType != U32 || in[1].Shape != S() && in[1].Shape != S(2) {
		return nil, bad(o, in, "a key u32[2] and t, u32[] or (low, high) u32[2]")
	}
	return result(d, s), nil
}
