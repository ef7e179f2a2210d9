// Kernels for the emulator's own tests: good ones, and one of each mistake that it must find.
#include "kernel.cuh"

struct Vector {
  float *out;
  const float *in;
  uint32_t n;
  float scale;
};

// Each block turns its part round.
KERNEL(256) turn(const Vector a) {
  SHARED(float, part, [256]);
  uint32_t t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  part[t] = i < a.n ? a.in[i] : 0.0f;
  __syncthreads();
  if (i < a.n) a.out[i] = mul(part[blockDim.x - 1 - t], a.scale);
}

// The same without the barrier.
KERNEL(256) turn_racy(const Vector a) {
  SHARED(float, part, [256]);
  uint32_t t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  part[t] = i < a.n ? a.in[i] : 0.0f;
  if (i < a.n) a.out[i] = mul(part[blockDim.x - 1 - t], a.scale);
}

// Each block of a cluster reads what the next one has written: right if it waits until that has written it, and that until it was read.
template <bool FIRST, bool LAST>
__device__ void hand_on(const Vector &a) {
  DYN_SHARED(float, part);
  uint32_t t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  part[t] = a.in[i];
  if (FIRST) cluster_barrier();
  a.out[i] = mul(shared_of(part, (cluster_rank() + 1) % cluster_size())[blockDim.x - 1 - t], a.scale);
  if (LAST) cluster_barrier();
}
KERNEL(256) hand_on_right(const Vector a) { hand_on<true, true>(a); }
KERNEL(256) hand_on_racy(const Vector a) { hand_on<false, true>(a); }
KERNEL(256) hand_on_early(const Vector a) { hand_on<true, false>(a); }
KERNEL(256) cluster_elsewhere(const Vector a) {
  if (cluster_rank()) cluster_barrier();
  else cluster_barrier();
  a.out[0] = 0;
}

// Two blocks write one word.
KERNEL(32) blocks_race(const Vector a) {
  if (threadIdx.x == 0) a.out[0] = float(blockIdx.x);
}

// So they do after all have waited, or met.
KERNEL(64) blocks_race_barrier(const Vector a) {
  __syncthreads();
  if (threadIdx.x == 0) a.out[0] = float(blockIdx.x);
  __syncthreads();
  __syncthreads();
}
KERNEL(64) blocks_race_shuffle(const Vector a) {
  const uint32_t x = __shfl_sync(0xffffffffu, blockIdx.x, 0);
  if (threadIdx.x == 0) a.out[0] = float(x);
  __syncwarp();
  __syncwarp();
}

// The last block to finish sums what all have written: right with both fences.
template <bool FENCED>
__device__ void last_block(const Vector &a) {
  SHARED(uint32_t, ticket, );
  uint32_t *count = reinterpret_cast<uint32_t *>(a.out) + gridDim.x + 1;
  if (threadIdx.x == 0) {
    a.out[blockIdx.x] = a.in[blockIdx.x];
    if (FENCED) __threadfence();
    ticket = atomicAdd(count, 1u);
    if (FENCED) __threadfence();
  }
  __syncthreads();
  if (ticket == gridDim.x - 1 && threadIdx.x == 0) {
    float sum = 0.0f;
    for (uint32_t b = 0; b < gridDim.x; b++) sum = add(sum, a.out[b]);
    a.out[gridDim.x] = sum;
  }
}
KERNEL(32) ticket_fenced(const Vector a) { last_block<true>(a); }
KERNEL(32) ticket_bare(const Vector a) { last_block<false>(a); }

// in[i] * scale + out[i]
KERNEL(128) axpy(const Vector a) {
  uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < a.n) a.out[i] = fma32(a.in[i], a.scale, a.out[i]);
}

KERNEL(32) write_at(const Vector a) {
  if (threadIdx.x == 0) a.out[int32_t(a.n)] = 1.0f;
}

KERNEL(64) barrier_skipped(const Vector a) {
  if (threadIdx.x < 40) __syncthreads();
  else __syncwarp();
  a.out[threadIdx.x] = 0.0f;
}

KERNEL(64) barrier_elsewhere(const Vector a) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  a.out[threadIdx.x] = 0.0f;
}

KERNEL(64) leave_early(const Vector a) {
  if (threadIdx.x >= 50) return;
  a.out[threadIdx.x] = 1.0f;
  __syncthreads();
  a.out[49 - threadIdx.x] = add(a.out[49 - threadIdx.x], 1.0f);
}

KERNEL(32) mask_not_mine(const Vector a) { a.out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1.0f, 0); }
KERNEL(32) lane_missing(const Vector a) {
  if (threadIdx.x == 9) return;
  a.out[threadIdx.x] = __shfl_sync(0xffffffffu, 1.0f, 0);
}
KERNEL(32) masks_differ(const Vector a) { a.out[threadIdx.x] = threadIdx.x < 16 ? __shfl_sync(0xffffffffu, 1.0f, 0) : __shfl_sync(0xffff0000u, 1.0f, 16); }

struct Words {
  uint32_t *out;
  const uint32_t *in;
};

KERNEL(32) read_unset(const Words a) {
  SHARED(uint32_t, words, [32]);
  a.out[threadIdx.x] = words[threadIdx.x];
  words[threadIdx.x] = 7;
}

