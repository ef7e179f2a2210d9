// What kernels that work on each word for itself have in common.
#pragma once
#include "kernel.cuh"

// out[i] = f(x[i], ..) for every word i. Launch: 256 threads, x blocks of 1024 words, four a thread, so that four loads are
// under way; y is the slot. No shared memory, nobody waits.
template <class F, class... X>
__device__ __forceinline__ void elementwise(uint64_t words, F f, uint32_t *__restrict__ out, const X *__restrict__... x) {
  const uint64_t first = uint64_t(blockIdx.x) * 1024 + threadIdx.x;
  uint32_t y[4];
#pragma unroll
  for (int r = 0; r < 4; r++)
    if (first + 256 * r < words) y[r] = f(x[first + 256 * r]...);
#pragma unroll
  for (int r = 0; r < 4; r++)
    if (first + 256 * r < words) out[first + 256 * r] = y[r];
}

// The same where f needs the word's number: out[i] = f(i).
template <class F> __device__ __forceinline__ void each_word(uint64_t words, uint32_t *__restrict__ out, F f) {
  const uint64_t first = uint64_t(blockIdx.x) * 1024 + threadIdx.x;
  uint32_t y[4];
#pragma unroll
  for (int r = 0; r < 4; r++)
    if (first + 256 * r < words) y[r] = f(first + 256 * r);
#pragma unroll
  for (int r = 0; r < 4; r++)
    if (first + 256 * r < words) out[first + 256 * r] = y[r];
}
