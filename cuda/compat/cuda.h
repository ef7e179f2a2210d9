// gorgonia.org/cu v0.9.6 was written for the headers of CUDA 11 and 12. Those of CUDA 13 point five of the names that it calls
// at newer entry points, which take other arguments. This header is found before the toolkit's own and points the five back at
// the entry points that CUDA 12 meant, which drivers keep: their binary interface only grows. With older headers it does nothing.
#ifndef LOCKSTEP_COMPAT_CUDA_H
#define LOCKSTEP_COMPAT_CUDA_H
#include_next <cuda.h>

#if CUDA_VERSION >= 13000
#undef cuCtxCreate
#undef cuMemAdvise
#undef cuMemPrefetchAsync
#undef cuGraphAddDependencies
#undef cuGraphGetEdges
#define cuCtxCreate cuCtxCreate_v2

#ifdef __cplusplus
extern "C" {
#endif
CUresult CUDAAPI cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device);
CUresult CUDAAPI cuMemAdvise(CUdeviceptr p, size_t bytes, CUmem_advise advice, CUdevice device);
CUresult CUDAAPI cuMemPrefetchAsync(CUdeviceptr p, size_t bytes, CUdevice to, CUstream stream);
CUresult CUDAAPI cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t n);
CUresult CUDAAPI cuGraphGetEdges(CUgraph graph, CUgraphNode *from, CUgraphNode *to, size_t *n);
#ifdef __cplusplus
}
#endif
#endif
#endif
