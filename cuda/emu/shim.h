// What nvcc has built in, for g++: qualifiers, built-in variables, barriers, shared memory. It is included before anything else
// of a .cu file (g++ -include shim.h), so that the file needs no #ifdef and does not know that it is emulated.
//
// A thread of a kernel is a fiber. Clusters of blocks, which mostly are one block, run one at a time.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#define LOCKSTEP_EMU 1

// The build lists the kernels of a file by preprocessing it with EMU_SCAN: each leaves EMU_BEGIN threads EMU_END name.
#ifdef EMU_SCAN
#define __global__ EMU_GLOBAL
#define __launch_bounds__(...) EMU_BEGIN __VA_ARGS__ EMU_END
#else
#define __global__
#define __launch_bounds__(...)
#endif
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ _Pragma("GCC error \"declare shared memory with SHARED or DYN_SHARED\"")

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};

namespace emu {

// Where the running thread is. `now` changes whenever a fiber gives way.
struct Place {
  uint3 thread, block;
  unsigned lane, warp, rank;  // rank: of the block in its cluster
};
extern Place *now;
extern uint3 block;          // that of rank 0 of the running cluster
extern dim3 blocks, threads;
extern unsigned cluster;     // blocks of one

// The function of a kernel, with what a driver knows of it.
struct Kernel {
  const char *name;
  unsigned count;                   // of parameters
  const unsigned *sizes, *aligns;   // of each
  void (*call)(void *const *);      // with a pointer to each
  unsigned bound;                   // threads of __launch_bounds__
  Kernel *next;
  unsigned static_shared;           // bytes; found out by running it
};
void enroll(Kernel *);

template <auto F>
struct Call;
template <class... A, void (*F)(A...)>
struct Call<F> {
  static constexpr unsigned sizes[] = {sizeof(A)..., 0}, aligns[] = {alignof(A)..., 0};
  template <size_t... I>
  static void go(void *const *p, std::index_sequence<I...>) { F(*static_cast<std::remove_cv_t<A> *>(p[I])...); }
  static void call(void *const *p) { go(p, std::index_sequence_for<A...>{}); }
  static constexpr unsigned count = sizeof...(A);
};
struct Enroll {
  Kernel kernel;
  Enroll(const char *name, unsigned count, const unsigned *sizes, const unsigned *aligns, void (*call)(void *const *), unsigned bound, unsigned = 0)
      : kernel{name, count, sizes, aligns, call, bound, nullptr, 0} { enroll(&kernel); }
};

// Where an array of shared memory lies: found at its first use in a launch, then the same for all blocks of it.
struct Shared {
  uint64_t launch = 0;
  size_t offset = 0;
};
void *shared(Shared *, size_t bytes, size_t align, const char *name);
void *dynamic_shared(size_t align, const char *name);

void block_barrier(const char *file, int line);
void cluster_barrier(const char *file, int line);
void *shared_of(void *mine, unsigned rank);  // the same place in the shared memory of another block of the cluster
[[noreturn]] void fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The operations of a warp in which the lanes of a mask meet. `value` is the lane's word; `lane` the one whose word it wants.
enum class Meet { sync, shuffle, ballot, any, all, add, min, max, min_signed, max_signed, bit_and, bit_or, bit_xor, match, mma };
uint64_t meet(Meet op, uint32_t mask, uint64_t value, unsigned lane, const char *file, int line);
unsigned shuffle_source(const char *name, int form, unsigned argument, int width);
uint32_t active();
void fence();

// What ptx.cuh needs.
void cp_async(void *to, const void *from, unsigned bytes);
void cp_async_commit();
void cp_async_wait(unsigned open);  // until at most so many groups are on their way
void mma_s8(int *d, const uint32_t *a, const uint32_t *b, const char *file, int line);

}  // namespace emu

// One line for each kernel, written by the build.
#define EMU_KERNEL(f, ...) \
  static emu::Enroll emu_enroll_##f(#f, emu::Call<&f>::count, emu::Call<&f>::sizes, emu::Call<&f>::aligns, emu::Call<&f>::call, __VA_ARGS__);

#define threadIdx (emu::now->thread)
#define blockIdx (emu::now->block)
#define blockDim emu::threads
#define gridDim emu::blocks
#define warpSize 32

// Shared memory is one arena of the size that a card has, full of 0xff when a block starts: what was not written is a NaN.
#define SHARED(T, name, dims)              \
  typedef T emu_type_of_##name dims;       \
  static emu::Shared emu_place_of_##name;  \
  emu_type_of_##name &name = *static_cast<emu_type_of_##name *>(emu::shared(&emu_place_of_##name, sizeof(emu_type_of_##name), alignof(emu_type_of_##name), #name))
#define DYN_SHARED(T, name) T *name = static_cast<T *>(emu::dynamic_shared(alignof(T), #name))

#define EMU_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(EMU_HERE) { emu::block_barrier(file, line); }
inline void __syncwarp(uint32_t mask = 0xffffffffu, EMU_HERE) { emu::meet(emu::Meet::sync, mask, 0, emu::now->lane, file, line); }
inline void __threadfence() { emu::fence(); }
inline void __threadfence_block() { emu::fence(); }
[[noreturn]] inline void __trap(EMU_HERE) { emu::fail(719, "__trap at %s:%d", file, line); }

#include "intrinsics.h"
#include "warp.h"
