// Reductions in the order of the law by the 32 threads of a warp, all of which take part. Warps lie along threadIdx.x.
#pragma once
#include "num.cuh"
#include "ptx.cuh"

constexpr uint32_t LANES = 32, SEGMENT = 1024;  // of a Sum

// Lane l adds lane l+h for h = 16, 8, 4, 2, 1: in lane 0, the sum of a segment from its lanes' partial sums. (The lanes from h
// on add something that is not used: an addition has the same bits in either order, so an exchange will do, and all lanes end
// with lane 0's sum.)
__device__ __forceinline__ float sum_lanes(float v) {
#pragma unroll
  for (int h = 16; h > 0; h /= 2) v = add(v, __shfl_xor_sync(0xffffffffu, v, h));
  return v;
}

// A float32 as a word whose order is that of the law's max: NaN above all, -0 below +0.
__device__ __forceinline__ uint32_t max_key(float x) {
  const uint32_t b = bits_of(x);
  return is_nan(x) ? 0xffffffffu : b ^ (b >> 31 ? 0xffffffffu : 0x80000000u);
}
__device__ __forceinline__ float of_max_key(uint32_t k) {
  return float_of(k == 0xffffffffu ? NAN_BITS : k ^ (k >> 31 ? 0x80000000u : 0xffffffffu));
}

template <class T> __device__ __forceinline__ T max_lanes(T v) {
#pragma unroll
  for (int h = 16; h > 0; h /= 2) {
    const T w = __shfl_xor_sync(0xffffffffu, v, h);
    v = w > v ? w : v;
  }
  return v;
}
__device__ __forceinline__ long long add_lanes(long long v) {
#pragma unroll
  for (int h = 16; h > 0; h /= 2) v += __shfl_xor_sync(0xffffffffu, v, h);
  return v;
}
