// How the driver's half of the emulator (memory, streams, API) runs a kernel, and what both halves share.
#pragma once
#include <cstdarg>
#include <cstdint>
#include <cstdio>

#include "shim.h"
#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim
#undef warpSize

#ifndef __x86_64__
#error "the emulator's fibers are written for x86-64"
#endif
// Sanitizers check kernels. The emulator's own code is compiled without them, because it moves stacks under their feet; the build
// tells it by these that they are there, and it tells them where fibers, allocations and arrays begin and end.
#ifndef EMU_ASAN
#define EMU_ASAN 0
#endif
#ifndef EMU_TSAN
#define EMU_TSAN 0
#endif
#if EMU_ASAN
#include <sanitizer/asan_interface.h>
#define EMU_POISON(p, n) __asan_poison_memory_region(p, n)
#define EMU_UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define EMU_POISON(p, n) (void)0
#define EMU_UNPOISON(p, n) (void)0
#endif

namespace emu {

enum class Order { forward, reverse, permuted };

// What the environment says, read at the first call.
struct Options {
  Order order = Order::forward;  // LOCKSTEP_EMU_ORDER
  uint64_t seed = 1;             // permuted:SEED
  uint64_t memory = 4ull << 30;  // LOCKSTEP_EMU_MEMORY: bytes of each device
  int devices = 1;               // LOCKSTEP_EMU_DEVICES
  int version = 13000;           // LOCKSTEP_EMU_VERSION: 1000 * major + 10 * minor
};
const Options &options();

constexpr unsigned SHARED_DEFAULT = 48 << 10, SHARED_MOST = 227 << 10, THREADS_MOST = 1024, CLUSTER_MOST = 8;

struct Launch {
  Kernel *kernel;
  dim3 grid, block;
  unsigned cluster;         // blocks of one, side by side along x
  unsigned dynamic, limit;  // bytes of dynamic shared memory, and of all that the function may use
  void *const *params;
};

// Runs all blocks; 0, or the error of the driver that a card would have raised, after a message.
int run(const Launch &);

// Says on stderr what is wrong. One line: "emu: ...".
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void vsay(const char *format, va_list);

Kernel *find_kernel(const char *name);

// A generator of its own, so that a permuted order is the same in each run.
struct Random {
  uint64_t state;
  uint64_t next() {
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  uint64_t below(uint64_t n) { return uint64_t((unsigned __int128)next() * n >> 64); }
};
extern Random chance;

}  // namespace emu
