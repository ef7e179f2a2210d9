// The matrix product and its tangent, for the kernels of matmul.cu and matmuljvp.cu.
#pragma once
#include "kernel.cuh"

struct MatMulArgs {
  View out, a, b, klen;                // klen.base null: k itself
  uint64_t a_batch, b_batch;           // words from one batch entry to the next; 0: all use one
  uint32_t batch, m, n, k;
  uint32_t a_m, a_k, b_k, b_n;         // words from one row, term, column to the next
  uint32_t columns, unused;            // tiles side by side: blockIdx.x = row of tiles * columns + column of tiles
};

struct MatMulJVPArgs {
  MatMulArgs p;
  View da, db;  // like a and b
};

__device__ __forceinline__ uint32_t terms(const MatMulArgs &p, uint32_t slot) {
  const uint32_t klen = p.klen.base ? *slot_of(p.klen, slot) : p.k;
  return klen < p.k ? klen : p.k;
}

constexpr uint32_t CHUNK = 1024, BK = 16;  // terms of a chain; of a tile, which divides it

// A row of a tile in shared memory, read four words at a time.
template <int N> struct alignas(16) Row { float v[N]; };

// A thread's part of the way of a [BK, N] tile from memory to shared memory: every T-th word, counted along the axis that lies
// densely in memory, so its words are a fixed step apart.
template <int N, int T> struct Load {
  static constexpr int WORDS = N * int(BK) / T;
  static_assert(T % N == 0 && T % int(BK) == 0 && WORDS > 0, "");
  float v[WORDS];
  const float *p;         // the first of the words of the next tile
  uint32_t step, tile;    // words of memory from one word to the next, from one tile to the next: where one is read, below 2^31
  uint32_t k, x, dk, dx;  // where the first lies in the tile, and from one to the next

  __device__ __forceinline__ void begin(const float *from, uint32_t x0, uint32_t sx, uint32_t sk) {
    const bool along = sk == 1;
    k = along ? threadIdx.x % BK : threadIdx.x / N;
    x = along ? threadIdx.x / BK : threadIdx.x % N;
    dk = along ? 0 : T / N;
    dx = along ? T / BK : 0;
    p = from + uint64_t(x0 + x) * sx + uint64_t(k) * sk;
    step = along ? dx * sx : dk * sk;
    tile = BK * sk;
  }
  // Terms from `terms` on and places from n on are not read; the words there never come into a stored chain.
  __device__ __forceinline__ void read(uint32_t terms, uint32_t n) {
#pragma unroll
    for (int i = 0; i < WORDS; i++) v[i] = x + i * dx < n && k + i * dk < terms ? p[i * step] : 0.0f;
    p += tile;
  }
  template <int W> __device__ __forceinline__ void write(Row<W> *to) const {
#pragma unroll
    for (int i = 0; i < WORDS; i++) to[k + i * dk].v[x + i * dx] = v[i];
  }
};

// One term of TM * TN chains: x[0] = a, y[0] = b; a tangent also has x[1] = da, y[1] = db.
template <bool JVP, int TM, int TN, int WM, int WN>
__device__ __forceinline__ void term(float (&acc)[TM][TN], const Row<WM> (*a)[BK], const Row<WN> (*b)[BK], uint32_t k, uint32_t i0, uint32_t j0) {
  float x[JVP + 1][TM], y[JVP + 1][TN];
#pragma unroll
  for (int s = 0; s <= JVP; s++) {
#pragma unroll
    for (int i = 0; i < TM; i++) x[s][i] = a[s][k].v[i0 + i];
#pragma unroll
    for (int j = 0; j < TN; j++) y[s][j] = b[s][k].v[j0 + j];
  }
#pragma unroll
  for (int i = 0; i < TM; i++)
#pragma unroll
    for (int j = 0; j < TN; j++) {
      if (JVP) acc[i][j] = fma32(x[JVP][i], y[0][j], acc[i][j]);
      acc[i][j] = fma32(x[0][i], y[JVP][j], acc[i][j]);
    }
}

