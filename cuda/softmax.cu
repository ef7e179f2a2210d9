// softmax over the last axis: m = amax(x), e = exp(x - m), y = e / sum(e); softmaxgrad, its derivative: y * (g - sum(y * g)); in the order of
// op/softmax.go. Launch: 256 threads, a warp for each row, x blocks of 8 rows, y the slot; a warp's threads wait for each other. No shared
// memory. softmax has 8 bytes and about 60 flops an element: the exponential is computed twice rather than stored; rows are read three times, from L1.
// softmaxgrad is memory-bound: 12 bytes and 4 flops; rows are read twice.
#include "softmax.cuh"

struct SoftmaxArgs {
  View out, x;
  uint32_t rows, n;
};

KERNEL(256) softmax(const SoftmaxArgs a) {
  const uint32_t r = blockIdx.x * 8 + threadIdx.x / 32;
  if (r >= a.rows) return;  // the whole warp
  const float *x = floats_of(a.x, blockIdx.y) + uint64_t(r) * a.n;
  float *y = floats_of(a.out, blockIdx.y) + uint64_t(r) * a.n;
  const Shifted e = shifted(x, a.n);
  for (uint32_t i = threadIdx.x % 32; i < a.n; i += 32) store(y + i, quo(e.exp(x[i]), e.s));
}

struct SoftmaxGradArgs {
  View out, y, g;
  uint32_t rows, n;
};

KERNEL(256) softmaxgrad(const SoftmaxGradArgs a) {
  const uint32_t r = blockIdx.x * 8 + threadIdx.x / 32;
  if (r >= a.rows) return;  // the whole warp
  const uint64_t at = uint64_t(r) * a.n;
  const float *y = floats_of(a.y, blockIdx.y) + at, *g = floats_of(a.g, blockIdx.y) + at;
  float *out = floats_of(a.out, blockIdx.y) + at;
  const float along = sum_row(a.n, [&](uint32_t i) { return mul(y[i], g[i]); });
  for (uint32_t i = threadIdx.x % 32; i < a.n; i += 32) store(out + i, mul(y[i], sub(g[i], along)));
}
