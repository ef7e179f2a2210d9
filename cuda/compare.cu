// compare_F_T: y[i] = a[i] ? b[i] as 0 or 1, for float32 (false with a NaN), u32 and i32; compare_same compares bits.
// Launch: see elementwise.cuh. Memory-bound: 12 bytes a word.
#include "elementwise.cuh"
#include "pointwise.cuh"

struct CompareArgs {
  View out, a, b;
  uint64_t words;
};

#define COMPARE(NAME, T, W)                                                                                             \
  KERNEL(256) NAME(const CompareArgs p) {                                                                               \
    elementwise(                                                                                                        \
        p.words, [](T x, T y) { return W; }, slot_of(p.out, blockIdx.y),                                                \
        reinterpret_cast<const T *>(slot_of(p.a, blockIdx.y)), reinterpret_cast<const T *>(slot_of(p.b, blockIdx.y)));  \
  }

POINTWISE_COMPARE(COMPARE)
