// normal: standard normal numbers by Box and Muller, op/normal.go: two for each pair of words. Launch: see draw, philox.cuh; about
// 250 operations for 16 bytes written.
#include "functions.cuh"
#include "philox.cuh"

struct NormalArgs {
  View out;
  Source source;
  uint64_t words;
};

KERNEL(256) normal(const NormalArgs a) {
  draw(a.out, a.words, a.source, [&](const Block &b, uint32_t j) {
    const uint32_t w0 = b.w[j & 2], w1 = b.w[j | 1];
    const float u = mul(static_cast<float>((w0 >> 8) + 1), 0x1p-24f), v = mul(static_cast<float>(w1 >> 8), 0x1p-24f);
    const float r = root(mul(-2.0f, log32(u))), angle = mul(2.0f, v);
    return canonical(mul(r, j & 1 ? sinpi32(angle) : cospi32(angle)));
  });
}
