// select_words: y[i] = c[i] ? a[i] : b[i] for any one-word type. Launch: see elementwise.cuh. Memory-bound: 16 bytes a word.
#include "elementwise.cuh"

struct SelectArgs {
  View out, c, a, b;
  uint64_t words;
};

KERNEL(256) select_words(const SelectArgs p) {
  const uint32_t *c = slot_of(p.c, blockIdx.y), *a = slot_of(p.a, blockIdx.y), *b = slot_of(p.b, blockIdx.y);
  elementwise(p.words, [](uint32_t c, uint32_t a, uint32_t b) { return c ? a : b; }, slot_of(p.out, blockIdx.y), c, a, b);
}
