// fill: every word of the result is one word; iota: word i is i. Launch: see elementwise.cuh. Memory-bound: writes 4 bytes a word.
#include "elementwise.cuh"

struct FillArgs {
  View out;
  uint32_t words, bits;
};

KERNEL(256) fill(const FillArgs a) {
  each_word(a.words, slot_of(a.out, blockIdx.y), [&](uint64_t) { return a.bits; });
}

struct IotaArgs {
  View out;
  uint64_t words;
};

KERNEL(256) iota(const IotaArgs a) {
  each_word(a.words, slot_of(a.out, blockIdx.y), [](uint64_t i) { return uint32_t(i); });
}
