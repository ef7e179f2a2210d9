// The duals of op/dual.go that go over the last axis row by row: an op's results, and their tangents by its JVP, in one reading of the operands. Each
// step rounds as its op does; where a rule adds a term neg(t), this subtracts t, which is the same number. mean(t) is sum(t) / n.
//
//   dualsoftmax        y = softmax(x); dy = y * (dx - sum(y * dx))
//   dualsoftmaxgrad    out = y * u, u = g - sum(y * g). Of the expansion: the tangent of y * g is dm = dy * g + dg * y, of u it is
//                      du = dg - sum(dm), of out it is dout = dy * u + du * y
//   dualxentgrad       out = e * g, e = p - onehot(label), p = softmax(x); dp = p * (dx - sum(p * dx)); dout = dp * g, if g has a tangent
//                      dout = dp * g + dg * e
//   duallayernorm      y and r = layernorm(x); dy = ((dx - mean(dx)) - y * k) * r, k = mean(dx * y); dr = -((r * r) * k)
//   duallayernormgrad  out = w * r, w = (g - mean(g)) - y * k, k = mean(g * y). Of the expansion: dk = mean(dg * y + dy * g),
//                      dw = (dg - mean(dg)) - (dy * k + dk * y), dout = dw * r + dr * w
//
// Launch and waiting as in softmax.cu. No shared memory. Memory-bound but for the exponentials: 16 bytes an element, of derivatives 24; rows are read two to
// four times, from L1. A softmax lies in a result until the sum with it is known; each thread reads there what it wrote itself.
#include "layernorm.cuh"
#include "softmax.cuh"

struct DualSoftmaxArgs {
  View y, dy, x, dx;
  uint32_t rows, n;
};

// With registers for five blocks a multiprocessor, not six, for which some would spill.
KERNEL(256, 5) dualsoftmax(const DualSoftmaxArgs a) {
  const uint32_t r = blockIdx.x * 8 + threadIdx.x / 32;
  if (r >= a.rows) return;  // the whole warp
  const uint64_t at = uint64_t(r) * a.n;
  const float *x = floats_of(a.x, blockIdx.y) + at, *dx = floats_of(a.dx, blockIdx.y) + at;
  float *y = floats_of(a.y, blockIdx.y) + at, *dy = floats_of(a.dy, blockIdx.y) + at;
  const Shifted e = shifted(x, a.n);
  const float along = sum_row(a.n, [&](uint32_t i) {
    const float p = quo(e.exp(x[i]), e.s);
    store(y + i, p);
    return mul(p, dx[i]);
  });
  for (uint32_t i = threadIdx.x % 32; i < a.n; i += 32) store(dy + i, mul(y[i], sub(dx[i], along)));
}

struct DualSoftmaxGradArgs {
  View out, dout, y, g, dy, dg;
  uint32_t rows, n;
};

KERNEL(256) dualsoftmaxgrad(const DualSoftmaxGradArgs a) {
  const uint32_t r = blockIdx.x * 8 + threadIdx.x / 32;
  if (r >= a.rows) return;  // the whole warp
  const uint64_t at = uint64_t(r) * a.n;
  const float *y = floats_of(a.y, blockIdx.y) + at, *g = floats_of(a.g, blockIdx.y) + at;
  const float *dy = floats_of(a.dy, blockIdx.y) + at, *dg = floats_of(a.dg, blockIdx.y) + at;
  float *out = floats_of(a.out, blockIdx.y) + at, *dout = floats_of(a.dout, blockIdx.y) + at;
  const Terms<2> sums = sum_terms<2>(a.n, [&](uint32_t i) {
    return Terms<2>{{mul(y[i], g[i]), add(mul(dy[i], g[i]), mul(dg[i], y[i]))}};
  });
  for (uint32_t i = threadIdx.x % 32; i < a.n; i += 32) {
    const float u = sub(g[i], sums.v[0]), du = sub(dg[i], sums.v[1]);
    store(out + i, mul(y[i], u));
    store(dout + i, add(mul(dy[i], u), mul(du, y[i])));
  }
}

struct DualXentGradArgs {
  View out, dout, x, label, g, dx, dg;  // dg: a null base where g has no tangent
  uint32_t rows, n;
};

