//go:build cuda

package gpu

/*
#include <cuda.h>

// The argument goes as one buffer. The list is made in C, because two of its entries are no pointers, which Go's stack may not hold.
static CUresult launch(CUfunction f, const unsigned grid[3], unsigned block, unsigned shared, CUstream stream, void *argument, size_t bytes) {
	void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, argument, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CU_LAUNCH_PARAM_END};
	return cuLaunchKernel(f, grid[0], grid[1], grid[2], block, 1, 1, shared, stream, NULL, extra);
}
*/
import "C"

import (
	"unsafe"

	"gorgonia.org/cu"
)

// The driver's calls that gorgonia.org/cu v0.9.6 lacks, on its handles, each of which is a struct of one pointer.

func rawFunction(f cu.Function) C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&f)) }
func rawStream(s cu.Stream) C.CUstream       { return *(*C.CUstream)(unsafe.Pointer(&s)) }

var (
	_ = [1]struct{}{}[unsafe.Sizeof(cu.Function{})-unsafe.Sizeof(uintptr(0))]
	_ = [1]struct{}{}[unsafe.Sizeof(cu.Stream{})-unsafe.Sizeof(uintptr(0))]
)

// failed makes an error of a driver's result; nil for success.
func failed(call string, r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	e := &Error{Call: call, Code: int(r), Name: "an unknown error", Text: "the driver has no text for it"}
	var s *C.char
	if C.cuGetErrorName(r, &s) == C.CUDA_SUCCESS && s != nil {
		e.Name = C.GoString(s)
	}
	if C.cuGetErrorString(r, &s) == C.CUDA_SUCCESS && s != nil {
		e.Text = C.GoString(s)
	}
	return e
}

// launchKernel hands over the argument as one packed buffer.
func launchKernel(f cu.Function, grid [3]int, block, shared int, s cu.Stream, args []byte) error {
	g := [3]C.uint{C.uint(grid[0]), C.uint(grid[1]), C.uint(grid[2])}
	return failed("cuLaunchKernel", C.launch(rawFunction(f), &g[0], C.uint(block), C.uint(shared), rawStream(s), unsafe.Pointer(&args[0]), C.size_t(len(args))))
}

// allowShared lets a kernel use so many bytes of dynamic shared memory; without it a driver stops at 48 KiB.
func allowShared(f cu.Function, bytes int) error {
	return failed("cuFuncSetAttribute", C.cuFuncSetAttribute(rawFunction(f), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
}

// paramBytes is the size of a kernel's only parameter; 0 where the driver cannot tell (before CUDA 12.4).
func paramBytes(f cu.Function) int {
	var offset, size C.size_t
	if C.cuFuncGetParamInfo(rawFunction(f), 0, &offset, &size) != C.CUDA_SUCCESS {
		return 0
	}
	return int(size)
}

func clearAsync(p uint64, bytes int64, s cu.Stream) error {
	return failed("cuMemsetD8Async", C.cuMemsetD8Async(C.CUdeviceptr(p), 0, C.size_t(bytes), rawStream(s)))
}

// allocHost takes pinned memory of the host.
func allocHost(bytes int) (p unsafe.Pointer, err error) {
	err = failed("cuMemHostAlloc", C.cuMemHostAlloc(&p, C.size_t(bytes), 0))
	return p, err
}

// execGraph is a graph that can be launched.
type execGraph struct {
	exec   C.CUgraphExec
	stream cu.Stream
}

// capture records what f gives to the stream.
func capture(s cu.Stream, f func() error) (*execGraph, error) {
	if err := failed("cuStreamBeginCapture", C.cuStreamBeginCapture(rawStream(s), C.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)); err != nil {
		return nil, err
	}
	err := f()
	var g C.CUgraph
	if e := failed("cuStreamEndCapture", C.cuStreamEndCapture(rawStream(s), &g)); err == nil {
		err = e
	}
	if g != nil {
		defer C.cuGraphDestroy(g)
	}
	if err != nil {
		return nil, err
	}
	x := &execGraph{stream: s}
	return x, failed("cuGraphInstantiate", C.cuGraphInstantiate(&x.exec, g, 0))
}

func (g *execGraph) replay() error {
	return failed("cuGraphLaunch", C.cuGraphLaunch(g.exec, rawStream(g.stream)))
}

func (g *execGraph) close() error { return failed("cuGraphExecDestroy", C.cuGraphExecDestroy(g.exec)) }

func deviceName(d cu.Device) string {
	var name [256]C.char
	if C.cuDeviceGetName(&name[0], C.int(len(name)), C.CUdevice(d)) != C.CUDA_SUCCESS {
		return "unnamed"
	}
	return C.GoString(&name[0])
}

func failedCode(call string, code int) error { return failed(call, C.CUresult(code)) }

func unload(m cu.Module) error {
	return failed("cuModuleUnload", C.cuModuleUnload(*(*C.CUmodule)(unsafe.Pointer(&m))))
}
