// layernorm over the last axis: d = x - mean(x), r = 1 / sqrt(mean(d * d) + eps), results d * r and r; layernormgrad, its derivative:
// ((g - mean(g)) - y * mean(g * y)) * r; in the order of op/layernorm.go. Launch and waiting as in softmax.cu. No shared memory. Memory-bound: 8 bytes
// and 7 flops an element, 12 and 8; rows are read three times and twice, from L1.
#include "layernorm.cuh"

struct LayerNormArgs {
  View y, r, x;
  uint32_t rows, n;
  float eps;
  uint32_t unused;
};

KERNEL(256) layernorm(const LayerNormArgs a) {
  const uint32_t r = blockIdx.x * 8 + threadIdx.x / 32;
  if (r >= a.rows) return;  // the whole warp
  const float *x = floats_of(a.x, blockIdx.y) + uint64_t(r) * a.n;
  float *y = floats_of(a.y, blockIdx.y) + uint64_t(r) * a.n;
  const Scaled e = scaled(x, a.n, a.eps);
  for (uint32_t i = threadIdx.x % 32; i < a.n; i += 32) store(y + i, e.at(x[i]));
  if (threadIdx.x % 32 == 0) store(floats_of(a.r, blockIdx.y) + r, e.r);
}

struct LayerNormGradArgs {
  View out, y, r, g;
  uint32_t rows, n;
};

KERNEL(256) layernormgrad(const LayerNormGradArgs a) {
  const uint32_t r = blockIdx.x * 8 + threadIdx.x / 32;
  if (r >= a.rows) return;  // the whole warp
  const uint64_t at = uint64_t(r) * a.n;
  const float *y = floats_of(a.y, blockIdx.y) + at, *g = floats_of(a.g, blockIdx.y) + at, scale = floats_of(a.r, blockIdx.y)[r];
  float *out = floats_of(a.out, blockIdx.y) + at;
  const Terms<2> sums = sum_terms<2>(a.n, [&](uint32_t i) { return Terms<2>{{g[i], mul(g[i], y[i])}}; });
  const float mean = quo(sums.v[0], float(a.n)), along = quo(sums.v[1], float(a.n));
  for (uint32_t i = threadIdx.x % 32; i < a.n; i += 32) store(out + i, mul(sub(sub(g[i], mean), mul(y[i], along)), scale));
}
