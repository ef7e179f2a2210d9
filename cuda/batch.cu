// batch: the examples of a training step, op/batch.go: position p = step * B + j holds perm(p mod N) of epoch p / N; perm is a
// Feistel network that is walked along its cycle. Launch: 256 threads, x blocks of 256 positions, y the slot. Bound by integer
// operations: 250 for the keys and 80 for each step of the walk (at most 4 on average).
#include "philox.cuh"

struct BatchArgs {
  View out, key, step;
  uint32_t n, b, half, unused;  // half: the bits of half a position
};

__device__ __forceinline__ uint32_t fmix32(uint32_t x) {
  x = (x ^ x >> 16) * 0x85ebca6bu;
  x = (x ^ x >> 13) * 0xc2b2ae35u;
  return x ^ x >> 16;
}

KERNEL(256) batch(const BatchArgs a) {
  const uint32_t j = blockIdx.x * 256 + threadIdx.x;
  if (j >= a.b) return;
  const uint32_t *key = slot_of(a.key, blockIdx.y);
  const uint64_t p = uint64_t(*slot_of(a.step, blockIdx.y)) * a.b + j, epoch = p / a.n;
  const Stream s = {{key[0], key[1]}, {uint32_t(epoch), uint32_t(epoch >> 32)}};
  const Block k[2] = {s.block(0), s.block(1)};
  const uint32_t mask = (1u << a.half) - 1;
  uint32_t x = uint32_t(p % a.n);
  do {
    uint32_t l = x >> a.half, r = x & mask;
#pragma unroll
    for (int q = 0; q < 8; q++) {
      const uint32_t next = l ^ (fmix32(r ^ k[q / 4].w[q % 4]) & mask);
      l = r;
      r = next;
    }
    x = l << a.half | r;
  } while (x >= a.n);
  slot_of(a.out, blockIdx.y)[j] = x;
}
