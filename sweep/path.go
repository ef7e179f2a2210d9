package sweep

import (
	"errors"
	"fmt"
)

// Path is what a study measures of the paths that cells take through their parameters, at each snapshot, besides the commutators of gradient steps on
// pairs of training batches, which it always measures. What is 0 or false is not measured. Packages trajectory and curvature say how.
type Path struct {
	Pairs int // of batches at each snapshot

	Components int // principal components of each attention matrix's snapshots, in whose span the commutators' shares are taken
	Trials     int // random bases that the shares are held against

	Eigenvalues int // the largest of the Hessian of the training loss
	Lanczos     int // steps, by which they are found
	Rows        int // that the loss is the mean of: the first so many training rows, or all if there are fewer

	Scores bool // loss and accuracy on all training and test rows
}

// maxPath bounds each number of a Path but Rows.
const maxPath = 1000

// readPath reads the table path. It needs snapshots.
func readPath(r *reader, snapshots int) *Path {
	if r.n.get("path") == nil {
		*r.keys = append(*r.keys, "path") // for the list of what could have been meant
		return nil
	}
	if snapshots == 0 {
		r.fail("path", errors.New("it is measured at snapshots: give snapshots, the steps between two"))
	}
	t := r.table("path")
	p := &Path{Pairs: t.count("pairs"), Scores: t.flag("scores", false)}
	limited := func(key string, n int) {
		if n > maxPath {
			t.fail(key, fmt.Errorf("it is %d; it must be 1 to %d", n, maxPath))
		}
	}
	limited("pairs", p.Pairs)
	// Of these tables' numbers a card gives all or none.
	given := func(keys ...string) (some bool) {
		for _, key := range keys {
			t.ask(key) // for the list of what could have been meant
			some = some || t.n.get(key) != nil
		}
		return some
	}
	if given("components", "trials") {
		p.Components, p.Trials = t.count("components"), t.count("trials")
		limited("components", p.Components)
		limited("trials", p.Trials)
	}
	if given("eigenvalues", "lanczos", "rows") {
		p.Eigenvalues, p.Lanczos, p.Rows = t.count("eigenvalues"), t.count("lanczos"), t.count("rows")
		limited("lanczos", p.Lanczos)
		if p.Eigenvalues > p.Lanczos {
			t.fail("eigenvalues", fmt.Errorf("%d of them in %d Lanczos steps: there are as many at most, of which the last ones are not found well", p.Eigenvalues, p.Lanczos))
		}
	}
	t.done()
	return p
}
