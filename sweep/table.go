package sweep

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// Table lists results as text, a line each. Its columns are all axes of all arms; "-" stands where an arm has none.
func Table(results []Result) string {
	var axes []string
	for _, r := range results {
		for _, a := range r.Axes {
			if !slices.Contains(axes, a.Name) {
				axes = append(axes, a.Name)
			}
		}
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "arm\t%s", strings.Join(append(axes, ""), "\t"))
	fmt.Fprintln(t, "seed\tparameters\tdimension\ttrain loss\ttest accuracy\tperformance\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t", r.Arm)
		for _, name := range axes {
			fmt.Fprintf(t, "%s\t", r.Axes.value(name, "-"))
		}
		accuracy := "-"
		if a := r.Derived.TestAccuracy; a != nil {
			accuracy = fmt.Sprintf("%.4f", *a)
		}
		note := ""
		if r.Declared.Diverged {
			note = fmt.Sprintf("  diverged at step %d", r.Declared.Steps)
		} else if r.Derived.TrainLoss == nil || r.Derived.TestAccuracy != nil && r.Derived.TestLoss == nil {
			note = "  loss not finite"
		}
		fmt.Fprintf(t, "%d\t%d\t%d\t%.4g\t%s\t%.4f\t%s\n", r.Seed, r.Params, r.D, float32(r.Declared.TrainLoss), accuracy, r.Derived.Performance, note)
	}
	t.Flush()
	return b.String()
}
