// Copies whose source is addressed by a stride for each axis of the result.
#pragma once
#include "elementwise.cuh"

struct StridedArgs {
  View out, x;
  uint32_t words, rank;
  uint32_t dim[6], stride[6];  // of the result's axes, the last one first; strides are the source's, in words
};

// Launch: see elementwise.cuh.
__device__ __forceinline__ void strided(const StridedArgs &a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  each_word(a.words, slot_of(a.out, blockIdx.y), [&](uint64_t word) {
    uint32_t i = uint32_t(word), from = 0;
    for (uint32_t d = 0; d + 1 < a.rank; d++) {
      const uint32_t q = i / a.dim[d];
      from += (i - q * a.dim[d]) * a.stride[d];
      i = q;
    }
    return x[from + i * a.stride[a.rank - 1]];
  });
}
