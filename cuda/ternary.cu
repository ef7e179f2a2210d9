// ternary: the words of a stream, which are the packing of a random ternary matrix. Launch: see draw, philox.cuh.
#include "philox.cuh"

struct TernaryArgs {
  View out;
  Source source;
  uint64_t words;
};

KERNEL(256) ternary(const TernaryArgs a) {
  draw(a.out, a.words, a.source, [](const Block &b, uint32_t j) { return b.w[j]; });
}
