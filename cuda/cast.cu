// cast_FROM_TO: element types converted as in op/cast.go: to a float the nearest, to an integer RNE, then clamped, NaN to 0.
// Launch: see elementwise.cuh; a thread makes a whole word of the result, which holds four elements of i8 (the last word
// filled with 0). Memory-bound: 2 to 8 bytes an element.
#include "elementwise.cuh"

struct CastArgs {
  View out, x;
  uint64_t words, elements;  // of the result
};

// Element i of an array, in a type that holds every value of its own exactly.
struct F32 { static __device__ __forceinline__ float at(const uint32_t *x, uint64_t i) { return float_of(x[i]); } };
struct U32 { static __device__ __forceinline__ int64_t at(const uint32_t *x, uint64_t i) { return int64_t(x[i]); } };
struct I32 { static __device__ __forceinline__ int64_t at(const uint32_t *x, uint64_t i) { return int32_t(x[i]); } };
struct I8 { static __device__ __forceinline__ int64_t at(const uint32_t *x, uint64_t i) { return int8_t(x[i / 4] >> (8 * (i % 4))); } };

__device__ __forceinline__ int64_t whole(int64_t v) { return v; }
__device__ __forceinline__ int64_t whole(float v) { return is_nan(v) ? 0 : nearest(v, 0); }
__device__ __forceinline__ int64_t clamp(int64_t v, int64_t lo, int64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

template <class From> __device__ __forceinline__ void to_f32(const CastArgs &a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  each_word(a.words, slot_of(a.out, blockIdx.y), [=](uint64_t i) { return bits_of(static_cast<float>(From::at(x, i))); });
}
template <class From> __device__ __forceinline__ void to_word(const CastArgs &a, int64_t lo, int64_t hi) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  each_word(a.words, slot_of(a.out, blockIdx.y), [=](uint64_t i) { return uint32_t(clamp(whole(From::at(x, i)), lo, hi)); });
}
template <class From> __device__ __forceinline__ void to_i8(const CastArgs &a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  const uint64_t n = a.elements;
  each_word(a.words, slot_of(a.out, blockIdx.y), [=](uint64_t i) {
    uint32_t w = 0;
    for (uint32_t j = 0; j < 4 && 4 * i + j < n; j++)
      w |= (uint32_t(clamp(whole(From::at(x, 4 * i + j)), -128, 127)) & 0xffu) << (8 * j);
    return w;
  });
}

// Bool is 0 or 1 and casts as u32.
KERNEL(256) cast_u32_f32(const CastArgs a) { to_f32<U32>(a); }
KERNEL(256) cast_i32_f32(const CastArgs a) { to_f32<I32>(a); }
KERNEL(256) cast_i8_f32(const CastArgs a) { to_f32<I8>(a); }
KERNEL(256) cast_f32_u32(const CastArgs a) { to_word<F32>(a, 0, 0xffffffffll); }
KERNEL(256) cast_u32_u32(const CastArgs a) { to_word<U32>(a, 0, 0xffffffffll); }
KERNEL(256) cast_i32_u32(const CastArgs a) { to_word<I32>(a, 0, 0xffffffffll); }
KERNEL(256) cast_i8_u32(const CastArgs a) { to_word<I8>(a, 0, 0xffffffffll); }
KERNEL(256) cast_f32_i32(const CastArgs a) { to_word<F32>(a, -0x80000000ll, 0x7fffffffll); }
KERNEL(256) cast_u32_i32(const CastArgs a) { to_word<U32>(a, -0x80000000ll, 0x7fffffffll); }
KERNEL(256) cast_i8_i32(const CastArgs a) { to_word<I8>(a, -0x80000000ll, 0x7fffffffll); }
KERNEL(256) cast_f32_i8(const CastArgs a) { to_i8<F32>(a); }
KERNEL(256) cast_u32_i8(const CastArgs a) { to_i8<U32>(a); }
KERNEL(256) cast_i32_i8(const CastArgs a) { to_i8<I32>(a); }
