// Arithmetic that nvcc has built in, with the same bits: each float function rounds once (g++ must not contract:
// -ffp-contract=off), conversions saturate and take NaN to 0 as a card does.
#pragma once
#include "shim.h"

#define EMU_INLINE inline __attribute__((always_inline))

#define EMU_VECTOR(T, name, bytes2, bytes4)                                                                            \
  struct __attribute__((aligned(bytes2))) name##2 { T x, y; };                                                         \
  struct name##3 { T x, y, z; };                                                                                       \
  struct __attribute__((aligned(bytes4))) name##4 { T x, y, z, w; };                                                   \
  EMU_INLINE name##2 make_##name##2(T x, T y) { return {x, y}; }                                                       \
  EMU_INLINE name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }                                               \
  EMU_INLINE name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
#define uint3 emu_unused_uint3  // shim.h has it already
EMU_VECTOR(float, float, 8, 16)
EMU_VECTOR(int, int, 8, 16)
EMU_VECTOR(unsigned, uint, 8, 16)
EMU_VECTOR(signed char, char, 2, 4)
EMU_VECTOR(unsigned char, uchar, 2, 4)
EMU_VECTOR(short, short, 4, 8)
EMU_VECTOR(unsigned short, ushort, 4, 8)
EMU_VECTOR(long long, longlong, 16, 16)
EMU_VECTOR(unsigned long long, ulonglong, 16, 16)
EMU_VECTOR(double, double, 16, 16)
#undef uint3
#undef EMU_VECTOR

EMU_INLINE float __fadd_rn(float a, float b) { return a + b; }
EMU_INLINE float __fsub_rn(float a, float b) { return a - b; }
EMU_INLINE float __fmul_rn(float a, float b) { return a * b; }
EMU_INLINE float __fdiv_rn(float a, float b) { return a / b; }
EMU_INLINE float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
EMU_INLINE float __frcp_rn(float a) { return 1.0f / a; }
EMU_INLINE float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
EMU_INLINE double __dadd_rn(double a, double b) { return a + b; }
EMU_INLINE double __dsub_rn(double a, double b) { return a - b; }
EMU_INLINE double __dmul_rn(double a, double b) { return a * b; }
EMU_INLINE double __ddiv_rn(double a, double b) { return a / b; }
EMU_INLINE double __dsqrt_rn(double a) { return __builtin_sqrt(a); }
EMU_INLINE double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }

EMU_INLINE uint32_t __float_as_uint(float x) { uint32_t b; __builtin_memcpy(&b, &x, 4); return b; }
EMU_INLINE int32_t __float_as_int(float x) { int32_t b; __builtin_memcpy(&b, &x, 4); return b; }
EMU_INLINE float __uint_as_float(uint32_t b) { float x; __builtin_memcpy(&x, &b, 4); return x; }
EMU_INLINE float __int_as_float(int32_t b) { float x; __builtin_memcpy(&x, &b, 4); return x; }
EMU_INLINE long long __double_as_longlong(double x) { long long b; __builtin_memcpy(&b, &x, 8); return b; }
EMU_INLINE double __longlong_as_double(long long b) { double x; __builtin_memcpy(&x, &b, 8); return x; }

namespace emu {

// The integer nearest below, above, or to x, in I's range. Comparisons are in double, which holds every float and the limits of
// 32 bits; those of 64 bits are powers of two or one less, where 2^63 and 2^64 themselves are already out.
template <class I, class F>
EMU_INLINE I saturate(F x) {
  constexpr double low = double(std::is_signed_v<I> ? I(1) << (sizeof(I) * 8 - 1) : 0);
  constexpr double high = std::is_signed_v<I> ? -low : (sizeof(I) == 4 ? 4294967296.0 : 18446744073709551616.0);
  if (x != x) return sizeof(I) == 8 ? I(1) << 63 : I(0);
  if (double(x) >= high) return std::is_signed_v<I> ? I(~(I(1) << (sizeof(I) * 8 - 1))) : I(~I(0));
  if (double(x) < low) return I(low);
  return I(x);
}

}  // namespace emu

EMU_INLINE int __float2int_rn(float x) { return emu::saturate<int>(__builtin_rintf(x)); }
EMU_INLINE int __float2int_rz(float x) { return emu::saturate<int>(__builtin_truncf(x)); }
EMU_INLINE int __float2int_rd(float x) { return emu::saturate<int>(__builtin_floorf(x)); }
EMU_INLINE int __float2int_ru(float x) { return emu::saturate<int>(__builtin_ceilf(x)); }
EMU_INLINE unsigned __float2uint_rn(float x) { return emu::saturate<unsigned>(__builtin_rintf(x)); }
EMU_INLINE unsigned __float2uint_rz(float x) { return emu::saturate<unsigned>(__builtin_truncf(x)); }
EMU_INLINE long long __float2ll_rn(float x) { return emu::saturate<long long>(__builtin_rintf(x)); }
EMU_INLINE long long __float2ll_rz(float x) { return emu::saturate<long long>(__builtin_truncf(x)); }
EMU_INLINE long long __double2ll_rn(double x) { return emu::saturate<long long>(__builtin_rint(x)); }
EMU_INLINE long long __double2ll_rz(double x) { return emu::saturate<long long>(__builtin_trunc(x)); }
EMU_INLINE int __double2int_rn(double x) { return emu::saturate<int>(__builtin_rint(x)); }
EMU_INLINE int __double2int_rz(double x) { return emu::saturate<int>(__builtin_trunc(x)); }
EMU_INLINE float __double2float_rn(double x) { return float(x); }
EMU_INLINE float __int2float_rn(int x) { return float(x); }
EMU_INLINE float __uint2float_rn(unsigned x) { return float(x); }
EMU_INLINE float __ll2float_rn(long long x) { return float(x); }
EMU_INLINE float __ull2float_rn(unsigned long long x) { return float(x); }
EMU_INLINE double __int2double_rn(int x) { return double(x); }
EMU_INLINE double __uint2double_rn(unsigned x) { return double(x); }
EMU_INLINE double __ll2double_rn(long long x) { return double(x); }
EMU_INLINE double __ull2double_rn(unsigned long long x) { return double(x); }

