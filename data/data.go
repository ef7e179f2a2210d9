// Package data holds the data sets: rows of inputs with a label or with targets each.
//
// A set is whole: its rows for training and for testing together, which Split takes apart. What a result hangs on is the
// set's Hash and the split, which stand in the identity of every cell.
package data

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"lockstep/op"
)

// SplitSeed is the seed of stream "split", which draws the test rows: one for all cells, whatever their own.
const SplitSeed = 0

// Set is a data set; it is shared and must not be written. A set for classification has Y and Classes, a set for
// regression has T and Targets; the others are empty and 0.
type Set struct {
	Name    string
	N, In   int // rows, input columns
	Classes int
	Vocab   int // inputs are tokens, whole numbers below Vocab; 0: they are numbers
	Targets int // target columns
	Given   int // test rows that the set brings: its last ones; 0: they are drawn
	Drawn   int // test rows to draw; 0: a fifth of all
	// Together is the number of training rows, one behind the other, that stay together in the order of every epoch, which is one of such groups; 0 and
	// 1: each goes by itself. It needs given test rows.
	Together int
	X        []float32 // [N, In] row-major
	Y        []uint32  // [N] labels below Classes
	T        []float32 // [N, Targets] row-major
	Hash     [32]byte  // SHA-256 of the content, see hash

	Settings []Setting // that it was made by, all of them
}

// Title is the set's name, and the settings that it was made by: "modular-addition, modulus = 97".
func (s *Set) Title() string {
	title := s.Name
	for _, x := range s.Settings {
		title += fmt.Sprintf(", %s = %d", x.Key, x.Value)
	}
	return title
}

// Out is the number of output columns of a model of these data: a logit per class, or the targets.
func (s *Set) Out() int {
	if s.Classes > 0 {
		return s.Classes
	}
	return s.Targets
}

// Loss names the training loss: cross-entropy for labels, squared-error for targets (the sum over a row's targets, the
// mean over the rows).
func (s *Set) Loss() string {
	if s.Classes > 0 {
		return "cross-entropy"
	}
	return "squared-error"
}

// Test is the number of test rows: those given, those to draw, or a fifth, rounded down.
func (s *Set) Test() int {
	switch {
	case s.Given > 0:
		return s.Given
	case s.Drawn > 0:
		return s.Drawn
	}
	return s.N / 5
}

// Split gives the rows to train on and to test on, by their numbers below N, in the order in which they are bound: of
// given test rows train [0, N-Given) and test [N-Given, N), ascending; else test is the first Test() of the permutation
// of stream "split", and train the rest of it.
func (s *Set) Split() (train, test []int) {
	rows := make([]int, s.N)
	if s.Given > 0 {
		for i := range rows {
			rows[i] = i
		}
		cut := s.N - s.Given
		return rows[:cut:cut], rows[cut:]
	}
	key, cut := op.Key(SplitSeed, "split"), s.Test()
	for i := range rows {
		rows[i] = int(op.Permute(key, 0, uint32(s.N), uint32(i)))
	}
	return rows[cut:], rows[:cut:cut]
}

// seal checks the set's sizes and fills in its Hash.
func (s *Set) seal() (*Set, error) {
	switch {
	case s.N < 1:
		return nil, fmt.Errorf("data %s: no rows", s.Name)
	case s.Given < 0 || s.Given >= s.N:
		return nil, fmt.Errorf("data %s: %d of %d rows are given for testing; at least one is for training", s.Name, s.Given, s.N)
	case s.Drawn < 0 || s.Drawn >= s.N || s.Drawn > 0 && s.Given > 0:
		return nil, fmt.Errorf("data %s: %d of %d rows are to be drawn for testing, beside %d given ones; at least one is for training, and test rows are either", s.Name, s.Drawn, s.N, s.Given)
	case (s.Classes > 0) == (s.Targets > 0):
		return nil, fmt.Errorf("data %s: %d classes and %d targets; a set has either", s.Name, s.Classes, s.Targets)
	case len(s.X) != s.N*s.In || len(s.T) != s.N*s.Targets || s.Classes > 0 && len(s.Y) != s.N:
		return nil, fmt.Errorf("data %s: %d inputs, %d labels and %d targets do not make %d rows", s.Name, len(s.X), len(s.Y), len(s.T), s.N)
	}
	for i, y := range s.Y {
		if int(y) >= s.Classes {
			return nil, fmt.Errorf("data %s: row %d has label %d; labels are below %d", s.Name, i, y, s.Classes)
		}
	}
	for i, x := range s.X {
		if s.Vocab > 0 && !(x >= 0 && x < float32(s.Vocab) && x == float32(int(x))) {
			return nil, fmt.Errorf("data %s: row %d has token %v; tokens are whole numbers below %d", s.Name, i/s.In, x, s.Vocab)
		}
	}
	if s.Together > 1 && (s.Given == 0 || (s.N-s.Given)%s.Together != 0) {
		return nil, fmt.Errorf("data %s: %d training rows are no groups of %d", s.Title(), s.N-s.Test(), s.Together)
	}
	s.Hash = s.hash()
	return s, nil
}

// hash is SHA-256 over: ASCII "lockstep/data/1" and one zero byte; N, In, Classes, Targets as u64; the bits of X, then
// Y, then the bits of T as u32, each in row-major order; and, if Together is above 1, it, as u64. All integers are little endian. Name, Vocab, Given, Drawn and Settings are no part
// of it.
func (s *Set) hash() [32]byte {
	h := sha256.New()
	w := bufio.NewWriter(h) // a hash never fails
	word := func(x uint32) { w.Write(binary.LittleEndian.AppendUint32(w.AvailableBuffer(), x)) }
	w.WriteString("lockstep/data/1\x00")
	for _, n := range []int{s.N, s.In, s.Classes, s.Targets} {
		w.Write(binary.LittleEndian.AppendUint64(w.AvailableBuffer(), uint64(n)))
	}
	for _, x := range s.X {
		word(math.Float32bits(x))
	}
	for _, y := range s.Y {
		word(y)
	}
	for _, t := range s.T {
		word(math.Float32bits(t))
	}
	if s.Together > 1 {
		w.Write(binary.LittleEndian.AppendUint64(w.AvailableBuffer(), uint64(s.Together)))
	}
	w.Flush()
	return [32]byte(h.Sum(nil))
}
