// What a card is capable of at most: peak_fma makes multiply-adds on registers alone, peak_copy copies memory. No op runs by them:
// they are the roofs that `lockstep bench` holds kernels against.
//
// peak_fma: each thread has 8 chains of multiply-adds, all independent; x = blocks of 256 threads, as many as fill the card; no
// shared memory. a.m is close to -1, so that the values move back and forth and neither die out nor grow. rounds * 8 multiply-adds
// a thread; its sum is stored, so that nothing of it is left out. FMA-bound.
//
// peak_copy: a block copies 1024 vectors of 16 bytes, each thread 4 of them, all read before the first is written; x covers the
// vectors. Memory-bound: reads and writes 16 bytes a vector.
#include "kernel.cuh"

struct PeakFMAArgs {
  View out;
  uint32_t rounds;
  float m;
};

KERNEL(256) peak_fma(const PeakFMAArgs a) {
  constexpr int CHAINS = 8;
  const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  const float step = 0x1p-10f;
  float x[CHAINS];
#pragma unroll
  for (int c = 0; c < CHAINS; c++) x[c] = static_cast<float>(i % 1024 + c + 1);
#pragma unroll 8
  for (uint32_t r = 0; r < a.rounds; r++)
#pragma unroll
    for (int c = 0; c < CHAINS; c++) x[c] = fma32(x[c], a.m, step);
  float sum = x[0];
#pragma unroll
  for (int c = 1; c < CHAINS; c++) sum = add(sum, x[c]);
  store(floats_of(a.out, 0) + i, sum);
}

struct PeakCopyArgs {
  View to, from;
  uint64_t vectors;
};

struct alignas(16) Vector {
  uint32_t w[4];
};

KERNEL(256) peak_copy(const PeakCopyArgs a) {
  constexpr uint32_t EACH = 4;
  const Vector *from = reinterpret_cast<const Vector *>(slot_of(a.from, 0));
  Vector *to = reinterpret_cast<Vector *>(slot_of(a.to, 0));
  const uint64_t first = uint64_t(blockIdx.x) * (256 * EACH) + threadIdx.x;
  Vector v[EACH];
#pragma unroll
  for (uint32_t k = 0; k < EACH; k++)
    if (first + k * 256 < a.vectors) v[k] = from[first + k * 256];
#pragma unroll
  for (uint32_t k = 0; k < EACH; k++)
    if (first + k * 256 < a.vectors) to[first + k * 256] = v[k];
}
