// window: rows of the result are a window on rows of x, with 0 where the window looks beyond it: slice, split and pad.
// Launch: see elementwise.cuh. Memory-bound: 8 bytes a word.
#include "elementwise.cuh"

struct WindowArgs {
  View out, x;
  uint64_t words;
  int64_t start;      // word of a row of x that the first word of a row of the result shows; negative: pads before
  uint32_t row, from;  // words of a row of the result, of x
};

KERNEL(256) window(const WindowArgs a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  each_word(a.words, slot_of(a.out, blockIdx.y), [&](uint64_t i) {
    const uint32_t r = uint32_t(i) / a.row;
    const int64_t j = int64_t(uint32_t(i) - r * a.row) + a.start;
    return j >= 0 && j < int64_t(a.from) ? x[uint64_t(r) * a.from + uint64_t(j)] : 0u;
  });
}
