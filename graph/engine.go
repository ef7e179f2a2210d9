package graph

import (
	"context"
	"errors"

	"lockstep/op"
)

// Groups maps each named group of cells (op.Seed, op.Model, ..) to the slot of each cell: 0 to the number of slots less
// one, every slot used. Shared and Cell need no entry.
type Groups map[op.Domain][]int

// Memory is what a pack needs.
type Memory struct {
	Bytes int64 // arrays, tape and scratch
}

// What an engine's errors wrap when its device is at fault, and not what it was asked for.
var (
	// ErrMemory: the device's memory is exhausted. The pack may be of no use any more; the engine is, and a smaller pack may fit.
	ErrMemory = errors.New("memory is exhausted")
	// ErrLost: the device is lost, or a fault has spoiled what the engine had there. The engine is of no use any more.
	ErrLost = errors.New("the device is lost")
)

// ErrNoKernel is what Compile's error wraps when an engine has nothing to run a node by.
var ErrNoKernel = errors.New("no kernel")

// Engine makes packs. Its results have the bits of the laws.
type Engine interface {
	Name() string
	// Plan says what a pack of these programs would need; it allocates nothing.
	Plan(ps []*Program, cells int, groups Groups) (Memory, error)
	// Available is a careful guess of the bytes that packs may still take where the engine keeps them: the host's memory, or a card's.
	Available() (int64, error)
	NewPack(cells int, groups Groups) (Pack, error)
	Close() error
}

// Meter is an engine that can measure what its machine is capable of.
type Meter interface {
	Peak(ctx context.Context) (Peak, error)
}

// Chooser is an engine with several executors.
type Chooser interface {
	// Choose has what is compiled from now on run by the executor of that name where it can; "auto" leaves it to the engine. It gives the choice
	// before. Error: there is no such executor.
	Choose(executor string) (before string, err error)
}

// Sensed is an engine whose device tells how it fares.
type Sensed interface {
	// Sense reads the device now, in some milliseconds. Error: it tells nothing.
	Sense() (Reading, error)
}

// Reading is what a device tells of itself. What it does not tell is 0.
type Reading struct {
	Device      string   `json:"device"` // which one
	Joules      float64  `json:"joules"` // that it has used since some moment in the past, for whomever
	Watts       float64  `json:"watts"`  // averaged over a second on some cards
	Clock       float64  `json:"mhz"`    // of its multiprocessors
	Temperature float64  `json:"celsius"`
	Held        []string `json:"held_by"` // why its clocks are not higher
}

// Peak is what a machine can do at most, as measured: the roofs of a roofline (Williams, Waterman and Patterson 2009, Roofline,
// CACM 52(4)).
type Peak struct {
	FMA   float64 `json:"fma"`   // float32 multiply-adds a second, on all that the engine uses; 0: not known
	Copy  float64 `json:"copy"`  // bytes a second that a large copy reads and writes; what only reads may be faster
	Cache int64   `json:"cache"` // bytes of the last cache before memory
	Cells int     `json:"cells"` // how many cells of a pack the engine works on at once; 0: all
}

// Pack is a batch of cells with their named arrays, which its programs (train, evaluate, probe) share. Arrays are bytes,
// little endian words of Type.Words().
type Pack interface {
	// Put binds an array of the given type, or one slot of it, and makes what depends on it stale. NaNs become the canonical one.
	Put(name string, t op.Type, slot int, src []byte) error
	// Compile prepares a program whose inputs are bound: by Put, or as states or outputs of programs compiled before.
	Compile(p *Program) (Executable, error)
	// Read copies a cell's array.
	Read(name string, cell int, dst []byte) error
	// ReadAll copies every cell's array, one after the other: from a card in one go.
	ReadAll(name string, dst []byte) error
	// Write replaces a cell's array (for a coarser domain: its slot's). A checkpoint is every State, read; a resume writes it back.
	Write(name string, cell int, src []byte) error
	Close() error
}

// Executable runs one program on its pack.
type Executable interface {
	// Reset sets every State to its Init. Run never does.
	Reset(ctx context.Context) error
	// Run advances every cell by steps, or returns ctx's error after a whole number of steps of each cell: what was
	// computed stays, and each active cell's own State says how far it is.
	Run(ctx context.Context, steps int) error
	// Kernels tells what runs each node, in order.
	Kernels() []KernelInfo
	Close() error
}

// KernelInfo is one node and the twin, or the law, that runs it.
type KernelInfo struct {
	Op      string // op.Describe
	Variant string // the family of the twin, or "law"; of a card's kernels "cuda:" and their names, joined by +
	Once    bool   // runs once after binding, not in every step
}
