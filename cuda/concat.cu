// concat: one operand put into its places of the result: rows of `row` words go to words start.. of rows of `to` words. One
// launch for each operand. Launch: see elementwise.cuh, over the operand's words. Memory-bound: 8 bytes a word.
#include "kernel.cuh"

struct ConcatArgs {
  View out, x;
  uint64_t start;
  uint32_t words, row;  // of the operand
  uint32_t to, unused;
};

KERNEL(256) concat(const ConcatArgs a) {
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  uint32_t *out = slot_of(a.out, blockIdx.y);
  for (uint32_t r = 0, i = blockIdx.x * 1024 + threadIdx.x; r < 4; r++, i += 256)
    if (i < a.words) out[uint64_t(i / a.row) * a.to + a.start + i % a.row] = x[i];
}