// Everything that lanes do together; 24 words of room a lane.
KERNEL(64) lanes(const Words a) {
  uint32_t t = threadIdx.x, v = a.in[t], *o = a.out + 24 * t, all = 0xffffffffu, half = t % 32 < 16 ? 0x0000ffffu : 0xffff0000u;
  o[0] = __shfl_sync(all, v, 5);
  o[1] = __shfl_up_sync(all, v, 3);
  o[2] = __shfl_down_sync(all, v, 3);
  o[3] = __shfl_xor_sync(all, v, 9);
  o[4] = __shfl_sync(all, v, 3, 8);
  o[5] = __shfl_up_sync(all, v, 3, 8);
  o[6] = __shfl_down_sync(all, v, 3, 8);
  o[7] = __shfl_xor_sync(all, v, 9, 8);
  unsigned long long wide = __shfl_xor_sync(all, (unsigned long long)v << 32 | t, 1);
  o[8] = uint32_t(wide);
  o[9] = uint32_t(wide >> 32);
  o[10] = __ballot_sync(all, v & 1);
  o[11] = uint32_t(__any_sync(half, v == a.in[t / 32 * 32]));
  o[12] = uint32_t(__all_sync(half, v < 0x80000000u));
  o[13] = __reduce_add_sync(half, v);
  o[14] = __reduce_max_sync(all, v);
  o[15] = uint32_t(__reduce_min_sync(all, int32_t(v)));
  o[16] = __reduce_xor_sync(all, v);
  o[17] = __match_any_sync(all, v & 3);
  __syncwarp();
  o[18] = uint32_t(__float_as_int(__shfl_xor_sync(all, __int_as_float(int(v)), 16)));
}

KERNEL(1024) count(const Words a) {
  atomicAdd(a.out, 1u);
  atomicMax(a.out + 1, threadIdx.x + 1000 * blockIdx.x);
  atomicMin(a.out + 2, threadIdx.x + 7);
  atomicAdd(reinterpret_cast<unsigned long long *>(a.out + 4), 0x100000001ull);
}

// 64 words by way of shared memory. WAIT: with the wait; else it reads what is on its way.
template <bool WAIT>
__device__ void staged(const Words &a) {
  SHARED(__align__(16) uint32_t, stage, [2][64]);
  uint32_t t = threadIdx.x;
  if (t < 16) cp_async16(&stage[0][4 * t], a.in + 4 * t);
  cp_async_commit();
  cp_async4(&stage[1][t], a.in + 64 + t);
  cp_async_commit();
  if (WAIT) cp_async_wait<1>();
  __syncthreads();
  a.out[t] = stage[0][63 - t];
  if (WAIT) cp_async_wait<0>();
  __syncthreads();
  a.out[64 + t] = stage[1][63 - t];
}
KERNEL(64) staged_right(const Words a) { staged<true>(a); }
KERNEL(64) staged_early(const Words a) { staged<false>(a); }

struct Product {
  int32_t *d;
  const int8_t *a, *b;  // 16x32 by rows, 32x8 by columns
};
KERNEL(32) product(const Product p) {
  uint32_t lane = threadIdx.x, g = lane / 4, k = lane % 4 * 4, a[4], b[2];
  int d[4];
  for (uint32_t r = 0; r < 4; r++) {
    a[r] = *reinterpret_cast<const uint32_t *>(p.a + (g + r % 2 * 8) * 32 + k + r / 2 * 16);
    d[r] = p.d[(g + r / 2 * 8) * 8 + lane % 4 * 2 + r % 2];
  }
  for (uint32_t r = 0; r < 2; r++) b[r] = *reinterpret_cast<const uint32_t *>(p.b + g * 32 + k + r * 16);
  mma_s8(d, a, b);
  for (uint32_t r = 0; r < 4; r++) p.d[(g + r / 2 * 8) * 8 + lane % 4 * 2 + r % 2] = d[r];
}

KERNEL(128) shared_big(const Words a) {
  DYN_SHARED(uint32_t, all);
  SHARED(uint32_t, more, [64]);
  all[threadIdx.x] = a.in[threadIdx.x];
  if (threadIdx.x < 64) more[threadIdx.x] = threadIdx.x;
  __syncthreads();
  a.out[threadIdx.x] = all[127 - threadIdx.x] + more[threadIdx.x % 64];
}
KERNEL(32) shared_past_end(const Words a) {
  SHARED(uint32_t, words, [32]);
  words[threadIdx.x + a.in[0]] = 1;
  a.out[threadIdx.x] = words[threadIdx.x];
}

KERNEL(32) divide(const Words a) { a.out[threadIdx.x] = 100 / a.in[threadIdx.x]; }
KERNEL(32) overflow(const Words a) { a.out[threadIdx.x] = uint32_t(int32_t(a.in[threadIdx.x]) + 0x7fffffff); }

constexpr uint32_t PLACES = 4 * 3 * 2;
KERNEL(PLACES) place(const Words a) {
  uint32_t block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x, thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  a.out[block * PLACES + thread] = block << 16 | threadIdx.z << 8 | threadIdx.y << 4 | threadIdx.x;
}

// Arguments of their own sizes.
KERNEL(1) several(uint8_t a, double b, uint32_t *out, float c) {
  out[0] = a;
  out[1] = uint32_t(b);
  out[2] = uint32_t(c);
}
