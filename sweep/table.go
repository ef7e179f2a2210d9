package sweep

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Table lists results as text, a line each.
func Table(results []Result) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "arm\t")
	if len(results) > 0 {
		for _, a := range results[0].Axes {
			fmt.Fprintf(t, "%s\t", a.Name)
		}
	}
	fmt.Fprintln(t, "seed\tD\td\ttrain loss\ttest accuracy\tperformance\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t", r.Arm)
		if len(results[0].Axes) == len(r.Axes) {
			for _, a := range r.Axes {
				fmt.Fprintf(t, "%s\t", a.Value)
			}
		}
		accuracy := "-"
		if a := r.Derived.TestAccuracy; a != nil {
			accuracy = fmt.Sprintf("%.4f", *a)
		}
		note := ""
		if r.Declared.Diverged {
			note = fmt.Sprintf("  diverged at step %d", r.Declared.Steps)
		}
		fmt.Fprintf(t, "%d\t%d\t%d\t%.4g\t%s\t%.4f\t%s\n", r.Seed, r.Params, r.D, float32(r.Declared.TrainLoss), accuracy, r.Derived.Performance, note)
	}
	t.Flush()
	return b.String()
}
