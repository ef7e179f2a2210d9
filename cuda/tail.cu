// tail: y[.., i, ..] = i < klen ? x[.., i, ..] : +0. Launch: see elementwise.cuh. Memory-bound: 8 bytes a word.
#include "elementwise.cuh"

struct TailArgs {
  View out, x, klen;
  uint32_t words, n, inner, unused;  // x is [.., n, inner]
};

KERNEL(256) tail(const TailArgs a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  const uint32_t klen = *slot_of(a.klen, blockIdx.y);
  each_word(a.words, slot_of(a.out, blockIdx.y),
            [&](uint64_t i) { return uint32_t(i) / a.inner % a.n < klen ? x[i] : 0u; });
}
