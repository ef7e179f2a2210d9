package gpu

import "fmt"

// device is a card as the engine sees it: memory, kernels and one queue of work. All calls come from one OS thread. Addresses
// are the device's. Launches, copies and clears run in the order in which they are given; read and sync wait for them.
type device interface {
	info() Info
	alloc(bytes int64) (uint64, error)
	free(p uint64) error
	write(dst uint64, src []byte) error
	read(dst []byte, src uint64) error
	clear(p uint64, bytes int64) error
	// function finds a kernel by its name, and lets it use so many bytes of dynamic shared memory.
	function(name string, shared int) (function, error)
	launch(f function, grid [3]int, block, shared int, args []byte) error
	// record captures what f gives to the queue, instead of running it, for replay.
	record(f func() error) (recording, error)
	sync() error
	close() error
}

// function is a kernel that was loaded.
type function interface{ argBytes() int }

// recording is a graph of work.
type recording interface {
	replay() error
	close() error
}

// Info describes a card.
type Info struct {
	Index           int    `json:"index"`
	Name            string `json:"name"`
	Driver          string `json:"driver"`     // the library
	Version         int    `json:"version"`    // of CUDA that the driver knows, 1000 * major + 10 * minor
	Capability      int    `json:"capability"` // 10 * major + minor
	Multiprocessors int    `json:"multiprocessors"`
	L2              int64  `json:"l2"`     // bytes of the cache
	Memory          int64  `json:"memory"` // bytes in all
	Free            int64  `json:"free"`
}

func (i Info) String() string {
	return fmt.Sprintf("cuda:%d %s, compute capability %d.%d, %d multiprocessors, %.1f GB (%.1f GB free), CUDA %d.%d by %s", i.Index, i.Name,
		i.Capability/10, i.Capability%10, i.Multiprocessors, float64(i.Memory)/1e9, float64(i.Free)/1e9, i.Version/1000, i.Version%1000/10, i.Driver)
}

// Error is what a driver says went wrong, and with what.
type Error struct {
	Call   string // of the driver
	Name   string // such as CUDA_ERROR_ILLEGAL_ADDRESS
	Text   string // the driver's own
	Code   int
	Kernel string // and what it was launched with
	Grid   [3]int
	Block  int
	Shared int
}

func (e *Error) Error() string {
	what := fmt.Sprintf("CUDA: %s says %s (%d): %s", e.Call, e.Name, e.Code, e.Text)
	if e.Kernel != "" {
		what += fmt.Sprintf(" (kernel %s, grid %v, %d threads, %d bytes of shared memory)", e.Kernel, e.Grid, e.Block, e.Shared)
	}
	return what
}

// The driver's codes that mean something to the engine.
const (
	codeOutOfMemory = 2
	codeNoDevice    = 100
)

// sticky tells whether a context is of no use after the error: after all but those that refuse a call and do nothing.
func (e *Error) sticky() bool {
	switch e.Code {
	case 1, codeOutOfMemory, 3, codeNoDevice, 101, 200, 201, 209, 218, 400, 500, 600, 701, 801:
		return false
	}
	return true
}
