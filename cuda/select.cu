// select_words: y[i] = c[i] ? a[i] : b[i] for any one-word type. Launch: see elementwise.cuh. Memory-bound: 16 bytes a word.
#include "elementwise.cuh"
#include "pointwise.cuh"

struct SelectArgs {
  View out, c, a, b;
  uint64_t words;
};

#define SELECT(NAME, T, W)                                                                                               \
  KERNEL(256) NAME(const SelectArgs p) {                                                                                 \
    const T *c = slot_of(p.c, blockIdx.y), *a = slot_of(p.a, blockIdx.y), *b = slot_of(p.b, blockIdx.y);                 \
    elementwise(p.words, [](T x, T y, T z) { return W; }, slot_of(p.out, blockIdx.y), c, a, b);                          \
  }

POINTWISE_SELECT(SELECT)
