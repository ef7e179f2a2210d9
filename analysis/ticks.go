package analysis

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// marked marks each of the values, and labels those that have room on an axis from lo to hi.
func marked(values []float64, lo, hi float64, log bool) (ticks []plot.Tick) {
	values = slices.Compact(slices.Sorted(slices.Values(values)))
	at := func(x float64) float64 { // 0 to 1 along the axis
		if log {
			return math.Log(x/lo) / math.Log(hi/lo)
		}
		return (x - lo) / (hi - lo)
	}
	const character, gap = 0.014, 0.012 // of the axis
	free := math.Inf(-1)
	for _, x := range values {
		t, label := plot.Tick{Value: x}, number(x)
		if half := character * float64(len(label)) / 2; at(x)-half >= free {
			t.Label, free = label, at(x)+half+gap
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// fifths marks every 0.2; a range of more than two, round numbers.
func fifths(lo, hi float64) (ticks []plot.Tick) {
	if hi-lo > 2 {
		return rounds(lo, hi)
	}
	for i := math.Ceil(lo*5) + 0; i <= hi*5; i++ { // + 0: from just below 0, -0 would be marked
		ticks = append(ticks, plot.Tick{Value: i / 5, Label: strconv.FormatFloat(i/5, 'f', 1, 64)})
	}
	return ticks
}

// decades marks the powers of ten, and labels at most six of them; where there are fewer than three, also 2 and 5 times
// each; where even these are few, round numbers.
func decades(lo, hi float64) (ticks []plot.Tick) {
	first, last := int(math.Ceil(math.Log10(lo)-1e-9)), int(math.Floor(math.Log10(hi)+1e-9))
	every := max(1, (last-first+5)/6)
	parts := []float64{1}
	if last-first < 2 {
		parts = []float64{1, 2, 5}
	}
	for k := first - 1; k <= last; k++ {
		for _, part := range parts {
			x := part * math.Pow(10, float64(k))
			if x < lo*(1-1e-9) || x > hi*(1+1e-9) {
				continue
			}
			t := plot.Tick{Value: x}
			if (k-first)%every == 0 || len(parts) > 1 {
				t.Label = number(x)
			}
			ticks = append(ticks, t)
		}
	}
	if len(ticks) < 3 {
		return rounds(lo, hi)
	}
	return ticks
}

// rounds marks four to ten round numbers.
func rounds(lo, hi float64) (ticks []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/2)))
	for _, part := range []float64{5, 2} { // the largest step with four marks
		if (hi-lo)/(part*step) >= 3 {
			step *= part
			break
		}
	}
	places := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	first := math.Ceil(lo/step - 1e-9)
	for k := range 12 { // bounded, whatever rounding does to a range of no width
		x := (first + float64(k)) * step
		if x > hi+step*1e-9 {
			break
		}
		ticks = append(ticks, plot.Tick{Value: x, Label: strconv.FormatFloat(x, 'f', places, 64)})
	}
	return ticks
}

// number is a number as short as it can be read: "0.001", "25", "1e-5", "1e30".
func number(x float64) string {
	if a := math.Abs(x); x == 0 || a >= 1e-3 && a < 1e6 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'e', -1, 64), "e")
	n, _ := strconv.Atoi(exponent)
	return digits + "e" + strconv.Itoa(n)
}
