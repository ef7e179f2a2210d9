// All inline PTX, shared memory, and the only place that knows of the emulator (LOCKSTEP_EMU: see emu/shim.h, which is
// included before anything else and defines what nvcc has built in).
#pragma once
#include <cstdint>

#ifndef LOCKSTEP_EMU
#define SHARED(T, name, dims) __shared__ T name dims
#define DYN_SHARED(T, name)                                          \
  extern __shared__ __align__(16) unsigned char lockstep_dynamic_[]; \
  T *name = reinterpret_cast<T *>(lockstep_dynamic_)
#endif

// Copies 4 or 16 bytes from global to shared memory on the side; where not `read`, zeros, and the source is not touched. Both addresses are
// aligned to that. The destination holds garbage until the thread that copied has waited for the group, and other threads may read it only
// after a __syncthreads beyond that.
__device__ __forceinline__ void cp_async4(void *shared, const void *global, bool read = true) {
#ifdef LOCKSTEP_EMU
  read ? emu::cp_async(shared, global, 4) : void(memset(shared, 0, 4));
#else
  uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(shared)), bytes = read ? 4 : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to), "l"(global), "r"(bytes) : "memory");
#endif
}
__device__ __forceinline__ void cp_async16(void *shared, const void *global, bool read = true) {
#ifdef LOCKSTEP_EMU
  read ? emu::cp_async(shared, global, 16) : void(memset(shared, 0, 16));
#else
  uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(shared)), bytes = read ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(bytes) : "memory");
#endif
}

// Ends a group: all copies of this thread since the group before.
__device__ __forceinline__ void cp_async_commit() {
#ifdef LOCKSTEP_EMU
  emu::cp_async_commit();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most the last N groups of this thread are still on their way.
template <int N>
__device__ __forceinline__ void cp_async_wait() {
#ifdef LOCKSTEP_EMU
  emu::cp_async_wait(N);
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

// Clusters: blocks, side by side along x, that run at once on multiprocessors of one part of the card, and see each other's shared memory. Cards
// before sm_90, and launches without the attribute, have clusters of one block.
#if defined(LOCKSTEP_EMU)
__device__ __forceinline__ uint32_t cluster_rank() { return emu::now->rank; }
__device__ __forceinline__ uint32_t cluster_size() { return emu::cluster; }
__device__ __forceinline__ uint32_t cluster_index() { return emu::now->block.x / emu::cluster; }
__device__ __forceinline__ void cluster_barrier(const char *file = __builtin_FILE(), int line = __builtin_LINE()) { emu::cluster_barrier(file, line); }
template <class T> __device__ __forceinline__ T *shared_of(T *mine, uint32_t rank) { return static_cast<T *>(emu::shared_of(mine, rank)); }
#elif __CUDA_ARCH__ >= 900
__device__ __forceinline__ uint32_t cluster_rank() {
  uint32_t r;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(r));
  return r;
}
__device__ __forceinline__ uint32_t cluster_size() {
  uint32_t n;
  asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(n));
  return n;
}
__device__ __forceinline__ uint32_t cluster_index() {
  uint32_t i;
  asm("mov.u32 %0, %%clusterid.x;" : "=r"(i));
  return i;
}
// All threads of the cluster wait for each other, and see what they wrote into memory before.
__device__ __forceinline__ void cluster_barrier() {
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
// The same place in the shared memory of another block of the cluster, which must have begun and must not end before.
template <class T> __device__ __forceinline__ T *shared_of(T *mine, uint32_t rank) {
  uint64_t to;
  asm("mapa.u64 %0, %1, %2;" : "=l"(to) : "l"(mine), "r"(rank));
  return reinterpret_cast<T *>(to);
}
#else
__device__ __forceinline__ uint32_t cluster_rank() { return 0; }
__device__ __forceinline__ uint32_t cluster_size() { return 1; }
__device__ __forceinline__ uint32_t cluster_index() { return blockIdx.x; }
__device__ __forceinline__ void cluster_barrier() { __syncthreads(); }
template <class T> __device__ __forceinline__ T *shared_of(T *mine, uint32_t) { return mine; }
#endif

// Keeps a compiler from reading ahead what comes later: that takes registers.
__device__ __forceinline__ void one_after_the_other() { asm volatile("" ::: "memory"); }

// x, as far as a compiler knows another value each time: what is made of it is made again, and not kept.
__device__ __forceinline__ uint32_t anew(uint32_t x) {
#ifndef LOCKSTEP_EMU
  asm volatile("" : "+r"(x));
#endif
  return x;
}

// d += a * b in integers that wrap, by the 32 lanes of a warp together: 16x32 bytes times 32x8. With g = lane / 4, k = lane % 4 * 4:
// a[0..3] are four bytes each of rows g, g+8, g, g+8 from columns k, k, k+16, k+16; b[0..1] of column g from rows k, k+16;
// d[0..3] are in rows g, g, g+8, g+8 and columns lane % 4 * 2 + 0, 1, 0, 1.
__device__ __forceinline__ void mma_s8(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef LOCKSTEP_EMU
  emu::mma_s8(d, a, b, __FILE__, __LINE__);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}
