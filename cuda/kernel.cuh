// What every kernel starts with.
#pragma once
#include "num.cuh"
#include "ptx.cuh"

// A View says where the array of a value lies: slot s of it at base + stride * slot[s].
struct View {
  uint32_t *base;
  const uint32_t *slot;  // [slots of the launch]; null: a launch's own slot
  uint64_t stride;       // words from one slot to the next; 0: all slots share one
};

// The words of a value in the given slot of the launch.
__device__ __forceinline__ uint32_t *slot_of(const View &v, uint32_t s) { return v.base + v.stride * (v.slot ? v.slot[s] : s); }
__device__ __forceinline__ float *floats_of(const View &v, uint32_t s) { return reinterpret_cast<float *>(slot_of(v, s)); }

// A second array of shared memory in one function: where they have one place (resident.cu), it lies behind the first.
#define SHARED_AFTER(before, T, name, dims) SHARED(T, name, dims)

// A kernel of blocks of at most so many threads, found by its name; KERNEL(THREADS, 1) may have all registers of a multiprocessor.
#define KERNEL(...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__)
