package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

// digitsCSV is the test half of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (1998), UCI
// Machine Learning Repository, https://doi.org/10.24432/C50P49, licence CC BY 4.0: 1,797 rows of 64 pixels of an 8 x 8
// image, row-major, 0 to 16, and the label, 0 to 9.
//
//go:embed digits.csv.gz
var digitsCSV []byte

const (
	digitsRows   = 1797
	digitsPixels = 64
	digitsWhite  = 16 // the largest pixel
)

// readDigits unpacks the digits; an input is pixel / 16, which is exact.
func readDigits() (*Set, error) {
	z, err := gzip.NewReader(bytes.NewReader(digitsCSV))
	if err != nil {
		return nil, fmt.Errorf("data digits: %w", err)
	}
	s := &Set{Name: "digits", In: digitsPixels, Classes: 10}
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		s.N++
		fields := strings.Split(lines.Text(), ",")
		if len(fields) != digitsPixels+1 {
			return nil, fmt.Errorf("data digits: line %d has %d fields; %d pixels and a label make %d", s.N, len(fields), digitsPixels, digitsPixels+1)
		}
		for i, f := range fields {
			v, err := strconv.ParseUint(f, 10, 8)
			if err != nil || v > digitsWhite {
				return nil, fmt.Errorf("data digits: line %d, field %d is %q; it must be 0 to %d", s.N, i+1, f, digitsWhite)
			}
			if i < digitsPixels {
				s.X = append(s.X, float32(v)/digitsWhite)
			} else {
				s.Y = append(s.Y, uint32(v))
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("data digits: after line %d: %w", s.N, err)
	}
	if s.N != digitsRows {
		return nil, fmt.Errorf("data digits: %d rows; the set has %d", s.N, digitsRows)
	}
	return s.seal()
}
