// binary_F: y[i] = f(a[i], b[i]), the float32 functions of op/binary.go, and iadd of op/iadd.go on 32-bit integers.
// Launch: see elementwise.cuh. Memory-bound: 12 bytes and one operation a word.
#include "elementwise.cuh"
#include "pointwise.cuh"

struct BinaryArgs {
  View out, a, b;
  uint64_t words;
};

#define BINARY(NAME, T, W)                                                                                              \
  KERNEL(256) NAME(const BinaryArgs p) {                                                                                \
    elementwise(                                                                                                        \
        p.words, [](T x, T y) { return W; }, slot_of(p.out, blockIdx.y),                                                \
        reinterpret_cast<const T *>(slot_of(p.a, blockIdx.y)), reinterpret_cast<const T *>(slot_of(p.b, blockIdx.y)));  \
  }

POINTWISE_BINARY(BINARY)
