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
	busy    atomic.Int32  // members at work on one
	kernels []job         // by member: parts of a kernel
	here    []atomic.Bool // by member
}

func newCrew(threads int) *crew {
	return &crew{threads: threads, kernels: make([]job, threads), here: make([]atomic.Bool, threads)}
}

// job is work in parts, of which each is taken once.
type job struct {
	// state is takers << 48 | parts << 24 | the next one to take: whoever exchanges it knows all three.
	state atomic.Uint64
	done  atomic.Int64
	run   func(member, part int)
	_     [64]byte // another job's words are on another cache line
}

const (
	mostParts  = 1<<24 - 1
	mostTakers = 1<<16 - 1
)

// offer makes parts to be taken by the first so many members. Those of the job before must be done.
func (j *job) offer(parts, takers int, run func(member, part int)) {
	j.run = run
	j.done.Store(0)
	j.state.Store(uint64(min(takers, mostTakers))<<48 | uint64(parts)<<24)
}

// left tells whether there is a part for a member.
func left(state uint64, member int) bool {
	return state&mostParts != state>>24&mostParts && member < int(state>>48)
}

// take runs a part, if one is left. Who has taken a part may read run: the job stays until the part is done.
func (j *job) take(member int) bool {
	for {
		s := j.state.Load()
		if !left(s, member) {
			return false
		}
		if j.state.CompareAndSwap(s, s+1) {
			j.run(member, int(s&mostParts))
			j.done.Add(1)
			return true
		}
	}
}

// finish takes parts until none is left, and waits for those that others have taken.
func (j *job) finish(member, parts int, meanwhile func() bool) {
	for j.take(member) {
	}
	since := time.Now()
	for spins := 1; j.done.Load() < int64(parts); spins++ {
		if meanwhile() {
			since, spins = time.Now(), 0
		} else if spins%64 == 0 { // whoever has the part may have lost its processor, or have long to go
			if time.Since(since) > patience {
				time.Sleep(patience / 4)
			} else {
				runtime.Gosched()
			}
		}
	}
}

// each runs f for 0 to n-1, on the first so many members.
func (c *crew) each(n, takers int, f func(member, i int)) {
	c.cells.offer(n, takers, func(member, i int) {
		c.busy.Add(1)
		f(member, i)
		c.busy.Add(-1)
	})
	for m := 1; m < min(n, takers); m++ {
		c.call(m)
	}
	c.cells.finish(0, n, func() bool { return c.help(0) })
}

// free is how many members have no block of cells.
func (c *crew) free() int { return c.threads - int(c.busy.Load()) }

// help takes a part of whatever there is; false: there is nothing.
func (c *crew) help(member int) bool {
	if c.cells.take(member) {
		return true
	}
	for m := range c.kernels {
		if m != member && c.kernels[m].take(member) {
			return true
		}
	}
	return false
}

// call has a member come, and tells whether it was away.
func (c *crew) call(member int) bool {
	if !c.here[member].CompareAndSwap(false, true) {
		return false
	}
	go c.stay(member)
	return true
}

// callSome has so many of those come that are away.
func (c *crew) callSome(n int) {
	for m := 1; m < c.threads && n > 0; m++ {
		if c.call(m) {
			n--
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
	if left(c.cells.state.Load(), member) {
		return true
	}
	for m := range c.kernels {
		if m != member && left(c.kernels[m].state.Load(), member) {
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

// put takes a crew back, and lets go of what its jobs held. One whose run panicked is no good any more.
func (s *crews) put(c *crew) {
	if c.busy.Load() != 0 {
		return
	}
	c.cells.run = nil
	for m := range c.kernels {
		c.kernels[m].run = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, c)
}
