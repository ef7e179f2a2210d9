// Rows that are normalised, one a warp: what layernorm and its dual share.
#pragma once
#include "functions.cuh"
#include "kernel.cuh"
#include "rows.cuh"

// The mean and r = 1 / sqrt(var + eps) of a row.
struct Scaled {
  float mean, r;
  __device__ __forceinline__ float at(float x) const { return mul(sub(x, mean), r); }
};

__device__ __forceinline__ Scaled scaled(const float *x, uint32_t n, float eps) {
  Scaled y;
  y.mean = mean_row(n, [&](uint32_t i) { return x[i]; });
  const float var = mean_row(n, [&](uint32_t i) {
    const float d = sub(x[i], y.mean);
    return mul(d, d);
  });
  y.r = rsqrt32(add(var, eps));
  return y;
}
