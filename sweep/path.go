package sweep

import (
	"errors"
	"fmt"
	"strings"
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
	p := &Path{Scores: t.flag("scores", false)}
	var missing []string
	// together reads numbers of which a card gives all or none.
	together := func(must bool, keys []string, to ...*int) {
		for _, key := range keys {
			t.ask(key) // for the list of what could have been meant
			must = must || t.n.get(key) != nil
		}
		for i, key := range keys {
			if !must {
				continue
			}
			if t.n.get(key) == nil {
				missing = append(missing, key)
				continue
			}
			if *to[i] = t.count(key); *to[i] > maxPath && key != "rows" {
				t.fail(key, fmt.Errorf("it is %d; it must be 1 to %d", *to[i], maxPath))
			}
		}
	}
	together(true, []string{"pairs"}, &p.Pairs)
	together(false, []string{"components", "trials"}, &p.Components, &p.Trials)
	together(false, []string{"eigenvalues", "lanczos", "rows"}, &p.Eigenvalues, &p.Lanczos, &p.Rows)
	if p.Eigenvalues > p.Lanczos {
		t.fail("eigenvalues", fmt.Errorf("%d of them in %d Lanczos steps: there are as many at most, of which the last ones are not found well", p.Eigenvalues, p.Lanczos))
	}
	t.done()
	if len(missing) > 0 { // said last: a key may be there under another name
		t.fail("", fmt.Errorf("without %s; give pairs, and all or none of components and trials, and of eigenvalues, lanczos and rows", strings.Join(missing, " and ")))
	}
	return p
}
