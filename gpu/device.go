package gpu

import "fmt"

// device is a card as the engine sees it: memory, kernels and one queue of work. All calls come from one OS thread. Addresses
// are the device's. Launches, copies and clears run in the order in which they are given; sync waits for them.
type device interface {
	info() Info
	available() (int64, error) // bytes that alloc may still give
	alloc(bytes int64) (uint64, error)
	free(p uint64) error
	clear(p uint64, bytes int64) error
	// pinned is memory of the host that the queue may copy from and to while the host does something else; it lives until close.
	pinned(bytes int) ([]byte, error)
	// copyIn and copyOut copy from and to pinned memory, which must be left alone until the queue is through.
	copyIn(dst uint64, src []byte) error
	copyOut(dst []byte, src uint64) error
	// mark notes how far the queue is, under the number 0 or 1; wait waits until it is through to there.
	mark(number int) error
	wait(number int) error
	// function finds a kernel by its name, and lets it use so many bytes of dynamic shared memory.
	function(name string, shared int) (function, error)
	// launch runs a kernel; so many blocks side by side along x are a cluster.
	launch(f function, grid [3]int, block, shared, cluster int, args argument) error
	// record captures what f gives to the queue, instead of running it, for replay.
	record(f func() error) (recording, error)
	sync() error
	close() error
}

// function is a kernel that was loaded.
type function interface {
	argBytes() int // of its argument; 0: not known
	ptx() int      // the version that it was compiled from, 10 * major + minor of the compute capability
}

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
	Shared          int    `json:"shared"` // bytes of shared memory that a block may have
	L2              int64  `json:"l2"`     // bytes of the cache
	Memory          int64  `json:"memory"` // bytes in all
	Free            int64  `json:"free"`
}

func (i Info) String() string {
	return fmt.Sprintf("cuda:%d %s, compute capability %d.%d, %d multiprocessors, %.1f GB (%.1f GB free), CUDA %d.%d by %s", i.Index, i.Name,
		i.Capability/10, i.Capability%10, i.Multiprocessors, float64(i.Memory)/1e9, float64(i.Free)/1e9, i.Version/1000, i.Version%1000/10, i.Driver)
}
