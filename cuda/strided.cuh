// Copies whose source is addressed by a stride for each axis of the result.
#pragma once
#include "elementwise.cuh"

// How the elements of an array, counted in row-major order, lie in memory: by axis, the last one first.
struct Axes {
  uint32_t n, dim[6], stride[6];  // strides in words
  __device__ __forceinline__ uint64_t at(uint32_t i) const {
    uint64_t at = 0;
#pragma unroll
    for (uint32_t d = 0; d < 6; d++)
      if (d < n) {
        const uint32_t q = d + 1 < n ? i / dim[d] : 0;
        at += uint64_t(i - q * dim[d]) * stride[d];
        i = q;
      }
    return at;
  }
};

struct StridedArgs {
  View out, x;
  Axes axes;  // of the result, with the source's strides
  uint32_t words;
};

// Launch: see elementwise.cuh.
__device__ __forceinline__ void strided(const StridedArgs &a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  each_word(a.words, slot_of(a.out, blockIdx.y), [&](uint64_t i) { return x[a.axes.at(uint32_t(i))]; });
}
