package sweep

import (
	"errors"
	"fmt"
)

// Path is what a study measures of the paths that cells take through their parameters: the principal components of each attention matrix's
// snapshots, and at each snapshot the commutators of gradient steps on pairs of training batches. Package trajectory says how.
type Path struct {
	Components int // of each matrix, in whose span the commutators' shares are taken
	Pairs      int // of batches at each snapshot
	Trials     int // random bases that the shares are held against
}

// maxPath bounds each number of a Path.
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
	p := &Path{t.count("components"), t.count("pairs"), t.count("trials")}
	for key, n := range map[string]int{"components": p.Components, "pairs": p.Pairs, "trials": p.Trials} {
		if n > maxPath {
			t.fail(key, fmt.Errorf("it is %d; it must be 1 to %d", n, maxPath))
		}
	}
	t.done()
	return p
}
