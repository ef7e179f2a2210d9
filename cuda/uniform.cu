// uniform: lo + width * u, u = (w >> 8) * 2^-24; randint: (w * n) >> 32; for word i of a stream. Launch: see draw, philox.cuh.
#include "philox.cuh"

struct UniformArgs {
  View out;
  Source source;
  uint64_t words;
  float lo, width;
};

KERNEL(256) uniform(const UniformArgs a) {
  draw(a.out, a.words, a.source, [&](const Block &b, uint32_t j) {
    const float u = mul(static_cast<float>(b.w[j] >> 8), 0x1p-24f);
    return canonical(add(a.lo, mul(a.width, u)));
  });
}

struct RandIntArgs {
  View out;
  Source source;
  uint64_t words, n;
};

KERNEL(256) randint(const RandIntArgs a) {
  draw(a.out, a.words, a.source, [&](const Block &b, uint32_t j) { return uint32_t(b.w[j] * a.n >> 32); });
}