// A block of BM/TM * BN/TN threads makes tiles of BM * BN results, TM * TN a thread. Tiles of a and b of BK terms go through
// shared memory, which holds two: one is multiplied while the next is on its way in registers; all threads meet once a tile.
template <bool JVP, int BM, int BN, int TM, int TN, int UNROLL = JVP ? 1 : 2>
__device__ __forceinline__ void product(const MatMulArgs &p, const View *da, const View *db) {
  constexpr int T = BM / TM * (BN / TN), S = JVP + 1;
  SHARED(Row<BM + 4>, as, [2][S][BK]);
  SHARED_AFTER(as, Row<BN + 4>, bs, [2][S][BK]);
  const uint32_t slot = blockIdx.y, kn = terms(p, slot);
  const uint32_t m0 = blockIdx.x / p.columns * BM, n0 = blockIdx.x % p.columns * BN;
  const uint32_t i0 = threadIdx.x / (BN / TN) * TM, j0 = threadIdx.x % (BN / TN) * TN;
  for (uint32_t e = blockIdx.z; e < p.batch; e += gridDim.z) {
    const float *a[S], *b[S];
    a[0] = floats_of(p.a, slot) + e * p.a_batch;
    b[0] = floats_of(p.b, slot) + e * p.b_batch;
    if (JVP) {
      a[JVP] = floats_of(*da, slot) + e * p.a_batch;
      b[JVP] = floats_of(*db, slot) + e * p.b_batch;
    }
    Load<BM, T> la[S];
    Load<BN, T> lb[S];
    float acc[TM][TN] = {};
    uint32_t *c = slot_of(p.out, slot) + uint64_t(e) * p.m * p.n + uint64_t(m0 + i0) * p.n + n0 + j0;
    auto flush = [&](bool first) {  // a chunk ends: C = acc, or C + acc; C waits in memory
#pragma unroll
      for (int i = 0; i < TM; i++)
#pragma unroll
        for (int j = 0; j < TN; j++) {
          if (m0 + i0 + i < p.m && n0 + j0 + j < p.n) {
            uint32_t *y = c + uint64_t(i) * p.n + j;
            *y = canonical(first ? acc[i][j] : add(float_of(*y), acc[i][j]));
          }
          acc[i][j] = 0.0f;
        }
    };
#pragma unroll
    for (int s = 0; s < S; s++) {
      la[s].begin(a[s], m0, p.a_m, p.a_k);
      lb[s].begin(b[s], n0, p.b_n, p.b_k);
      la[s].read(kn, p.m - m0);
      lb[s].read(kn, p.n - n0);
    }
    for (uint32_t k0 = 0; k0 < kn; k0 += BK) {
      const uint32_t stage = k0 / BK % 2;
#pragma unroll
      for (int s = 0; s < S; s++) {
        la[s].write(as[stage][s]);
        lb[s].write(bs[stage][s]);
      }
      __syncthreads();  // also: nobody reads the other stage any more
      if (k0 + BK < kn)
#pragma unroll
        for (int s = 0; s < S; s++) {
          la[s].read(kn - k0 - BK, p.m - m0);
          lb[s].read(kn - k0 - BK, p.n - n0);
        }
      if (kn - k0 >= BK) {
#pragma unroll UNROLL
        for (uint32_t k = 0; k < BK; k++) term<JVP, TM, TN>(acc, as[stage], bs[stage], k, i0, j0);
      } else {
#pragma unroll 1
        for (uint32_t k = 0; k < kn - k0; k++) term<JVP, TM, TN>(acc, as[stage], bs[stage], k, i0, j0);
      }
      if ((k0 + BK) % CHUNK == 0 || k0 + BK >= kn) flush(k0 < CHUNK);
    }
    if (kn == 0) flush(true);
    __syncthreads();  // the next entry begins with stage 0, which may be read still
  }
}

// One result a thread, straight from memory: for rows, columns and a handful of results.
template <bool JVP> __device__ __forceinline__ void single(const MatMulArgs &p, const View *da, const View *db) {
  const uint32_t slot = blockIdx.y, kn = terms(p, slot), w = blockIdx.x * blockDim.x + threadIdx.x;
  if (w >= p.m * p.n) return;
  const uint64_t at_a = uint64_t(w / p.n) * p.a_m, at_b = uint64_t(w % p.n) * p.b_n;
  for (uint32_t e = blockIdx.z; e < p.batch; e += gridDim.z) {
    const float *__restrict__ a = floats_of(p.a, slot) + e * p.a_batch + at_a;
    const float *__restrict__ b = floats_of(p.b, slot) + e * p.b_batch + at_b;
    const float *__restrict__ ta = JVP ? floats_of(*da, slot) + e * p.a_batch + at_a : a;
    const float *__restrict__ tb = JVP ? floats_of(*db, slot) + e * p.b_batch + at_b : b;
    float c = 0.0f;
    for (uint32_t k0 = 0; k0 < kn; k0 += CHUNK) {
      const uint32_t end = kn - k0 < CHUNK ? kn : k0 + CHUNK;
      float acc = 0.0f;
#pragma unroll 8
      for (uint32_t k = k0; k < end; k++) {
        if (JVP) acc = fma32(ta[uint64_t(k) * p.a_k], b[uint64_t(k) * p.b_k], acc);
        acc = fma32(a[uint64_t(k) * p.a_k], tb[uint64_t(k) * p.b_k], acc);
      }
      c = k0 == 0 ? acc : add(c, acc);
    }
    store(floats_of(p.out, slot) + uint64_t(e) * p.m * p.n + w, c);
  }
}
