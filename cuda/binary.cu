// binary_F: y[i] = f(a[i], b[i]), the float32 functions of op/binary.go, and iadd of op/iadd.go on 32-bit integers.
// Launch: see elementwise.cuh. Memory-bound: 12 bytes and one operation a word.
#include "elementwise.cuh"

struct BinaryArgs {
  View out, a, b;
  uint64_t words;
};

#define BINARY(NAME, T, Y)                                                                                              \
  KERNEL(256) binary_##NAME(const BinaryArgs p) {                                                                       \
    elementwise(                                                                                                        \
        p.words, [](T a, T b) { return Y; }, slot_of(p.out, blockIdx.y),                                                \
        reinterpret_cast<const T *>(slot_of(p.a, blockIdx.y)), reinterpret_cast<const T *>(slot_of(p.b, blockIdx.y)));  \
  }

BINARY(add, float, canonical(add(a, b)))
BINARY(sub, float, canonical(sub(a, b)))
BINARY(mul, float, canonical(mul(a, b)))
BINARY(div, float, canonical(quo(a, b)))
BINARY(max, float, canonical(max32(a, b)))
BINARY(min, float, canonical(min32(a, b)))
BINARY(iadd, uint32_t, a + b)
