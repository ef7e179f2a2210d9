// pick: y = x[.., index, ..], +0 for an index beyond the axis; onehot: y[.., k, ..] = k == index ? one : 0.
// Launch: see elementwise.cuh, over the result. Memory-bound: pick 12 bytes, onehot 4 bytes a word.
#include "elementwise.cuh"

struct PickArgs {
  View out, x, index;
  uint32_t words, n, inner, unused;  // x is [.., n, inner]
};

KERNEL(256) pick(const PickArgs a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y), *index = slot_of(a.index, blockIdx.y);
  each_word(a.words, slot_of(a.out, blockIdx.y), [&](uint64_t word) {
    const uint32_t i = uint32_t(word), outer = i / a.inner, k = index[i];
    return k < a.n ? x[(uint64_t(outer) * a.n + k) * a.inner + (i - outer * a.inner)] : 0u;
  });
}

struct OneHotArgs {
  View out, index;
  uint32_t words, n, inner, one;  // the result is [.., n, inner]; one: the bits of 1
};

KERNEL(256) onehot(const OneHotArgs a) {
  const uint32_t *index = slot_of(a.index, blockIdx.y);
  each_word(a.words, slot_of(a.out, blockIdx.y), [&](uint64_t word) {
    const uint32_t i = uint32_t(word), row = i / a.inner, outer = row / a.n, k = row - outer * a.n;
    return index[uint64_t(outer) * a.inner + (i - row * a.inner)] == k ? a.one : 0u;
  });
}
