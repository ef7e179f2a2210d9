// softmax over the last axis: m = amax(x), e = exp(x - m), y = e / sum(e), in the order of op/softmax.go. Launch: 256 threads, a
// warp for each row, x blocks of 8 rows, y the slot; a warp's threads wait for each other. No shared memory. 8 bytes and about 60
// flops an element: the exponential is computed twice rather than stored; rows are read three times, from L1.
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
