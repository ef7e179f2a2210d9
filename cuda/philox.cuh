// Philox 4x32-10, op/philox.go: words of a stream at a step.
#pragma once
#include "kernel.cuh"

struct Block { uint32_t w[4]; };

struct Stream {
  uint32_t key[2], t[2];
  __device__ __forceinline__ Block block(uint64_t number) const {
    uint32_t c0 = uint32_t(number), c1 = uint32_t(number >> 32), c2 = t[0], c3 = t[1], k0 = key[0], k1 = key[1];
#pragma unroll
    for (int r = 0; r < 10; r++) {
      const uint64_t p0 = uint64_t(c0) * 0xD2511F53u, p1 = uint64_t(c2) * 0xCD9E8D57u;
      c0 = uint32_t(p1 >> 32) ^ c1 ^ k0;
      c1 = uint32_t(p1);
      c2 = uint32_t(p0 >> 32) ^ c3 ^ k1;
      c3 = uint32_t(p0);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return Block{{c0, c1, c2, c3}};
  }
};

// The operands of a draw: key u32[2], t of one or two words.
struct Source {
  View key, t;
  uint64_t t_words;
};

__device__ __forceinline__ Stream stream_of(const Source &s, uint32_t slot) {
  const uint32_t *key = slot_of(s.key, slot), *t = slot_of(s.t, slot);
  return Stream{{key[0], key[1]}, {t[0], s.t_words == 2 ? t[1] : 0}};
}

// Blocks of the stream, one a thread: out[4 b + j] = f(block b, j), for all words of out. Launch: 256 threads, x blocks of 256
// blocks of the stream (1024 words), y the slot. 100 integer operations for 16 bytes written.
template <class F> __device__ __forceinline__ void draw(const View &out, uint64_t words, const Source &source, F f) {
  const uint64_t b = uint64_t(blockIdx.x) * 256 + threadIdx.x;
  if (4 * b >= words) return;
  const Block block = stream_of(source, blockIdx.y).block(b);
  uint32_t *y = slot_of(out, blockIdx.y) + 4 * b;
#pragma unroll
  for (uint32_t j = 0; j < 4; j++)
    if (4 * b + j < words) y[j] = f(block, j);
}
