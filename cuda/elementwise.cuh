// What kernels that work on each word for itself have in common.
#pragma once
#include "kernel.cuh"

// Words of a thread that are under way at once. A kernel that has few registers to spare may define it as less (resident.cu).
#ifndef WORDS_AT_ONCE
#define WORDS_AT_ONCE 4
#endif

// out[i] = f(x[i], ..) for every word i. Launch: 256 threads, x blocks of 1024 words, four a thread, so that four loads are
// under way; y is the slot. No shared memory, nobody waits.
template <class F, class... X>
__device__ __forceinline__ void elementwise(uint64_t words, F f, uint32_t *__restrict__ out, const X *__restrict__... x) {
#pragma unroll 1
  for (int some = 0; some < 4; some += WORDS_AT_ONCE) {
    const uint64_t first = uint64_t(blockIdx.x) * 1024 + 256 * some + threadIdx.x;
    uint32_t y[WORDS_AT_ONCE];
#pragma unroll
    for (int r = 0; r < WORDS_AT_ONCE; r++)
      if (first + 256 * r < words) y[r] = f(x[first + 256 * r]...);
#pragma unroll
    for (int r = 0; r < WORDS_AT_ONCE; r++)
      if (first + 256 * r < words) out[first + 256 * r] = y[r];
  }
}

// The same where f needs the word's number: out[i] = f(i).
template <class F> __device__ __forceinline__ void each_word(uint64_t words, uint32_t *__restrict__ out, F f) {
#pragma unroll 1
  for (int some = 0; some < 4; some += WORDS_AT_ONCE) {
    const uint64_t first = uint64_t(blockIdx.x) * 1024 + 256 * some + threadIdx.x;
    uint32_t y[WORDS_AT_ONCE];
#pragma unroll
    for (int r = 0; r < WORDS_AT_ONCE; r++)
      if (first + 256 * r < words) y[r] = f(first + 256 * r);
#pragma unroll
    for (int r = 0; r < WORDS_AT_ONCE; r++)
      if (first + 256 * r < words) out[first + 256 * r] = y[r];
  }
}
