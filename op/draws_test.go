package op_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"lockstep/op"
)

// TestPhiloxKnownAnswers: the vectors of Random123 1.14 (tests/kat_vectors, philox4x32 10) and the golden words of the law.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, v := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}, // the digits of pi
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
		{[4]uint32{0, 0, 3, 0}, op.Key(42, "theta"), [4]uint32{0x4150c377, 0x6876253f, 0xc4b3e188, 0xbf7ddc86}},
	} {
		c := v.counter
		if got := op.Philox(v.key, uint64(c[3])<<32|uint64(c[2]), uint64(c[1])<<32|uint64(c[0])); got != v.want {
			t.Errorf("counter %08x, key %08x: %08x, want %08x", c, v.key, got, v.want)
		}
	}
}

// TestKey restates the key from the bytes of its definition.
func TestKey(t *testing.T) {
	for _, c := range []struct {
		seed   uint64
		stream string
	}{{42, "theta"}, {0, ""}, {math.MaxUint64, "order"}, {1 << 40, "größe"}} {
		text := append([]byte("lockstep/1\x00"), byte(c.seed), byte(c.seed>>8), byte(c.seed>>16), byte(c.seed>>24),
			byte(c.seed>>32), byte(c.seed>>40), byte(c.seed>>48), byte(c.seed>>56))
		h := sha256.Sum256(append(text, c.stream...))
		want := [2]uint32{uint32(h[0]) | uint32(h[1])<<8 | uint32(h[2])<<16 | uint32(h[3])<<24, uint32(h[4]) | uint32(h[5])<<8 | uint32(h[6])<<16 | uint32(h[7])<<24}
		if got := op.Key(c.seed, c.stream); got != want {
			t.Errorf("Key(%d, %q) = %08x, want %08x", c.seed, c.stream, got, want)
		}
	}
}

// blocks is a stream as a list of words, block after block, which the draws below read by the definitions of the law.
type blocks []uint32

func streamWords(key [2]uint32, t uint64, n int) (w blocks) {
	for b := 0; len(w) < n; b++ {
		block := op.Philox(key, t, uint64(b))
		w = append(w, block[:]...)
	}
	return w
}

// bit is bit j of the stream, least significant first.
func (w blocks) bit(j int) uint32 { return w[j/32] >> (j % 32) & 1 }

// draws is the float32 or integers of one draw of n elements.
func draws(t *testing.T, o op.Op, key [2]uint32, step uint64) op.Tensor {
	t.Helper()
	at := u32s(uint32(step), uint32(step>>32))
	if step>>32 == 0 && step%2 == 1 { // a scalar t is the low word
		at = scalar(uint32(step))
	}
	return law(t, o, u32s(key[0], key[1]), at)[0]
}

// TestDrawDefinitions derives each draw again from the blocks of its stream.
func TestDrawDefinitions(t *testing.T) {
	const n = 4097
	shape := op.S(n)
	uniform := func(lo, hi float32) func(w blocks, i int) uint32 {
		return func(w blocks, i int) uint32 {
			scaled := float32((hi - lo) * (float32(w[i]>>8) / (1 << 24)))
			return math.Float32bits(lo + scaled)
		}
	}
	for _, step := range []uint64{0, 1, 7, 1<<32 - 1, 1<<40 + 5} {
		for _, name := range []string{"theta", "order"} {
			key := op.Key(11, name)
			w := streamWords(key, step, 2*n+4)
			for _, d := range []struct {
				op   op.Op
				want func(w blocks, i int) uint32
			}{
				{op.Uniform{To: shape, Lo: op.B(0), Hi: op.B(1)}, uniform(0, 1)},
				{op.Uniform{To: shape, Lo: op.B(-0.1), Hi: op.B(0.3)}, uniform(-0.1, 0.3)}, // each step rounds
				{op.RandInt{To: shape, N: 10}, func(w blocks, i int) uint32 { return uint32(uint64(w[i]) * 10 / (1 << 32)) }},
				{op.RandInt{To: shape, N: math.MaxUint32}, func(w blocks, i int) uint32 { return uint32(uint64(w[i]) * math.MaxUint32 / (1 << 32)) }},
				{op.Rademacher{To: shape}, func(w blocks, i int) uint32 { return math.Float32bits(1) | w.bit(i)<<31 }},
				{op.Normal{To: shape}, func(w blocks, i int) uint32 {
					// Words 0 and 1 of a block serve elements 0 and 1 of four, words 2 and 3 elements 2 and 3.
					w0, w1 := w[i/2*2], w[i/2*2+1]
					u, v := float32(w0>>8+1)/(1<<24), float32(w1>>8)/(1<<24)
					r := float32(math.Sqrt(float64(-2 * op.Log32(u))))
					return math.Float32bits(r * []func(float32) float32{op.CosPi32, op.SinPi32}[i%2](2*v))
				}},
			} {
				got := draws(t, d.op, key, step)
				for i := range n {
					if want := d.want(w, i); got.W[i] != want {
						t.Fatalf("%s, step %d, element %d: %08x, want %08x", op.Describe(d.op), step, i, got.W[i], want)
					}
				}
			}
			for _, cols := range []int{1, 63, 64, 65, 200} {
				const rows = 7
				perRow := (cols + 63) / 64 * 64
				w := streamWords(key, step, rows*perRow/16)
				got := draws(t, op.Ternary{Rows: rows, Cols: int32(cols)}, key, step)
				fewer := draws(t, op.Ternary{Rows: 3, Cols: int32(cols)}, key, step)
				for i := range rows * cols {
					e := i/cols*perRow + i%cols
					want := w.bit(128*(e/64)+2*(e%64)) | w.bit(128*(e/64)+2*(e%64)+1)<<1
					if got.Code(i/cols, i%cols) != want || i < 3*cols && fewer.Code(i/cols, i%cols) != want {
						t.Fatalf("ternary of %d columns, step %d, element %d: code %d, want %d", cols, step, i, got.Code(i/cols, i%cols), want)
					}
				}
			}
		}
	}
}

