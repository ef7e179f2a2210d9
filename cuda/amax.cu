// amax, argmax along one axis of x [outer, n, inner]: the law's max, and the first index with its bits. Exact, so free of order.
// amax_rows, argmax_rows: inner = 1, a warp for each result; 256 threads, x blocks of 8 results. amax_columns, argmax_columns: a
// thread for each result; x blocks of 256. y is the slot. No shared memory. Memory-bound: 4 bytes an element.
#include "warp.cuh"
#include "kernel.cuh"

struct AMaxArgs {
  View out, x;
  uint32_t results, n, inner, unused;
};

// The largest key in the upper half, and below it the index, complemented so that the first one wins.
__device__ __forceinline__ unsigned long long ranked(float x, uint32_t i) {
  return static_cast<unsigned long long>(max_key(x)) << 32 | (0xffffffffu - i);
}
template <bool INDEX> __device__ __forceinline__ uint32_t answer(unsigned long long best) {
  return INDEX ? 0xffffffffu - uint32_t(best) : bits_of(of_max_key(uint32_t(best >> 32)));
}

template <bool INDEX> __device__ __forceinline__ void along_rows(const AMaxArgs &a) {
  const uint32_t r = blockIdx.x * 8 + threadIdx.x / 32;
  if (r >= a.results) return;  // the whole warp
  const float *__restrict__ x = floats_of(a.x, blockIdx.y) + uint64_t(r) * a.n;
  unsigned long long best = 0;
  for (uint32_t i = threadIdx.x % 32; i < a.n; i += 32) {
    const unsigned long long y = ranked(x[i], i);
    best = y > best ? y : best;
  }
  best = max_lanes(best);
  if (threadIdx.x % 32 == 0) slot_of(a.out, blockIdx.y)[r] = answer<INDEX>(best);
}

template <bool INDEX> __device__ __forceinline__ void along_columns(const AMaxArgs &a) {
  const uint32_t r = blockIdx.x * 256 + threadIdx.x;
  if (r >= a.results) return;
  const float *__restrict__ x = floats_of(a.x, blockIdx.y) + uint64_t(r / a.inner) * a.n * a.inner + r % a.inner;
  unsigned long long best = 0;
  for (uint32_t i = 0; i < a.n; i++) {
    const unsigned long long y = ranked(x[uint64_t(i) * a.inner], i);
    best = y > best ? y : best;
  }
  slot_of(a.out, blockIdx.y)[r] = answer<INDEX>(best);
}

KERNEL(256) amax_rows(const AMaxArgs a) { along_rows<false>(a); }
KERNEL(256) amax_columns(const AMaxArgs a) { along_columns<false>(a); }
KERNEL(256) argmax_rows(const AMaxArgs a) { along_rows<true>(a); }
KERNEL(256) argmax_columns(const AMaxArgs a) { along_columns<true>(a); }
