package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// crew is the threads of a run. Each takes blocks of cells, one after the other; those that find none left help the others, whose kernels cut large work
// into parts: results that do not hang on each other, each computed whole, in its order, by one thread. So who computes what is left to chance, and no bit
// hangs on it.
//
// The thread that calls is member 0. The others come when there is something to do, look out for more for a while, and go: to wake a thread
// takes longer than most kernels.
type crew struct {
	threads int
	cells   job           // blocks of cells
	takers  atomic.Int32  // members that may take one: the first ones
	busy    atomic.Int32  // members at work on one
	kernels []job         // by member: parts of a kernel
	here    []atomic.Bool // by member
}

func newCrew(threads int) *crew {
	return &crew{threads: threads, kernels: make([]job, threads), here: make([]atomic.Bool, threads)}
}

// job is work in parts, of which each is taken once.
type job struct {
	state atomic.Uint64 // parts << 32 | the next one to take
	done  atomic.Int64
	run   func(member, part int)
	_     [64]byte // another job's words are on another cache line
}

// offer makes parts to be taken. Those of the job before must be done.
func (j *job) offer(parts int, run func(member, part int)) {
	j.run = run
	j.done.Store(0)
	j.state.Store(uint64(parts) << 32)
}

// take runs a part, if one is left. Who has taken a part may read run: the job stays until the part is done.
func (j *job) take(member int) bool {
	for {
		s := j.state.Load()
		part := s & (1<<32 - 1)
		if part == s>>32 {
			return false
		}
		if j.state.CompareAndSwap(s, s+1) {
			j.run(member, int(part))
			j.done.Add(1)
			return true
		}
	}
}

// finish takes parts until none is left, and waits for those that others have taken.
func (j *job) finish(member, parts int, meanwhile func() bool) {
	for j.take(member) {
	}
	for spins := 0; j.done.Load() < int64(parts); spins++ {
		if meanwhile() {
			spins = 0
		} else if spins > 256 { // whoever has the part may have lost its processor
			runtime.Gosched()
		}
	}
}

// each runs f for 0 to n-1, on the first so many members.
func (c *crew) each(n, takers int, f func(member, i int)) {
	c.takers.Store(int32(takers))
	c.cells.offer(n, func(member, i int) {
		c.busy.Add(1)
		f(member, i)
		c.busy.Add(-1)
	})
	c.call(min(n, takers) - 1)
	c.cells.finish(0, n, func() bool { return c.help(0) })
}

// free is how many members have no block of cells.
func (c *crew) free() int { return c.threads - int(c.busy.Load()) }

// help takes a part of whatever there is; false: there is nothing.
func (c *crew) help(member int) bool {
	if member < int(c.takers.Load()) && c.cells.take(member) {
		return true
	}
	for m := range c.kernels {
		if m != member && c.kernels[m].take(member) {
			return true
		}
	}
	return false
}

// call has so many of the others come.
func (c *crew) call(others int) {
	for m := 1; m <= others; m++ {
		if c.here[m].CompareAndSwap(false, true) {
			go c.stay(m)
		}
	}
}

// patience is how long a member looks out for work before it goes.
const patience = 200 * time.Microsecond

// stay is a member's life.
func (c *crew) stay(member int) {
	for {
		since := time.Now()
		for spins := 1; ; spins++ {
			if c.help(member) {
				since, spins = time.Now(), 0
			} else if spins%64 == 0 {
				if time.Since(since) > patience {
					break
				}
				runtime.Gosched()
			}
		}
		// Whoever offers something now either sees that nobody is here, or is seen.
		c.here[member].Store(false)
		if !c.waits(member) || !c.here[member].CompareAndSwap(false, true) {
			return
		}
	}
}

// waits tells whether there is something to take.
func (c *crew) waits(member int) bool {
	left := func(j *job) bool { s := j.state.Load(); return s&(1<<32-1) != s>>32 }
	if member < int(c.takers.Load()) && left(&c.cells) {
		return true
	}
	for m := range c.kernels {
		if m != member && left(&c.kernels[m]) {
			return true
		}
	}
	return false
}

// crews are those of an engine that are not at work; runs at the same time have one each.
type crews struct {
	mu   sync.Mutex
	free []*crew
}

func (s *crews) get(threads int) *crew {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		c := s.free[n-1]
		s.free = s.free[:n-1]
		return c
	}
	return newCrew(threads)
}

func (s *crews) put(c *crew) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, c)
}
