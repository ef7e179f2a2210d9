// xent: log(s) - (x[label] - m) for each row, with m = amax(x) and s = sum(exp(x - m)); xentgrad: (softmax(x) - onehot) * g. A
// label beyond the row is dropped: x[label] is +0, onehot all +0. Launch, waiting and roofline as in softmax.cu.
#include "softmax.cuh"

struct XentArgs {
  View out, x, label, g;  // g: of xentgrad
  uint32_t rows, n;
};

KERNEL(256) xent(const XentArgs a) {
  const uint32_t r = blockIdx.x * 8 + threadIdx.x / 32;
  if (r >= a.rows) return;  // the whole warp
  const float *x = floats_of(a.x, blockIdx.y) + uint64_t(r) * a.n;
  const Shifted e = shifted(x, a.n);
  if (threadIdx.x % 32) return;
  const uint32_t label = slot_of(a.label, blockIdx.y)[r];
  store(floats_of(a.out, blockIdx.y) + r, sub(log32(e.s), sub(label < a.n ? x[label] : 0.0f, e.m)));
}

KERNEL(256) xentgrad(const XentArgs a) {
  const uint32_t r = blockIdx.x * 8 + threadIdx.x / 32;
  if (r >= a.rows) return;  // the whole warp
  const float *x = floats_of(a.x, blockIdx.y) + uint64_t(r) * a.n;
  float *y = floats_of(a.out, blockIdx.y) + uint64_t(r) * a.n;
  const uint32_t label = slot_of(a.label, blockIdx.y)[r];
  const float g = floats_of(a.g, blockIdx.y)[r];
  const Shifted e = shifted(x, a.n);
  for (uint32_t i = threadIdx.x % 32; i < a.n; i += 32)
    store(y + i, mul(sub(quo(e.exp(x[i]), e.s), i == label ? 1.0f : 0.0f), g));
}
