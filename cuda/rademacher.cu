// rademacher: +1 for a clear bit of a stream, -1 for a set one; bit i mod 128 of block i / 128. Launch: 256 threads, x blocks of
// 1024 words of the result, whose 8 blocks of the stream are made by 8 threads; y the slot. Shared: 128 bytes, all wait once.
#include "philox.cuh"

struct RademacherArgs {
  View out;
  Source source;
  uint64_t words;
};

KERNEL(256) rademacher(const RademacherArgs a) {
  SHARED(uint32_t, bits, [32]);
  const uint32_t t = threadIdx.x;
  if (t < 8) {
    const Block b = stream_of(a.source, blockIdx.y).block(uint64_t(blockIdx.x) * 8 + t);
#pragma unroll
    for (uint32_t j = 0; j < 4; j++) bits[4 * t + j] = b.w[j];
  }
  __syncthreads();
  const uint64_t first = uint64_t(blockIdx.x) * 1024;
  for (uint32_t i = t; i < 1024 && first + i < a.words; i += 256)
    slot_of(a.out, blockIdx.y)[first + i] = bits[i / 32] >> (i % 32) & 1 ? 0xbf800000u : 0x3f800000u;
}