// TestDrawStatistics: first moments within five standard errors, which a right generator leaves once in two million times;
// the seed is fixed, so the test either always passes or never.
func TestDrawStatistics(t *testing.T) {
	const n = 200_000
	key := op.Key(5, "statistics")
	shape := op.S(n)
	u := draws(t, op.Uniform{To: shape, Lo: op.B(0), Hi: op.B(1)}, key, 2).F()
	g := draws(t, op.Normal{To: shape}, key, 2).F()
	s := draws(t, op.Rademacher{To: shape}, key, 2).F()
	moments := func(x []float32, power int) (mean float64) {
		for _, v := range x {
			mean += math.Pow(float64(v), float64(power))
		}
		return mean / float64(len(x))
	}
	lag := func(x []float32, by int) (sum float64) {
		for i := range x[by:] {
			sum += float64(x[i]) * float64(x[i+by])
		}
		return sum / float64(len(x)-by)
	}
	for _, m := range []struct {
		what            string
		got, want, sdev float64 // of one element
	}{
		{"uniform mean", moments(u, 1), 1. / 2, math.Sqrt(1. / 12)}, {"uniform square", moments(u, 2), 1. / 3, math.Sqrt(4. / 45)},
		{"normal mean", moments(g, 1), 0, 1}, {"normal square", moments(g, 2), 1, math.Sqrt(2)},
		{"normal cube", moments(g, 3), 0, math.Sqrt(15)}, {"normal fourth power", moments(g, 4), 3, math.Sqrt(96)},
		{"rademacher mean", moments(s, 1), 0, 1}, {"rademacher square", moments(s, 2), 1, 1e-9},
		{"normal neighbours", lag(g, 1), 0, 1}, {"normal in one place of two blocks", lag(g, 4), 0, 1}, {"rademacher neighbours", lag(s, 1), 0, 1},
		{"rademacher one word on", lag(s, 32), 0, 1},
	} {
		if math.Abs(m.got-m.want) > 5*m.sdev/math.Sqrt(n) {
			t.Errorf("%s: %.5f, want %.5f within %.5f", m.what, m.got, m.want, 5*m.sdev/math.Sqrt(n))
		}
	}
	if lo, hi := slices.Min(u), slices.Max(u); lo < 0 || hi >= 1 {
		t.Errorf("uniform between %v and %v", lo, hi)
	}
	if hi := slices.Max(g); hi > 5.77 || hi < 4 {
		t.Errorf("the largest of %d normal numbers is %v", n, hi)
	}
	// Frequencies: chi-square of k classes has mean k-1 and variance 2(k-1).
	frequencies := func(what string, counts []float64, p []float64) {
		chi, total := 0., 0.
		for _, c := range counts {
			total += c
		}
		for i, c := range counts {
			chi += (c - total*p[i]) * (c - total*p[i]) / (total * p[i])
		}
		if k := float64(len(counts) - 1); chi > k+6*math.Sqrt(2*k) {
			t.Errorf("%s: chi-square %.1f with %v degrees of freedom, counts %v", what, chi, k, counts)
		}
	}
	counts, even := make([]float64, 10), slices.Repeat([]float64{0.1}, 10)
	for _, v := range draws(t, op.RandInt{To: shape, N: 10}, key, 2).W {
		counts[v]++
	}
	frequencies("integers below 10", counts, even)
	codes, counts := draws(t, op.Ternary{Rows: 100, Cols: 2000}, key, 2), make([]float64, 3)
	for i := range 100 * 2000 {
		counts[[]int{0, 1, 0, 2}[codes.Code(i/2000, i%2000)]]++
	}
	frequencies("ternary 0, +1, -1", counts, []float64{0.5, 0.25, 0.25})
	counts = make([]float64, 10)
	for epoch := range uint32(2000) { // where example 0 goes
		counts[slices.Index(law(t, op.Batch{N: 10, B: 10}, u32s(key[0], key[1]), scalar(epoch))[0].W, 0)]++
	}
	frequencies("place of an example", counts, even)
}

