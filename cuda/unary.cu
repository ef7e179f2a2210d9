// unary_F: y[i] = f(x[i]) for float32, the functions of op/unary.go and the composed ones of op/sigmoid.go, rsqrt.go and gelu.go.
// Launch: see elementwise.cuh. Roofline: 8 bytes a word; neg, relu and sqrt are memory-bound, the others take 20 to 40 flops.
#include "elementwise.cuh"
#include "pointwise.cuh"

struct UnaryArgs {
  View out, x;
  uint64_t words;
};

#define UNARY(NAME, T, W)                                                                                     \
  KERNEL(256) NAME(const UnaryArgs a) {                                                                       \
    elementwise(                                                                                              \
        a.words, [](T x) { return W; }, slot_of(a.out, blockIdx.y), static_cast<const T *>(floats_of(a.x, blockIdx.y)));  \
  }

POINTWISE_UNARY(UNARY)
