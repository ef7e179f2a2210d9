// The pointwise functions, one word of a result from a word of each operand: DO(name of the kernel, type of the operands, the result).
// Each has a kernel of its own (unary.cu, cast.cu, binary.cu, compare.cu, select.cu), and is an op of `chain`, in this order.
#pragma once
#include "functions.cuh"

#define POINTWISE_UNARY(DO)                       \
  DO(unary_neg, float, canonical(neg32(x)))         \
  DO(unary_exp, float, canonical(exp32(x)))         \
  DO(unary_log, float, canonical(log32(x)))         \
  DO(unary_sqrt, float, canonical(root(x)))         \
  DO(unary_tanh, float, canonical(tanh32(x)))       \
  DO(unary_sinpi, float, canonical(sinpi32(x)))     \
  DO(unary_cospi, float, canonical(cospi32(x)))     \
  DO(unary_relu, float, canonical(relu32(x)))       \
  DO(unary_sigmoid, float, canonical(sigmoid32(x))) \
  DO(unary_rsqrt, float, canonical(rsqrt32(x)))     \
  DO(unary_gelu, float, canonical(gelu32(x)))

// To a float the nearest, to an integer RNE, then clamped, NaN to 0, as in op/cast.go. Bool is 0 or 1 and casts as u32.
#define POINTWISE_CAST(DO)                                     \
  DO(cast_u32_f32, uint32_t, bits_of(static_cast<float>(x)))     \
  DO(cast_i32_f32, int32_t, bits_of(static_cast<float>(x)))      \
  DO(cast_f32_u32, float, uint32_t(clamp(whole(x), 0, MAX_U32))) \
  DO(cast_u32_u32, uint32_t, x)                                  \
  DO(cast_i32_u32, int32_t, x < 0 ? 0u : uint32_t(x))            \
  DO(cast_f32_i32, float, uint32_t(clamp(whole(x), MIN_I32, MAX_I32))) \
  DO(cast_u32_i32, uint32_t, x > MAX_I32 ? uint32_t(MAX_I32) : x)

#define POINTWISE_BINARY(DO)                             \
  DO(binary_add, float, canonical(add(x, y)))              \
  DO(binary_sub, float, canonical(sub(x, y)))              \
  DO(binary_mul, float, canonical(mul(x, y)))              \
  DO(binary_div, float, canonical(quo(x, y)))              \
  DO(binary_max, float, canonical(max32(x, y)))            \
  DO(binary_min, float, canonical(min32(x, y)))            \
  DO(binary_iadd, uint32_t, x + y)

// 0 or 1; of floats false with a NaN. Same compares bits.
#define POINTWISE_COMPARE(DO)             \
  DO(compare_gt_f32, float, x > y ? 1u : 0u)     \
  DO(compare_ge_f32, float, x >= y ? 1u : 0u)    \
  DO(compare_lt_f32, float, x < y ? 1u : 0u)     \
  DO(compare_le_f32, float, x <= y ? 1u : 0u)    \
  DO(compare_eq_f32, float, x == y ? 1u : 0u)    \
  DO(compare_gt_u32, uint32_t, x > y ? 1u : 0u)  \
  DO(compare_ge_u32, uint32_t, x >= y ? 1u : 0u) \
  DO(compare_lt_u32, uint32_t, x < y ? 1u : 0u)  \
  DO(compare_le_u32, uint32_t, x <= y ? 1u : 0u) \
  DO(compare_gt_i32, int32_t, x > y ? 1u : 0u)   \
  DO(compare_ge_i32, int32_t, x >= y ? 1u : 0u)  \
  DO(compare_lt_i32, int32_t, x < y ? 1u : 0u)   \
  DO(compare_le_i32, int32_t, x <= y ? 1u : 0u)  \
  DO(compare_same, uint32_t, x == y ? 1u : 0u)

#define POINTWISE_SELECT(DO) DO(select_words, uint32_t, x ? y : z)

constexpr int64_t MAX_U32 = 0xffffffffll, MIN_I32 = -0x80000000ll, MAX_I32 = 0x7fffffffll;
__device__ __forceinline__ int64_t whole(float v) { return is_nan(v) ? 0 : nearest(v, 0); }
__device__ __forceinline__ int64_t clamp(int64_t v, int64_t lo, int64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

// A word as the type that a function takes.
template <class T> __device__ __forceinline__ T word_as(uint32_t w);
template <> __device__ __forceinline__ float word_as<float>(uint32_t w) { return float_of(w); }
template <> __device__ __forceinline__ uint32_t word_as<uint32_t>(uint32_t w) { return w; }
template <> __device__ __forceinline__ int32_t word_as<int32_t>(uint32_t w) { return int32_t(w); }
