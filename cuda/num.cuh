// The only arithmetic of kernels: each function rounds once, to nearest even, as the laws in op/ say. Nothing here may be
// contracted, approximated or flushed (-fmad=false -ftz=false -prec-div=true -prec-sqrt=true; the PTX is checked for it).
#pragma once
#include <cstdint>
#ifndef LOCKSTEP_EMU
#include <cuda_runtime.h>
#endif

__device__ __forceinline__ float add(float a, float b) { return __fadd_rn(a, b); }
__device__ __forceinline__ float sub(float a, float b) { return __fsub_rn(a, b); }
__device__ __forceinline__ float mul(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ float quo(float a, float b) { return __fdiv_rn(a, b); }
__device__ __forceinline__ float root(float a) { return __fsqrt_rn(a); }
__device__ __forceinline__ float fma32(float a, float b, float c) { return __fmaf_rn(a, b, c); }

__device__ __forceinline__ uint32_t bits_of(float x) { return __float_as_uint(x); }
__device__ __forceinline__ float float_of(uint32_t b) { return __uint_as_float(b); }

__device__ __forceinline__ bool is_nan(float x) { return (bits_of(x) & 0x7fffffffu) > 0x7f800000u; }

// A stored NaN has one form (LAW, Specials). Kernels canonicalise what they compute and store.
constexpr uint32_t NAN_BITS = 0x7fc00000u;
__device__ __forceinline__ uint32_t canonical(float x) { return is_nan(x) ? NAN_BITS : bits_of(x); }
__device__ __forceinline__ void store(float *p, float x) { *reinterpret_cast<uint32_t *>(p) = canonical(x); }

// max and min of the law: NaN if an operand is NaN, and -0 < +0, so they are free of order.
__device__ __forceinline__ float max32(float a, float b) {
  if (is_nan(a)) return a;
  if (is_nan(b)) return b;
  return a > b ? a : b > a ? b : float_of(bits_of(a) & bits_of(b));
}
__device__ __forceinline__ float min32(float a, float b) {
  if (is_nan(a)) return a;
  if (is_nan(b)) return b;
  return a < b ? a : b < a ? b : float_of(bits_of(a) | bits_of(b));
}

// 2^k for -126 <= k <= 127, by its bits; any other k gives some float.
__device__ __forceinline__ float pow2(int32_t k) { return float_of((uint32_t(k) + 127u) << 23); }

// x * 2^shift rounded to the nearest integer, ties to even; what is beyond 2^62, infinities too, becomes +-2^62. x is no NaN.
__device__ __forceinline__ int64_t nearest(float x, int32_t shift) {
  const uint32_t b = bits_of(x), field = b >> 23 & 0xff;
  const uint64_t m = field ? (b & 0x7fffff) | 0x800000 : b & 0x7fffff;  // |x| = m * 2^(max(field, 1) - 150)
  const int32_t s = int32_t(field ? field : 1) - 150 + shift;
  uint64_t q = 0;
  if (s > 38) {
    q = m ? uint64_t(1) << 62 : 0;
  } else if (s >= 0) {
    q = m << s;
  } else if (s >= -25) {  // below, |x| * 2^shift < 1/2
    const uint64_t half = uint64_t(1) << (-s - 1), rest = m & (2 * half - 1);
    q = m >> -s;
    q += rest > half || (rest == half && (q & 1));
  }
  return b >> 31 ? -int64_t(q) : int64_t(q);
}
