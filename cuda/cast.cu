// cast_FROM_TO: element types converted as in op/cast.go: to a float the nearest, to an integer RNE, then clamped, NaN to 0.
// Launch: see elementwise.cuh; a thread makes a whole word of the result, which holds four elements of i8 (the last word
// filled with 0). Memory-bound: 2 to 8 bytes an element.
#include "elementwise.cuh"
#include "pointwise.cuh"

struct CastArgs {
  View out, x;
  uint64_t words, elements;  // of the result
};

#define CAST(NAME, T, W)                                                                                                       \
  KERNEL(256) NAME(const CastArgs a) {                                                                                         \
    elementwise(                                                                                                               \
        a.words, [](T x) { return W; }, slot_of(a.out, blockIdx.y), reinterpret_cast<const T *>(slot_of(a.x, blockIdx.y)));    \
  }

POINTWISE_CAST(CAST)

// Element i of an array of i8, and of one to make i8 of.
__device__ __forceinline__ int8_t byte_of(const uint32_t *x, uint64_t i) { return int8_t(x[i / 4] >> (8 * (i % 4))); }

KERNEL(256) cast_i8_f32(const CastArgs a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  each_word(a.words, slot_of(a.out, blockIdx.y), [=](uint64_t i) { return bits_of(static_cast<float>(byte_of(x, i))); });
}
KERNEL(256) cast_i8_u32(const CastArgs a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  each_word(a.words, slot_of(a.out, blockIdx.y), [=](uint64_t i) { return uint32_t(max(byte_of(x, i), int8_t(0))); });
}
KERNEL(256) cast_i8_i32(const CastArgs a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  each_word(a.words, slot_of(a.out, blockIdx.y), [=](uint64_t i) { return uint32_t(int32_t(byte_of(x, i))); });
}

// Four elements to a word; at gives element i, in a type that holds each exactly.
template <class F> __device__ __forceinline__ void to_i8(const CastArgs &a, F at) {
  const uint64_t n = a.elements;
  each_word(a.words, slot_of(a.out, blockIdx.y), [=](uint64_t i) {
    uint32_t w = 0;
    for (uint32_t j = 0; j < 4 && 4 * i + j < n; j++)
      w |= (uint32_t(clamp(at(4 * i + j), -128, 127)) & 0xffu) << (8 * j);
    return w;
  });
}
KERNEL(256) cast_f32_i8(const CastArgs a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  to_i8(a, [=](uint64_t i) { return whole(float_of(x[i])); });
}
KERNEL(256) cast_u32_i8(const CastArgs a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  to_i8(a, [=](uint64_t i) { return int64_t(x[i]); });
}
KERNEL(256) cast_i32_i8(const CastArgs a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  to_i8(a, [=](uint64_t i) { return int64_t(int32_t(x[i])); });
}
