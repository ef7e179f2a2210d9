// keep: a state is replaced by what follows it, but for cells that are not active (stopped, or diverged); also the copy of a
// value into another array. Launch: x covers the words, y is the slot. Memory-bound: reads and writes 4 bytes a word.
#include "kernel.cuh"

struct KeepArgs {
  View to, from, active;  // active: bool[]
  uint32_t words;
  uint32_t always;  // there is no active
};

KERNEL(256) keep(const KeepArgs a) {
  uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < a.words && (a.always || *slot_of(a.active, blockIdx.y))) slot_of(a.to, blockIdx.y)[i] = slot_of(a.from, blockIdx.y)[i];
}
