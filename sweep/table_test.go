package sweep

import (
	"strings"
	"testing"
)

// Every value stands in the column of its axis, whatever axes the arms have.
func TestTableColumns(t *testing.T) {
	text := Table([]Result{
		{Arm: "sub", Axes: Axes{{"width", "32"}, {"d", "10"}}, Seed: 5, Params: 99, D: 10},
		{Arm: "base", Axes: Axes{{"width", "64"}}, Seed: 6, Params: 98, D: 98},
		{Arm: "rate", Axes: Axes{{"lr", "0.5"}, {"width", "16"}}, Seed: 7, Params: 97, D: 97, Declared: Declared{Diverged: true, Steps: 3}},
	})
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		got = append(got, strings.Join(strings.Fields(line)[:7], " "))
	}
	for i, want := range []string{"arm width d lr seed parameters dimension", "sub 32 10 - 5 99 10", "base 64 - - 6 98 98", "rate 16 - 0.5 7 97 97"} {
		if got[i] != want {
			t.Errorf("line %d is %q; want %q", i, got[i], want)
		}
	}
	if !strings.Contains(text, " diverged at step 3") {
		t.Errorf("the table does not tell the diverged cell:\n%s", text)
	}
}
