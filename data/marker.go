package data

import (
	"fmt"

	"lockstep/op"
)

// Marker modular addition of "Low-Dimensional Execution Manifolds in Transformer Learning Dynamics" (arXiv 2602.10496,
// section 3.1), with the sizes of its released code (github.com/skydancerosel/bubble-modadd, train.py; the text of the
// paper gives others: 32 tokens).
const (
	markerLength = 16  // tokens of a row
	markerVocab  = 256 // tokens that there are
	markerClass  = 8   // classes, and values: tokens 0 to 7
	markerFirst  = 100 // token of the first marker; the others follow
	markerMost   = 4   // markers
	markerTest   = 2048
	markerBlocks = 6 // of Philox for a row: 24 words
)

// makeMarkers draws rows of 16 tokens, of which m are markers, each followed by a value; the label is the sum of the values
// modulo 8. Marker i, of the m in a row from left to right, is token 100 + i; a value is uniform in 0 to 7; the markers' places are
// uniform among the sets of m places in 1 to 14 of which no two are neighbours; every other token is uniform among those that are
// neither values nor one of the row's m markers. m is uniform in fewest to markers, one number where they are equal.
//
// It stands for fresh data: a pool of rows for training, drawn independently, none of which is used twice as long as steps times
// batch is at most rows, since an epoch's order holds each once. The test rows, the last 2,048, have a stream of their own, so they hang
// on fewest and markers alone. All streams are those of SplitSeed: one set for all cells, whatever their own seeds.
//
// Row i has blocks 6 i to 6 i + 5 of stream "marker-addition", or "marker-addition/test", at t = 0: word 0 draws m, word 1 the
// places, words 2 to 5 the values, words 8 to 23 the tokens of places 0 to 15, each as op.RandInt does; 6 and 7 are not used. Places are drawn by
// their number in lexicographic order.
//
// The released code draws one set of places, and one m, for a whole batch. With together = b, rows g b to g b + b - 1 share them, and stay together in the
// order of an epoch: words 0 and 1 are then those of row g of stream "marker-addition/together", of blocks 6 g to 6 g + 5. Else each row has its own, since
// a row is independent of the batch that it comes to lie in. Test rows always have.
func makeMarkers(n map[string]int) (*Set, error) {
	most, fewest, rows, together := n["markers"], n["fewest"], n["rows"], n["together"]
	if fewest == 0 {
		n["fewest"], fewest = most, most
	}
	if fewest > most {
		return nil, fmt.Errorf("data marker-addition: fewest is %d and markers is %d; a row has fewest to markers of them", fewest, most)
	}
	if rows%together != 0 {
		return nil, fmt.Errorf("data marker-addition: rows is %d and together is %d; the rows are whole groups of so many", rows, together)
	}
	s := &Set{
		Name: "marker-addition", N: rows + markerTest, In: markerLength, Classes: markerClass, Vocab: markerVocab, Given: markerTest,
		X: make([]float32, (rows+markerTest)*markerLength), Y: make([]uint32, rows+markerTest),
	}
	if together > 1 {
		s.Together = together
	}
	shared := op.Key(SplitSeed, "marker-addition/together")
	fill := func(stream string, from, to, together int) {
		key := op.Key(SplitSeed, stream)
		for i := from; i < to; i++ {
			w := markerWords(key, uint64(i-from))
			if together > 1 {
				group := markerWords(shared, uint64((i-from)/together))
				w[0], w[1] = group[0], group[1]
			}
			s.Y[i] = markerRow(w, fewest, most, s.X[i*markerLength:(i+1)*markerLength])
		}
	}
	fill("marker-addition", 0, rows, together)
	fill("marker-addition/test", rows, s.N, 1)
	return s.seal()
}

// markerWords are those of row i of a stream.
func markerWords(key [2]uint32, i uint64) (w [4 * markerBlocks]uint32) {
	for b := range uint64(markerBlocks) {
		block := op.Philox(key, 0, markerBlocks*i+b)
		copy(w[4*b:], block[:])
	}
	return w
}

// markerRow makes a row x of its words, and gives its label.
func markerRow(w [4 * markerBlocks]uint32, fewest, most int, x []float32) (label uint32) {
	below := func(word uint32, n int) int { return int(uint64(word) * uint64(n) >> 32) } // the law of op.RandInt
	m := fewest + below(w[0], most-fewest+1)
	for p := range x {
		token := markerClass + below(w[8+p], markerVocab-markerClass-m)
		if token >= markerFirst {
			token += m
		}
		x[p] = float32(token)
	}
	// Places p_0 < p_1 < .. without neighbours, in 1 to 14, are p_k = 1 + q_k + k for any q_0 < q_1 < .. below 15 - m.
	const last = markerLength - 2 // the last place that a value can follow
	rank := below(w[1], choose(last+1-m, m))
	q := 0
	for k := range m {
		for ; ; q++ {
			rest := choose(last-m-q, m-k-1) // sets of places that have q next
			if rank < rest {
				break
			}
			rank -= rest
		}
		p, value := 1+q+k, below(w[2+k], markerClass)
		x[p], x[p+1] = float32(markerFirst+k), float32(value)
		label += uint32(value)
		q++
	}
	return label % markerClass
}

// choose is the number of sets of k among n.
func choose(n, k int) int {
	c := 1
	for i := range k {
		c = c * (n - i) / (i + 1)
	}
	return c
}

// makeModular is addition modulo a number: all pairs (a, b), a slower, with the label (a + b) mod modulus; train-percent of the pairs,
// rounded down, are for training. It is the task of Power et al. 2022 (arXiv 2201.02177) with the sizes of
// github.com/skydancerosel/grokking-integrability, grok_sweep.py: modulus 97, half of the pairs (its README says 30 %). There
// each seed shuffles the pairs anew, and batches are drawn with replacement; here the pairs are those of Split, one set for all seeds,
// and an epoch takes each once.
func makeModular(n map[string]int) (*Set, error) {
	p := n["modulus"]
	s := &Set{Name: "modular-addition", N: p * p, In: 2, Classes: p, Vocab: p, Drawn: p*p - p*p*n["train-percent"]/100}
	for a := range p {
		for b := range p {
			s.X = append(s.X, float32(a), float32(b))
			s.Y = append(s.Y, uint32((a+b)%p))
		}
	}
	return s.seal()
}
