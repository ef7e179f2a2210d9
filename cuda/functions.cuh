// The functions of the law, step by step as in op/exp.go, log.go, tanh.go, sinpi.go, sigmoid.go, rsqrt.go and gelu.go,
// where the reasons stand. A NaN result need not be canonical: store() and canonical() see to that.
#pragma once
#include "constants.cuh"
#include "num.cuh"

// The integer n nearest to x / ln 2, and as k.
__device__ __forceinline__ float exp_split(float x, int32_t &k) {
  const float t = fma32(x, EXP_LOG2E, ROUND1);
  k = int32_t(bits_of(t) - bits_of(ROUND1));
  return sub(t, ROUND1);
}

// (e^r - 1 - r) / r^2.
__device__ __forceinline__ float exp_tail(float r) {
  float q = fma32(EXP_Q5, r, EXP_Q4);
  q = fma32(q, r, EXP_Q3);
  q = fma32(q, r, EXP_Q2);
  q = fma32(q, r, EXP_Q1);
  return fma32(q, r, EXP_Q0);
}

__device__ __forceinline__ float exp32(float x) {
  x = x < EXP_MIN ? EXP_MIN : x;
  x = x > EXP_MAX ? EXP_MAX : x;
  int32_t k;
  const float n = exp_split(x, k);
  const float a = fma32(n, -LN2_HI, x);
  const float h = add(1.0f, a);
  float l = sub(a, sub(h, 1.0f));
  l = fma32(n, -LN2_LO, l);
  const float r = fma32(n, -LN2_LO, a);
  const float y = add(h, fma32(mul(r, r), exp_tail(r), l));
  const int32_t i = k >> 1;
  return mul(mul(y, pow2(i)), pow2(k - i));
}

__device__ __forceinline__ float log32(float x) {
  const bool tiny = x < 0x1p-126f;
  const float z = tiny ? mul(x, LOG_SCALE) : x;
  const uint32_t d = bits_of(z) - LOG_LOWEST;
  const float k = static_cast<float>((int32_t(d) >> 23) + (tiny ? -23 : 0));
  const float f = sub(float_of((d & 0x7fffffu) + LOG_LOWEST), 1.0f);

  float p = fma32(LOG_L8, f, LOG_L7);
  p = fma32(p, f, LOG_L6);
  p = fma32(p, f, LOG_L5);
  p = fma32(p, f, LOG_L4);
  p = fma32(p, f, LOG_L3);
  p = fma32(p, f, LOG_L2);
  p = fma32(p, f, LOG_L1);
  p = fma32(p, f, LOG_L0);

  const float g = mul(-0.5f, f);
  const float h = fma32(g, f, f);
  float l = fma32(g, f, sub(f, h));
  l = fma32(mul(mul(f, f), f), p, l);
  l = fma32(k, LN2_LO, l);
  const float s = fma32(k, LN2_HI, h);
  const float e = add(fma32(k, LN2_HI, -s), h);
  float y = add(s, add(e, l));
  y = bits_of(x) == 0x7f800000u || is_nan(x) ? x : y;
  y = x == 0.0f ? float_of(0xff800000u) : y;
  return x < 0.0f ? float_of(NAN_BITS) : y;
}

__device__ __forceinline__ float tanh32(float x) {
  const float z = float_of(bits_of(x) & 0x7fffffffu);
  const float u = mul(z, z);
  float p = fma32(TANH_T7, u, TANH_T6);
  p = fma32(p, u, TANH_T5);
  p = fma32(p, u, TANH_T4);
  p = fma32(p, u, TANH_T3);
  p = fma32(p, u, TANH_T2);
  p = fma32(p, u, TANH_T1);
  p = fma32(p, u, TANH_T0);
  const float a = fma32(mul(z, u), p, z);

  float w = z > TANH_MAX ? TANH_MAX : z;
  w = add(w, w);
  int32_t k;
  const float n = exp_split(w, k);
  float r = fma32(n, -LN2_HI, w);
  r = fma32(n, -LN2_LO, r);
  const float e = mul(fma32(fma32(exp_tail(r), r, 1.0f), r, 1.0f), pow2(k));
  const float b = sub(1.0f, quo(2.0f, add(e, 1.0f)));

  const float y = z < TANH_SPLIT ? a : b;
  return float_of(bits_of(y) | (bits_of(x) & 0x80000000u));
}

// sin(pi (|x| + quarters/2)).
__device__ __forceinline__ float quarter_wave(float x, uint32_t quarters) {
  const float z = float_of(bits_of(x) & 0x7fffffffu);
  const float w = sub(z, sub(add(z, ROUND2), ROUND2));
  const float t = add(w, ROUND_HALF);
  const float r = sub(w, sub(t, ROUND_HALF));
  const uint32_t i = bits_of(t) + quarters;
  const float u = mul(r, r);

  float s = fma32(SIN_S3, u, SIN_S2);
  s = fma32(s, u, SIN_S1);
  s = fma32(s, u, SIN_S0);
  s = fma32(s, u, SIN_PI_LO);
  s = fma32(r, SIN_PI, mul(r, s));

  const float h = fma32(u, COS_HI, 1.0f);
  float l = fma32(u, COS_HI, sub(1.0f, h));
  l = fma32(fma32(r, r, -u), COS_HI, l);
  float c = fma32(COS_C2, u, COS_C1);
  c = fma32(c, u, COS_C0);
  c = fma32(c, u, COS_LO);
  c = add(h, fma32(c, u, l));

  const float y = i & 1 ? c : s;
  return add(float_of(bits_of(y) ^ ((i & 2) << 30)), 0.0f);
}

__device__ __forceinline__ float sinpi32(float x) { return float_of(bits_of(quarter_wave(x, 0)) ^ (bits_of(x) & 0x80000000u)); }
__device__ __forceinline__ float cospi32(float x) { return quarter_wave(x, 1); }

__device__ __forceinline__ float neg32(float x) { return float_of(bits_of(x) ^ 0x80000000u); }
__device__ __forceinline__ float relu32(float x) { return x <= 0.0f ? 0.0f : x; }

// Composed.
__device__ __forceinline__ float sigmoid32(float x) { return quo(1.0f, add(1.0f, exp32(neg32(x)))); }
__device__ __forceinline__ float rsqrt32(float x) { return quo(1.0f, root(x)); }
__device__ __forceinline__ float gelu32(float x) {
  float u = mul(x, x);
  u = mul(u, x);
  u = mul(0.044715f, u);
  u = add(x, u);
  u = mul(0.7978846f, u);
  return mul(mul(0.5f, x), add(1.0f, tanh32(u)));
}
