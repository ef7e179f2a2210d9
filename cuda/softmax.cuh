// Rows of logits, one a warp: what softmax, xent, xentgrad and their duals share.
#pragma once
#include "functions.cuh"
#include "kernel.cuh"
#include "rows.cuh"

// m = amax(x), s = sum(exp(x - m)) of a row.
struct Shifted {
  float m, s;
  __device__ __forceinline__ float exp(float x) const { return exp32(sub(x, m)); }
};

__device__ __forceinline__ Shifted shifted(const float *x, uint32_t n) {
  uint32_t best = 0;
  for (uint32_t i = threadIdx.x % 32; i < n; i += 32) {
    const uint32_t k = max_key(x[i]);
    best = k > best ? k : best;
  }
  Shifted y = {of_max_key(max_lanes(best)), 0.0f};
  y.s = sum_row(n, [&](uint32_t i) { return y.exp(x[i]); });
  return y;
}