EMU_INLINE int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
EMU_INLINE int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
EMU_INLINE int __ffs(int x) { return __builtin_ffs(x); }
EMU_INLINE int __ffsll(long long x) { return __builtin_ffsll(x); }
EMU_INLINE int __popc(unsigned x) { return __builtin_popcount(x); }
EMU_INLINE int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
EMU_INLINE int __mulhi(int a, int b) { return int((long long)a * b >> 32); }
EMU_INLINE unsigned __umulhi(unsigned a, unsigned b) { return unsigned((unsigned long long)a * b >> 32); }
EMU_INLINE long long __mul64hi(long long a, long long b) { return (long long)((__int128)a * b >> 64); }
EMU_INLINE unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned long long)((unsigned __int128)a * b >> 64); }
EMU_INLINE unsigned __brev(unsigned x) {
  x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
  x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
  x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
  return __builtin_bswap32(x);
}
EMU_INLINE unsigned long long __brevll(unsigned long long x) { return (unsigned long long)__brev(unsigned(x)) << 32 | __brev(unsigned(x >> 32)); }

// Four bytes out of the eight of y:x; the top bit of a selector spreads the sign of its byte.
EMU_INLINE unsigned __byte_perm(unsigned x, unsigned y, unsigned s) {
  uint64_t both = uint64_t(y) << 32 | x;
  unsigned r = 0;
  for (int i = 0; i < 4; i++) {
    unsigned sel = s >> 4 * i & 15, byte = unsigned(both >> 8 * (sel & 7)) & 255;
    if (sel & 8) byte = byte & 128 ? 255 : 0;
    r |= byte << 8 * i;
  }
  return r;
}
EMU_INLINE unsigned __funnelshift_l(unsigned low, unsigned high, unsigned n) { return unsigned((uint64_t(high) << 32 | low) << (n & 31) >> 32); }
EMU_INLINE unsigned __funnelshift_r(unsigned low, unsigned high, unsigned n) { return unsigned((uint64_t(high) << 32 | low) >> (n & 31)); }

// Sums wrap, as a card's do.
EMU_INLINE int __dp4a(int a, int b, int c) {
  for (int i = 0; i < 4; i++) c = int(unsigned(c) + unsigned(int(int8_t(unsigned(a) >> 8 * i)) * int(int8_t(unsigned(b) >> 8 * i))));
  return c;
}
EMU_INLINE unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
  for (int i = 0; i < 4; i++) c += (a >> 8 * i & 255) * (b >> 8 * i & 255);
  return c;
}

// A card refuses an address that is no multiple of what it loads, so say so here too.
template <class T>
EMU_INLINE T __ldg(const T *p) {
  if (reinterpret_cast<uintptr_t>(p) % alignof(T)) emu::fail(716, "__ldg of %zu bytes at %p, which is not aligned", sizeof(T), static_cast<const void *>(p));
  return *p;
}
template <class T>
EMU_INLINE T __ldcs(const T *p) { return __ldg(p); }
template <class T>
EMU_INLINE T __ldcg(const T *p) { return __ldg(p); }
template <class T>
EMU_INLINE void __stcs(T *p, T v) { *p = v; }

#define EMU_MIN_MAX(T)                                    \
  EMU_INLINE T min(T a, T b) { return b < a ? b : a; }    \
  EMU_INLINE T max(T a, T b) { return a < b ? b : a; }
EMU_MIN_MAX(int)
EMU_MIN_MAX(unsigned)
EMU_MIN_MAX(long)
EMU_MIN_MAX(unsigned long)
EMU_MIN_MAX(long long)
EMU_MIN_MAX(unsigned long long)
#undef EMU_MIN_MAX
// As in CUDA's headers: a mix of signs goes unsigned.
EMU_INLINE unsigned min(int a, unsigned b) { return min(unsigned(a), b); }
EMU_INLINE unsigned min(unsigned a, int b) { return min(a, unsigned(b)); }
EMU_INLINE unsigned max(int a, unsigned b) { return max(unsigned(a), b); }
EMU_INLINE unsigned max(unsigned a, int b) { return max(a, unsigned(b)); }
