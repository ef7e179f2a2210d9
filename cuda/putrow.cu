// putrow: y[i] = rows[i - at] for at <= i < at + b, else x[i]; what lies beyond the end is dropped.
// Launch: see elementwise.cuh. Memory-bound: 8 bytes a word.
#include "elementwise.cuh"

struct PutRowArgs {
  View out, x, rows, at;
  uint64_t words;
  uint32_t b, c;  // rows is [b, c]
};

KERNEL(256) putrow(const PutRowArgs a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y), *rows = slot_of(a.rows, blockIdx.y);
  const uint64_t first = uint64_t(*slot_of(a.at, blockIdx.y)) * a.c, n = uint64_t(a.b) * a.c;
  each_word(a.words, slot_of(a.out, blockIdx.y), [=](uint64_t i) { return i >= first && i - first < n ? rows[i - first] : x[i]; });
}
