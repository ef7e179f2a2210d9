//go:build cuda

package gpu

/*
#include <cuda.h>

// The argument goes as one buffer. The list is made in C, because two of its entries are no pointers, which Go's stack may not hold.
static CUresult launch(CUfunction f, const unsigned grid[3], unsigned block, unsigned shared, unsigned cluster, CUstream stream, void *argument, size_t bytes) {
	void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, argument, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CU_LAUNCH_PARAM_END};
	if (cluster == 1)
		return cuLaunchKernel(f, grid[0], grid[1], grid[2], block, 1, 1, shared, stream, NULL, extra);
	CUlaunchAttribute a = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, .value.clusterDim = {cluster, 1, 1}};
	CUlaunchConfig c = {.gridDimX = grid[0], .gridDimY = grid[1], .gridDimZ = grid[2], .blockDimX = block, .blockDimY = 1, .blockDimZ = 1,
		.sharedMemBytes = shared, .hStream = stream, .attrs = &a, .numAttrs = 1};
	return cuLaunchKernelEx(&c, f, NULL, extra);
}
*/
import "C"

import "unsafe"

// The driver's calls that gorgonia.org/cu v0.9.6 lacks, on the driver's own handles.
type handle = unsafe.Pointer

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
func launchKernel(f handle, grid [3]int, block, shared, cluster int, s handle, args []byte) error {
	g := [3]C.uint{C.uint(grid[0]), C.uint(grid[1]), C.uint(grid[2])}
	call := "cuLaunchKernel"
	if cluster > 1 {
		call = "cuLaunchKernelEx"
	}
	return failed(call, C.launch(C.CUfunction(f), &g[0], C.uint(block), C.uint(shared), C.uint(cluster), C.CUstream(s), unsafe.Pointer(&args[0]), C.size_t(len(args))))
}

// allowShared lets a kernel use so many bytes of dynamic shared memory; without it a driver stops at 48 KiB.
func allowShared(f handle, bytes int) error {
	return failed("cuFuncSetAttribute", C.cuFuncSetAttribute(C.CUfunction(f), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
}

// paramBytes is the size of a kernel's only parameter; 0 where the driver cannot tell (before CUDA 12.4).
func paramBytes(f handle) int {
	var offset, size C.size_t
	if C.cuFuncGetParamInfo(C.CUfunction(f), 0, &offset, &size) != C.CUDA_SUCCESS {
		return 0
	}
	return int(size)
}

// ptxVersion is that of the PTX from which a kernel was compiled, before or by the driver; 0 where the driver does not tell.
func ptxVersion(f handle) int {
	var v C.int
	if C.cuFuncGetAttribute(&v, C.CU_FUNC_ATTRIBUTE_PTX_VERSION, C.CUfunction(f)) != C.CUDA_SUCCESS {
		return 0
	}
	return int(v)
}

func clearAsync(p uint64, bytes int64, s handle) error {
	return failed("cuMemsetD8Async", C.cuMemsetD8Async(C.CUdeviceptr(p), 0, C.size_t(bytes), C.CUstream(s)))
}

// allocHost takes pinned memory of the host.
func allocHost(bytes int) (p unsafe.Pointer, err error) {
	err = failed("cuMemHostAlloc", C.cuMemHostAlloc(&p, C.size_t(bytes), 0))
	return p, err
}

// execGraph is a graph that can be launched.
type execGraph struct {
	exec   C.CUgraphExec
	stream handle
}

// capture records what f gives to the stream.
func capture(s handle, f func() error) (*execGraph, error) {
	if err := failed("cuStreamBeginCapture", C.cuStreamBeginCapture(C.CUstream(s), C.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)); err != nil {
		return nil, err
	}
	err := f()
	var g C.CUgraph
	if e := failed("cuStreamEndCapture", C.cuStreamEndCapture(C.CUstream(s), &g)); err == nil {
		err = e
	}
	if g != nil {
		defer C.cuGraphDestroy(g)
	}
	if err != nil {
		return nil, err
	}
	x := &execGraph{stream: s}
	if err := failed("cuGraphInstantiate", C.cuGraphInstantiate(&x.exec, g, 0)); err != nil {
		return nil, err
	}
	return x, nil
}

func (g *execGraph) replay() error {
	return failed("cuGraphLaunch", C.cuGraphLaunch(g.exec, C.CUstream(g.stream)))
}

func (g *execGraph) close() error { return failed("cuGraphExecDestroy", C.cuGraphExecDestroy(g.exec)) }

// sharedOfBlock is the most bytes of shared memory that a block of a device may be allowed; 0 if the driver does not tell.
func sharedOfBlock(d int) int {
	var v C.int
	if C.cuDeviceGetAttribute(&v, C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, C.CUdevice(d)) != C.CUDA_SUCCESS {
		return 0
	}
	return int(v)
}

func deviceName(d int) string {
	var name [256]C.char
	if C.cuDeviceGetName(&name[0], C.int(len(name)), C.CUdevice(d)) != C.CUDA_SUCCESS {
		return "unnamed"
	}
	return C.GoString(&name[0])
}

func failedCode(call string, code int) error { return failed(call, C.CUresult(code)) }

func unload(m handle) error {
	return failed("cuModuleUnload", C.cuModuleUnload(C.CUmodule(m)))
}
