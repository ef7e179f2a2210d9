// sum_rows, sum_columns: one level of Sum, op/sum.go. The N elements that fall on a result are cut into segments of 1024; lane l
// of 32 starts at +0 and adds elements l, l+32, .. of its segment; then lane l adds lane l+h for h = 16, 8, 4, 2, 1. The result is
// an array [results, segments], which the next launch sums, until there is one segment. A mean divides the last sums by N.
//
// The axes of x, without those of size 1 and neighbours of one kind joined, are kept or summed, last ones first. sum_rows is for a
// summed last axis: a warp for each segment of each result; launch 256 threads, x blocks of 8 of them, y the slot; a warp's
// threads wait for each other. sum_columns is for a kept last axis: a block of 256 threads for 32 results and one segment of each;
// thread (column c, t) holds lanes t, t+8, t+16, t+24; x = blocks of 32 results * segments. Shared: 1 KiB, all wait three times.
// Memory-bound: 4 bytes and one addition an element, read along the last axis.
#include "strided.cuh"
#include "warp.cuh"

struct SumArgs {
  View out, x;
  uint32_t results, n, segments;  // n: elements a result
  uint32_t divisor;               // of the results; UNDIVIDED: they are sums
  Axes kept, summed;
};

constexpr uint32_t UNDIVIDED = 0xffffffffu;

// The sum, or the mean, of which the sum is a step and rounded as such.
__device__ __forceinline__ float mean_of(float v, uint32_t divisor) { return divisor == UNDIVIDED ? v : quo(v, float(divisor)); }

KERNEL(256) sum_rows(const SumArgs a) {
  const uint64_t w = uint64_t(blockIdx.x) * 8 + threadIdx.x / 32;
  if (w >= uint64_t(a.results) * a.segments) return;  // the whole warp
  const uint32_t result = uint32_t(w / a.segments), segment = uint32_t(w % a.segments), lane = threadIdx.x % 32;
  const float *__restrict__ x = floats_of(a.x, blockIdx.y) + a.kept.at(result);
  const uint32_t first = segment * SEGMENT, end = a.n - first < SEGMENT ? a.n : first + SEGMENT;
  float v = 0.0f;
  if (a.summed.n == 1) {
#pragma unroll 8
    for (uint32_t i = first + lane; i < end; i += LANES) v = add(v, x[uint64_t(i) * a.summed.stride[0]]);
  } else {
    for (uint32_t i = first + lane; i < end; i += LANES) v = add(v, x[a.summed.at(i)]);
  }
  v = sum_lanes(v);
  if (lane == 0) store(floats_of(a.out, blockIdx.y) + w, mean_of(v, a.divisor));
}

KERNEL(256) sum_columns(const SumArgs a) {
  SHARED(float, part, [8][32]);
  const uint32_t c = threadIdx.x % 32, t = threadIdx.x / 32;
  const uint32_t result = blockIdx.x / a.segments * 32 + c, segment = blockIdx.x % a.segments;
  const uint32_t first = segment * SEGMENT, end = a.n - first < SEGMENT ? a.n : first + SEGMENT;
  float v[4] = {};
  if (result < a.results) {
    const float *__restrict__ x = floats_of(a.x, blockIdx.y) + a.kept.at(result);
    for (uint32_t i = first + t; i < end; i += LANES)
#pragma unroll
      for (uint32_t l = 0; l < 4; l++)
        if (i + 8 * l < end) v[l] = add(v[l], x[a.summed.at(i + 8 * l)]);
  }
  part[t][c] = add(add(v[0], v[2]), add(v[1], v[3]));  // h = 16: t + (t+16), (t+8) + (t+24); h = 8
#pragma unroll
  for (uint32_t h = 4; h > 0; h /= 2) {
    __syncthreads();
    if (t < h) part[t][c] = add(part[t][c], part[t + h][c]);
  }
  if (t == 0 && result < a.results) store(floats_of(a.out, blockIdx.y) + uint64_t(result) * a.segments + segment, mean_of(part[0][c], a.divisor));
}