KERNEL(256) dualxentgrad(const DualXentGradArgs a) {
  const uint32_t r = blockIdx.x * 8 + threadIdx.x / 32;
  if (r >= a.rows) return;  // the whole warp
  const uint64_t at = uint64_t(r) * a.n;
  const float *x = floats_of(a.x, blockIdx.y) + at, *dx = floats_of(a.dx, blockIdx.y) + at;
  float *out = floats_of(a.out, blockIdx.y) + at, *dout = floats_of(a.dout, blockIdx.y) + at;
  const uint32_t label = slot_of(a.label, blockIdx.y)[r];
  const float g = floats_of(a.g, blockIdx.y)[r], dg = a.dg.base ? floats_of(a.dg, blockIdx.y)[r] : 0.0f;
  const Shifted e = shifted(x, a.n);
  const float along = sum_row(a.n, [&](uint32_t i) {
    const float p = quo(e.exp(x[i]), e.s);
    store(out + i, p);
    return mul(p, dx[i]);
  });
  for (uint32_t i = threadIdx.x % 32; i < a.n; i += 32) {
    const float p = out[i], rest = sub(p, i == label ? 1.0f : 0.0f);
    const float t = mul(mul(p, sub(dx[i], along)), g);
    store(out + i, mul(rest, g));
    store(dout + i, a.dg.base ? add(t, mul(dg, rest)) : t);
  }
}

struct DualLayerNormArgs {
  View y, r, dy, dr, x, dx;
  uint32_t rows, n;
  float eps;
  uint32_t unused;
};

KERNEL(256) duallayernorm(const DualLayerNormArgs a) {
  const uint32_t r = blockIdx.x * 8 + threadIdx.x / 32;
  if (r >= a.rows) return;  // the whole warp
  const uint64_t at = uint64_t(r) * a.n;
  const float *x = floats_of(a.x, blockIdx.y) + at, *dx = floats_of(a.dx, blockIdx.y) + at;
  float *y = floats_of(a.y, blockIdx.y) + at, *dy = floats_of(a.dy, blockIdx.y) + at;
  const Scaled e = scaled(x, a.n, a.eps);
  const Terms<2> sums = sum_terms<2>(a.n, [&](uint32_t i) { return Terms<2>{{dx[i], mul(dx[i], e.at(x[i]))}}; });
  const float mean = quo(sums.v[0], float(a.n)), k = quo(sums.v[1], float(a.n));
  for (uint32_t i = threadIdx.x % 32; i < a.n; i += 32) {
    const float v = e.at(x[i]);
    store(y + i, v);
    store(dy + i, mul(sub(sub(dx[i], mean), mul(v, k)), e.r));
  }
  if (threadIdx.x % 32) return;
  store(floats_of(a.r, blockIdx.y) + r, e.r);
  store(floats_of(a.dr, blockIdx.y) + r, neg32(mul(mul(e.r, e.r), k)));
}

struct DualLayerNormGradArgs {
  View out, dout, y, r, g, dy, dr, dg;
  uint32_t rows, n;
};

KERNEL(256) duallayernormgrad(const DualLayerNormGradArgs a) {
  const uint32_t r = blockIdx.x * 8 + threadIdx.x / 32;
  if (r >= a.rows) return;  // the whole warp
  const uint64_t at = uint64_t(r) * a.n;
  const float *y = floats_of(a.y, blockIdx.y) + at, *g = floats_of(a.g, blockIdx.y) + at;
  const float *dy = floats_of(a.dy, blockIdx.y) + at, *dg = floats_of(a.dg, blockIdx.y) + at;
  const float scale = floats_of(a.r, blockIdx.y)[r], dscale = floats_of(a.dr, blockIdx.y)[r];
  float *out = floats_of(a.out, blockIdx.y) + at, *dout = floats_of(a.dout, blockIdx.y) + at;
  Terms<4> mean = sum_terms<4>(a.n, [&](uint32_t i) {
    return Terms<4>{{g[i], mul(g[i], y[i]), dg[i], add(mul(dg[i], y[i]), mul(dy[i], g[i]))}};
  });
#pragma unroll
  for (int s = 0; s < 4; s++) mean.v[s] = quo(mean.v[s], float(a.n));
  const float k = mean.v[1], dk = mean.v[3];
  for (uint32_t i = threadIdx.x % 32; i < a.n; i += 32) {
    const float w = sub(sub(g[i], mean.v[0]), mul(y[i], k));
    const float dw = sub(sub(dg[i], mean.v[2]), add(mul(dy[i], k), mul(dk, y[i])));
    store(out + i, mul(w, scale));
    store(dout + i, add(mul(dw, scale), mul(dscale, w)));
  }
}
