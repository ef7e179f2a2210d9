// Package data holds the data sets: rows of inputs with a label or with targets each.
//
// A set is whole; its test rows are the first floor(N/5) examples of the permutation of stream "split". What a result
// hangs on is the set's Hash, which stands in the identity of every cell.
package data

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"lockstep/internal/nearest"
)

// Set is a data set; it is shared and must not be written. A set for classification has Y and Classes, a set for
// regression has T and Targets; the others are empty and 0.
type Set struct {
	Name    string
	N, In   int // rows, input columns
	Classes int
	Targets int       // target columns
	X       []float32 // [N, In] row-major
	Y       []uint32  // [N] labels below Classes
	T       []float32 // [N, Targets] row-major
	Hash    [32]byte  // SHA-256 of the content, see hash
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

// Test is the number of test rows: a fifth, rounded down.
func (s *Set) Test() int { return s.N / 5 }

// seal checks the set's sizes and fills in its Hash.
func (s *Set) seal() (*Set, error) {
	switch {
	case s.N < 1:
		return nil, fmt.Errorf("data %s: no rows", s.Name)
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
	s.Hash = s.hash()
	return s, nil
}

// hash is SHA-256 over: ASCII "lockstep/data/1" and one zero byte; N, In, Classes, Targets as u64; the bits of X, then
// Y, then the bits of T as u32, each in row-major order. All integers are little endian. The name is no part of it.
func (s *Set) hash() [32]byte {
	b := []byte("lockstep/data/1\x00")
	for _, n := range []int{s.N, s.In, s.Classes, s.Targets} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	for _, x := range s.X {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	for _, y := range s.Y {
		b = binary.LittleEndian.AppendUint32(b, y)
	}
	for _, t := range s.T {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(t))
	}
	return sha256.Sum256(b)
}

// sets: one line per entry. Each is read once.
var sets = []struct {
	name string
	open func() (*Set, error)
}{
	{"digits", sync.OnceValues(readDigits)},
	{"toy", sync.OnceValues(makeToy)},
}

// Names lists the data sets.
func Names() (names []string) {
	for _, s := range sets {
		names = append(names, s.name)
	}
	return names
}

// Open returns the data set of the given name; equal names give one and the same set. Error: no such name, with the
// nearest one.
func Open(name string) (*Set, error) {
	for _, s := range sets {
		if s.name == name {
			return s.open()
		}
	}
	return nil, nearest.Unknown("data set", name, Names())
}

// Digits is Open("digits"): the 1,797 handwritten digits of the UCI set "Optical Recognition of Handwritten Digits".
func Digits() (*Set, error) { return Open("digits") }

// makeToy is the target of the toy problem of Li et al. 2018 (arXiv 1804.08838, section 2): one row without inputs, whose
// ten targets are 1 to 10. Its model is a group-sum layer of ten groups of 100 parameters.
func makeToy() (*Set, error) {
	s := &Set{Name: "toy", N: 1, Targets: 10}
	for i := range s.Targets {
		s.T = append(s.T, float32(i+1))
	}
	return s.seal()
}
