package graph

import "slices"

// Version counts the changes of an array of a pack.
type Version uint64

// Once tells when an executable must compute again what it computes once: when an array that it reads has changed since, or one that
// holds a result, which other programs and Write may have changed. The zero Once is stale.
type Once struct {
	reads, holds []*Version
	seen         []Version // of reads, then of holds; nil: never computed
}

// Reads notes an array that the once nodes read.
func (o *Once) Reads(v *Version) { o.reads = append(o.reads, v) }

// Holds notes an array, which has a name, in which a once node's result lives.
func (o *Once) Holds(v *Version) { o.holds = append(o.holds, v) }

// Stale tells whether the once nodes must run.
func (o *Once) Stale() bool {
	if o.seen == nil {
		return true
	}
	for i, v := range slices.Concat(o.reads, o.holds) {
		if o.seen[i] != *v {
			return true
		}
	}
	return false
}

// Ran notes that the once nodes have run, which changed the arrays that hold their results.
func (o *Once) Ran() {
	for _, v := range o.holds {
		*v++
	}
	o.seen = []Version{}
	for _, v := range slices.Concat(o.reads, o.holds) {
		o.seen = append(o.seen, *v)
	}
}

// Change notes that a step has changed an array: unless it is one that holds a once node's result, which no step computes.
func (o *Once) Change(v *Version) {
	if !slices.Contains(o.holds, v) {
		*v++
	}
}
