// What the lanes of a warp do together, and atomics. Every function of a mask waits until all lanes of the mask have come to it.
#pragma once
#include "shim.h"

namespace emu {

template <class T>
inline uint64_t word_of(T v) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 32 or 64 bits");
  uint64_t w = 0;
  __builtin_memcpy(&w, &v, sizeof v);
  return w;
}

template <class T>
inline T of_word(uint64_t w) {
  T v;
  __builtin_memcpy(&v, &w, sizeof v);
  return v;
}

template <class T>
inline T shuffle(const char *name, int form, uint32_t mask, T v, unsigned argument, int width, const char *file, int line) {
  return of_word<T>(meet(Meet::shuffle, mask, word_of(v), shuffle_source(name, form, argument, width), file, line));
}

}  // namespace emu

template <class T>
inline T __shfl_sync(uint32_t mask, T v, int from, int width = 32, EMU_HERE) { return emu::shuffle("__shfl_sync", 0, mask, v, unsigned(from), width, file, line); }
template <class T>
inline T __shfl_up_sync(uint32_t mask, T v, unsigned by, int width = 32, EMU_HERE) { return emu::shuffle("__shfl_up_sync", 1, mask, v, by, width, file, line); }
template <class T>
inline T __shfl_down_sync(uint32_t mask, T v, unsigned by, int width = 32, EMU_HERE) { return emu::shuffle("__shfl_down_sync", 2, mask, v, by, width, file, line); }
template <class T>
inline T __shfl_xor_sync(uint32_t mask, T v, int with, int width = 32, EMU_HERE) { return emu::shuffle("__shfl_xor_sync", 3, mask, v, unsigned(with), width, file, line); }

#define EMU_VOTE(name, type, op) \
  inline type name(uint32_t mask, int v, EMU_HERE) { return type(emu::meet(emu::Meet::op, mask, v != 0, 0, file, line)); }
EMU_VOTE(__ballot_sync, uint32_t, ballot)
EMU_VOTE(__any_sync, int, any)
EMU_VOTE(__all_sync, int, all)

#define EMU_REDUCE(name, type, op) \
  inline type name(uint32_t mask, type v, EMU_HERE) { return type(emu::meet(emu::Meet::op, mask, uint32_t(v), 0, file, line)); }
EMU_REDUCE(__reduce_add_sync, uint32_t, add)
EMU_REDUCE(__reduce_add_sync, int32_t, add)
EMU_REDUCE(__reduce_min_sync, uint32_t, min)
EMU_REDUCE(__reduce_min_sync, int32_t, min_signed)
EMU_REDUCE(__reduce_max_sync, uint32_t, max)
EMU_REDUCE(__reduce_max_sync, int32_t, max_signed)
EMU_REDUCE(__reduce_and_sync, uint32_t, bit_and)
EMU_REDUCE(__reduce_or_sync, uint32_t, bit_or)
EMU_REDUCE(__reduce_xor_sync, uint32_t, bit_xor)

template <class T>
inline uint32_t __match_any_sync(uint32_t mask, T v, EMU_HERE) { return uint32_t(emu::meet(emu::Meet::match, mask, emu::word_of(v), 0, file, line)); }

inline uint32_t __activemask() { return emu::active(); }

// Relaxed, as on a card: an atomic orders nothing but itself; order comes from __threadfence.
#define EMU_ATOMICS(T)                                                                                                  \
  inline T atomicAdd(T *p, T v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }                                  \
  inline T atomicOr(T *p, T v) { return __atomic_fetch_or(p, v, __ATOMIC_RELAXED); }                                    \
  inline T atomicAnd(T *p, T v) { return __atomic_fetch_and(p, v, __ATOMIC_RELAXED); }                                  \
  inline T atomicXor(T *p, T v) { return __atomic_fetch_xor(p, v, __ATOMIC_RELAXED); }                                  \
  inline T atomicExch(T *p, T v) { return __atomic_exchange_n(p, v, __ATOMIC_RELAXED); }                                \
  inline T atomicCAS(T *p, T old, T v) {                                                                                \
    __atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);                                 \
    return old;                                                                                                         \
  }                                                                                                                     \
  inline T atomicMax(T *p, T v) {                                                                                       \
    T old = __atomic_load_n(p, __ATOMIC_RELAXED);                                                                       \
    while (old < v && !__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}           \
    return old;                                                                                                         \
  }                                                                                                                     \
  inline T atomicMin(T *p, T v) {                                                                                       \
    T old = __atomic_load_n(p, __ATOMIC_RELAXED);                                                                       \
    while (v < old && !__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}           \
    return old;                                                                                                         \
  }
EMU_ATOMICS(int)
EMU_ATOMICS(unsigned)
EMU_ATOMICS(unsigned long long)
