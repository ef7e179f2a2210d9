// unary_F: y[i] = f(x[i]) for float32, the functions of op/unary.go and the composed ones of op/sigmoid.go, rsqrt.go and gelu.go.
// Launch: see elementwise.cuh. Roofline: 8 bytes a word; neg, relu and sqrt are memory-bound, the others take 20 to 40 flops.
#include "elementwise.cuh"
#include "functions.cuh"

struct UnaryArgs {
  View out, x;
  uint64_t words;
};

#define UNARY(NAME, Y)                                                                      \
  KERNEL(256) unary_##NAME(const UnaryArgs a) {                                             \
    elementwise(                                                                            \
        a.words, [](float x) { return canonical(Y); }, slot_of(a.out, blockIdx.y),          \
        static_cast<const float *>(floats_of(a.x, blockIdx.y)));                            \
  }

UNARY(neg, neg32(x))
UNARY(exp, exp32(x))
UNARY(log, log32(x))
UNARY(sqrt, root(x))
UNARY(tanh, tanh32(x))
UNARY(sinpi, sinpi32(x))
UNARY(cospi, cospi32(x))
UNARY(relu, relu32(x))
UNARY(sigmoid, sigmoid32(x))
UNARY(rsqrt, rsqrt32(x))
UNARY(gelu, gelu32(x))
