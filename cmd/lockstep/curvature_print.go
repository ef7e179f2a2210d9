package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"lockstep/probe"
)

// wholeTables is the most matrices whose eigenvalues are all printed; of more, the outermost alone.
const wholeTables = 4

// printResults writes what people read.
func printResults(w io.Writer, r *probe.Results) error {
	for _, line := range r.Conventions {
		fmt.Fprintln(w, line)
	}
	for _, line := range r.Meaning() {
		fmt.Fprintln(w, line)
	}
	if r.Compared != "" {
		fmt.Fprintln(w, r.Compared)
	}
	fmt.Fprintln(w)
	whole := len(r.Units)*len(r.Models) <= wholeTables
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	switch {
	case r.Identity.Method == probe.Spectrum && whole:
		t.Flush()
		if err := printSpectra(w, r); err != nil {
			return err
		}
	case r.Identity.Method == probe.Spectrum:
		fmt.Fprintln(t, "at\tcell\tblock\tsize\tT\tlargest\terror\tsmallest\terror")
		fine(r, func(u *probe.UnitResult, who string, m *probe.ModelResult) {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d", u.At, who, blockOf(u), u.Size, u.T)
			for _, end := range [][]probe.Eigenvalue{m.Top, m.Bottom} {
				if len(end) == 0 {
					fmt.Fprint(t, "\t\t")
					continue
				}
				fmt.Fprintf(t, "\t%.7g\t%.1e", end[0].Value, end[0].Error)
			}
			fmt.Fprintln(t)
		})
	case r.Identity.Method == probe.Density:
		fmt.Fprintln(t, "at\tcell\tblock\tsize\tT\tfrom\tto\tsigma\teffective dimension")
		fine(r, func(u *probe.UnitResult, who string, m *probe.ModelResult) {
			d := m.Density
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%.4g\t%.4g\t%.3g\t%s\n", u.At, who, blockOf(u), u.Size, u.T, d.Least(), d.Greatest(), d.Sigma, effective(r, m.Effective))
		})
	default:
		fmt.Fprintln(t, "at\tcell\tblock\tsize\ttrace\tstandard error\t95 % interval\tsamples")
		fine(r, func(u *probe.UnitResult, who string, m *probe.ModelResult) {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%.7g\t%s\t[%s, %s]\t%d\n", u.At, who, blockOf(u), u.Size, m.Trace.Mean, short3(m.Trace.Error), short5(m.Trace.Lo), short5(m.Trace.Hi), m.Trace.Samples)
		})
	}
	if err := t.Flush(); err != nil {
		return err
	}
	problems, has := r.Problems()
	if len(problems) > 0 {
		fmt.Fprintf(w, "\n%d of %d matrices have no result:\n", len(problems), len(problems)+has)
		for _, p := range problems {
			fmt.Fprintln(w, "  "+p)
		}
	}
	_, err := fmt.Fprintf(w, "\ndigest %s\n", r.Digest)
	return err
}

// fine calls f for every model of every unit that has a result.
func fine(r *probe.Results, f func(u *probe.UnitResult, who string, m *probe.ModelResult)) {
	for i := range r.Units {
		u := &r.Units[i]
		for m := range u.Models {
			if u.Models[m].Problem == "" {
				f(u, r.Who(m), &u.Models[m])
			}
		}
	}
}

func blockOf(u *probe.UnitResult) string {
	if u.Block == "" {
		return "all"
	}
	return u.Block
}

// printSpectra prints the largest and the smallest eigenvalues side by side.
func printSpectra(w io.Writer, r *probe.Results) (err error) {
	fine(r, func(u *probe.UnitResult, who string, m *probe.ModelResult) {
		fmt.Fprintf(w, "at %s, %s, %s: T is %d x %d, of a matrix of size %d\n", u.At, who, blockOf(u), u.T, u.T, u.Size)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "rank\tlargest\terror"+residual(r)+"\tsmallest\terror"+residual(r)+"\t")
		for i := range max(len(m.Top), len(m.Bottom)) {
			fmt.Fprintf(t, "%d", i+1)
			for _, end := range [][]probe.Eigenvalue{m.Top, m.Bottom} {
				if i < len(end) {
					fmt.Fprintf(t, "\t%.7g\t%.1e", end[i].Value, end[i].Error)
				} else {
					fmt.Fprint(t, "\t\t")
				}
				if residual(r) == "" {
					continue
				}
				if i < len(end) && end[i].Residual != nil {
					fmt.Fprintf(t, "\t%.1e", *end[i].Residual)
				} else {
					fmt.Fprint(t, "\t")
				}
			}
			fmt.Fprintln(t, "\t")
		}
		err = t.Flush()
		fmt.Fprintln(w)
	})
	return err
}

// residual is the head of a column that is there with eigenvectors.
func residual(r *probe.Results) string {
	if r.Identity.Eigenvectors == nil {
		return ""
	}
	return "\tresidual"
}

func effective(r *probe.Results, m *probe.Mean) string {
	if m == nil {
		return "(-c asks for it)"
	}
	return fmt.Sprintf("%.4g at c = %g, quadrature [%s, %s], 95 %% [%s, %s]", m.Mean, r.View.C, short5(m.Least), short5(m.Most), short5(m.Lo), short5(m.Hi))
}

func short3(x *float64) string { return shortest(x, "%.2e") }
func short5(x *float64) string { return shortest(x, "%.5g") }

// shortest is a number, or what stands where one sample tells none.
func shortest(x *float64, format string) string {
	if x == nil {
		return "?"
	}
	return fmt.Sprintf(format, *x)
}