// permuteAgain restates the cycle-walking Feistel network on strings of bits.
func permuteAgain(key [2]uint32, epoch uint64, n, i uint32) uint32 {
	width := len(fmt.Sprintf("%b", n-1))
	if n == 1 {
		width = 0
	}
	h := max(1, (width+1)/2)
	size := uint64(1) << h
	keys := streamWords(key, epoch, 8)
	x := uint64(i)
	for first := true; first || x >= uint64(n); first = false {
		l, r := x/size, x%size
		for round := range 8 {
			f := uint32(r) ^ keys[round]
			f = (f ^ f>>16) * 0x85ebca6b
			f = (f ^ f>>13) * 0xc2b2ae35
			f ^= f >> 16
			l, r = r, l^uint64(f)%size
		}
		x = l*size + r
	}
	return uint32(x)
}

// TestPermutations: the order of an epoch is a bijection of [0, n), as the network defines it, and epochs differ.
func TestPermutations(t *testing.T) {
	key := op.Key(3, "order")
	sizes := []uint32{1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 63, 64, 65, 100, 255, 256, 257, 1000, 1024, 1025, 1797, 4096, 4097}
	for _, n := range sizes {
		for _, epoch := range []uint64{0, 1, 2, 1 << 33} {
			seen, moved := make([]bool, n), false
			for i := range n {
				v := op.Permute(key, epoch, n, i)
				if v != permuteAgain(key, epoch, n, i) {
					t.Fatalf("n = %d, epoch %d: position %d holds %d, want %d", n, epoch, i, v, permuteAgain(key, epoch, n, i))
				}
				if v >= n || seen[v] {
					t.Fatalf("n = %d, epoch %d: example %d at position %d is out of range or comes twice", n, epoch, v, i)
				}
				seen[v] = true
				moved = moved || v != op.Permute(key, epoch+1, n, i)
			}
			if n >= 9 && !moved {
				t.Errorf("n = %d: epochs %d and %d have one order", n, epoch, epoch+1)
			}
		}
	}
	for _, i := range []uint32{0, 1, 12345, 1<<31 - 2} {
		if got, want := op.Permute(key, 9, 1<<31-1, i), permuteAgain(key, 9, 1<<31-1, i); got != want {
			t.Errorf("n = 2^31 - 1, position %d: %d, want %d", i, got, want)
		}
	}
}

// TestBatchesStraddleEpochs: the batches of all steps, one after the other, are the orders of all epochs, one after the other.
func TestBatchesStraddleEpochs(t *testing.T) {
	key := op.Key(3, "order")
	for _, c := range []struct{ n, b uint32 }{{10, 3}, {7, 7}, {5, 12}, {1, 4}, {1797, 64}, {100, 1}} {
		var got, want []uint32
		for s := range 4*c.n/c.b + 2 {
			got = append(got, law(t, op.Batch{N: int32(c.n), B: int32(c.b)}, u32s(key[0], key[1]), scalar(s))[0].W...)
		}
		for epoch := uint64(0); len(want) < len(got); epoch++ {
			for i := range c.n {
				want = append(want, op.Permute(key, epoch, c.n, i))
			}
		}
		if !slices.Equal(got, want[:len(got)]) {
			t.Errorf("batches of %d from %d examples are not the orders of the epochs", c.b, c.n)
		}
	}
	// step * B does not fit in 32 bits.
	const step, n, b = 1<<32 - 1, 1797, 64
	first := uint64(step) * b
	got := law(t, op.Batch{N: n, B: b}, u32s(key[0], key[1]), scalar(step))[0].W
	for j := range uint64(b) {
		if want := op.Permute(key, (first+j)/n, n, uint32((first+j)%n)); got[j] != want {
			t.Fatalf("step %d, place %d: example %d, want %d", step, j, got[j], want)
		}
	}
}

// TestStreamsAreApart: keys, steps and names give different blocks; t above 32 bits counts.
func TestStreamsAreApart(t *testing.T) {
	seen := map[[4]uint32]string{}
	for seed := range uint64(4) {
		for _, name := range []string{"theta", "basis", "order"} {
			for _, step := range []uint64{0, 1, 1 << 32} {
				for block := range uint64(4) {
					b := op.Philox(op.Key(seed, name), step, block)
					at := fmt.Sprint(seed, name, step, block)
					if other, ok := seen[b]; ok {
						t.Errorf("%s and %s are one block", at, other)
					}
					seen[b] = at
				}
			}
		}
	}
	high := binary.LittleEndian.Uint64([]byte{5, 0, 0, 0, 1, 0, 0, 0})
	if got := draws(t, op.RandInt{To: op.S(4), N: math.MaxUint32}, op.Key(1, "x"), high).W[0]; got == draws(t, op.RandInt{To: op.S(4), N: math.MaxUint32}, op.Key(1, "x"), 5).W[0] {
		t.Error("the high word of t makes no difference")
	}
}
