package sweep

import (
	"strings"
	"testing"
)

// axisOf reads one axis of an otherwise empty card.
func axisOf(t *testing.T, text string) (string, error) {
	t.Helper()
	root, err := parseTOML("test.toml", []byte("a = "+text))
	if err != nil {
		t.Fatal(err)
	}
	p := &place{file: "test.toml", sketch: true}
	var values []string
	for _, a := range readAxes(p.reader(root, "axes")) {
		for _, v := range a.values {
			values = append(values, v.text)
		}
	}
	return strings.Join(values, " "), p.err
}

func TestAxes(t *testing.T) {
	for text, want := range map[string]string{
		"[3, 1, 2]":                        "3 1 2",
		"[1_000, 0.10, 1e-3]":              "1000 0.10 1e-3",
		"['he', 'lecun']":                  "he lecun",
		"{range = [1, 4, 1]}":              "1 2 3 4",
		"{range = [1, 4, 2]}":              "1 3",
		"{range = [0.1, 0.5, 0.1]}":        "0.1 0.2 0.3 0.4 0.5", // with float64 steps the third would be 0.30000000000000004
		"{range = [-1, 1, 0.5]}":           "-1 -0.5 0 0.5 1",
		"{grid = [0, 1, 5]}":               "0 0.25 0.5 0.75 1",
		"{grid = [0, 1, 4]}":               "0 0.333333333333 0.666666666667 1",
		"{log-range = [10, 1000, 3]}":      "10 100 1000",
		"{log-range = [10, 300, 9]}":       "10 15 23 36 55 84 128 196 300",
		"{log-range = [1e-4, 1e-1, 4]}":    "0.0001 0.001 0.01 0.1",
		"{log-range = [0.5, 2, 4]}":        "0.5 0.7937 1.26 2",
		"{log-range = [1, 1000000000, 4]}": "1 1000 1000000 1000000000",
	} {
		if got, err := axisOf(t, text); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
}

func TestAxesRefused(t *testing.T) {
	for text, want := range map[string]string{
		"{range = [1, 4]}":                            "2 numbers; it takes [lo, hi, step]",
		"{range = [4, 1, 1]}":                         "lo is 4 and hi is 1; lo must be below hi",
		"{range = [1, 4, 0]}":                         "step is 0; it must be above 0",
		"{range = [1, 4, -1]}":                        "step is -1",
		"{range = [1, 4, 1e-9]}":                      "more than 100000 values",
		"{range = [1, 'b', 1]}":                       "text in [lo, hi, step]; it takes numbers",
		"{range = [1, inf, 1]}":                       "it is inf; it must be finite",
		"{range = [1, 2, 1], grid = [1, 2, 2]}":       "one of range, grid and log-range makes an axis",
		"{grid = [0, 1, 1]}":                          "count is 1; it must be a whole number, 2 to 100000",
		"{grid = [0, 1, 2.5]}":                        "count is 5/2",
		"{grid = [0, 1, 1e9]}":                        "count is 1000000000",
		"{log-range = [0, 1, 3]}":                     "lo is 0; it must be above 0",
		"{log-range = [1, 4, 9]}":                     "1 comes twice among 9 values",
		"{log-range = [1e-399, 4, 3]}":                "beyond float64",
		"{log-range = [1, 4, 3], log_range = [1, 2]}": `nearest is "log-range"`,
	} {
		if got, err := axisOf(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %s, %v; want an error with %s", text, got, err, want)
		}
	}
}

func TestSeedRange(t *testing.T) {
	c, err := ParseCard("test.toml", []byte(strings.Replace(testCard, "[3, 1]", "{range = [2, 5]}", 1)))
	if err != nil || len(c.Seeds) != 4 || c.Seeds[0] != 2 || c.Seeds[3] != 5 {
		t.Errorf("seeds %v, %v; want 2 to 5", c.Seeds, err)
	}
}
