package gpu

import "lockstep/op"

type ternaryMMArgs struct {
	out, x, w, klen, scratch view
	qRow                     uint64
	m, k, n, wRow            uint32
	ragged, along            uint32
	integer, _               uint32
}

// What klen ends, see cuda/ternarymm.cu.
const (
	raggedTerms   = 1
	raggedResults = 2
)

// ternaryProduct plans ternarymm and ternarymmtail: the rows of x as integers in scratch, then the sums. Nil: more than 2^31 words.
func ternaryProduct(o op.TernaryMM, ragged uint32, in, out []op.Type) *plan {
	m, k, n, ok := o.Dims(in[0].Shape, in[1].Shape)
	if !ok || !small(in, out) {
		return nil
	}
	const piece = 512 // codes that a warp of ternary_along takes at once
	a := ternaryMMArgs{m: uint32(m), k: uint32(k), n: uint32(n), qRow: uint64(blocks(k, piece) * piece),
		wRow: uint32(op.RowWords(in[1].At(1)))}
	if len(in) == 3 {
		a.ragged = ragged
	}
	rows := launch{kernel: "ternary_rows_f32", x: m, z: 1, block: 32 * min(32, max(1, blocks(k, 32)))}
	if in[0].DType == op.I8 {
		a.integer, rows.kernel = 1, "ternary_rows_i8"
	}
	var sums launch
	switch {
	case o.TB:
		a.along = 1
		sums = launch{kernel: "ternary_along", x: blocks(n, 4), z: min(m, maxZ), block: 32 * min(8, max(1, blocks(k, piece)))}
	case m == 1:
		sums = launch{kernel: "ternary_down_1", x: blocks(n, 512), z: 1, block: 128}
	default:
		sums = launch{kernel: "ternary_down_4", x: blocks(n, 512), z: min(blocks(m, 4), maxZ), block: 128}
	}
	p := &plan{scratch: (m*int(a.qRow) + m + 15) / 16 * 16}
	for _, l := range []launch{rows, sums} {
		l.args = func(at places) argument {
			a := a
			a.out, a.x, a.w, a.scratch = at.out[0], at.in[0], at.in[1], at.scratch
			if len(at.in) == 3 {
				a.klen = at.in[2]
			}
			return bytesOf(a)
		}
		p.launches = append(p.launches, l)
	}
	return p
}

var (
	_ = kernel(func(o op.TernaryMM, in, out []op.Type) *plan { return ternaryProduct(o, raggedTerms, in, out) })
	_ = kernel(func(o op.TernaryMMTail, in, out []op.Type) *plan {
		return ternaryProduct(op.TernaryMM(o), raggedResults, in, out)
	})
)
