// The matrix product, its tangent, and both at once, for the kernels of matmul.cu, matmuljvp.cu and dualmatmul.cu.
#pragma once
#include "kernel.cuh"

struct MatMulArgs {
  View out, a, b, klen, nlen;          // terms, and columns, that are computed, the others being +0; a null base: all
  uint64_t a_batch, b_batch;           // words from one batch entry to the next; 0: all use one
  uint32_t batch, m, n, k;
  uint32_t a_m, a_k, b_k, b_n;         // words from one row, term, column to the next
  uint32_t columns;                    // tiles side by side: blockIdx.x = row of tiles * columns + column of tiles
  uint32_t results, cells, chunks;     // of a block of single
  uint32_t slots, unused;              // of the launch
};

struct MatMulJVPArgs {
  View da, db;  // like a and b
  MatMulArgs p;
};

struct DualMatMulArgs {
  View dout, da, db;
  MatMulArgs p;
};

// The chains of a result: the product's, the tangent's, or both, side by side.
enum Chains { PRODUCT, TANGENT, DUAL };
__device__ constexpr int sides(Chains c) { return c == PRODUCT ? 1 : 2; }   // operands, and their tangents
__device__ constexpr int results(Chains c) { return c == DUAL ? 2 : 1; }

__device__ __forceinline__ uint32_t terms(const MatMulArgs &p, uint32_t slot) {
  const uint32_t klen = p.klen.base ? *slot_of(p.klen, slot) : p.k;
  return klen < p.k ? klen : p.k;
}

__device__ __forceinline__ uint32_t columns(const MatMulArgs &p, uint32_t slot) {
  const uint32_t nlen = p.nlen.base ? *slot_of(p.nlen, slot) : p.n;
  return nlen < p.n ? nlen : p.n;
}

constexpr uint32_t CHUNK = 1024, BK = 16;  // terms of a chain; of a tile, which divides it

// A row of a tile in shared memory, read four words at a time.
template <int N> struct alignas(16) Row { float v[N]; };

// A thread's part of the way of a [BK, N] tile from memory to shared memory: every T-th word, counted along the axis that lies
// densely in memory, so its words are a fixed step apart; or every T-th four words, where the places of a term lie side by side in memory
// and on multiples of 16 bytes. fetch sends for a tile, arrive waits for it.
template <int N, int T> struct Load {
  static constexpr int WORDS = N * int(BK) / T;
  static_assert(T % N == 0 && T % int(BK) == 0 && WORDS > 0, "");
  const float *p;  // the first of the words of the next tile
  bool four;       // words at a time

  // sx, sk: words of memory from one place to the next, from one term to the next.
  __device__ __forceinline__ void begin(const float *from, uint32_t x0, uint32_t sx, uint32_t sk) {
    four = false;
#ifndef TILES_BY_REGISTERS
    four = WORDS % 4 == 0 && sk != 1 && sx == 1 && sk % 4 == 0 && reinterpret_cast<uint64_t>(from) % 16 == 0;
#endif
    p = from + uint64_t(x0 + x(sk)) * sx + uint64_t(k(sk)) * sk;
  }
  // Where the thread's first word lies in the tile: not kept, as the multiplications need the registers.
  __device__ __forceinline__ uint32_t k(uint32_t sk) const { return sk == 1 ? threadIdx.x % BK : threadIdx.x / (four ? N / 4 : N); }
  __device__ __forceinline__ uint32_t x(uint32_t sk) const { return sk == 1 ? threadIdx.x / BK : four ? threadIdx.x % (N / 4) * 4 : threadIdx.x % N; }

  // Terms from `terms` on and places from n on are not read; the words there never come into a stored chain. The words from one to the next
  // of a tile, and to the next tile, are fewer than 2^31 where one is read.
  template <int W> __device__ __forceinline__ void fetch(Row<W> *to, uint32_t terms, uint32_t n, uint32_t sx, uint32_t sk) {
    const bool along = sk == 1;
    const uint32_t dk = along ? 0 : T / N, dx = along ? T / BK : 0, step = along ? dx * sx : dk * sk, k = this->k(sk), x = this->x(sk);
#ifdef TILES_BY_REGISTERS
    (void)to;
#pragma unroll
    for (int i = 0; i < WORDS; i++) v[i] = x + i * dx < n && k + i * dk < terms ? p[i * step] : 0.0f;
#else
    if (four) {  // n is a multiple of 4, as sk is
      constexpr uint32_t d = WORDS % 4 == 0 ? T / (N / 4) : 1;
#pragma unroll
      for (int i = 0; i < WORDS / 4; i++) cp_async16(to[k + i * d].v + x, p + i * d * sk, x < n && k + i * d < terms);
    } else {
#pragma unroll
      for (int i = 0; i < WORDS; i++) cp_async4(to[k + i * dk].v + x + i * dx, p + i * step, x + i * dx < n && k + i * dk < terms);
    }
#endif
    p += BK * sk;
  }
#ifdef TILES_BY_REGISTERS
  float v[WORDS];
  template <int W> __device__ __forceinline__ void arrive(Row<W> *to, uint32_t sk) const {
    const uint32_t dk = sk == 1 ? 0 : T / N, dx = sk == 1 ? T / BK : 0, k = this->k(sk), x = this->x(sk);
#pragma unroll
    for (int i = 0; i < WORDS; i++) to[k + i * dk].v[x + i * dx] = v[i];
  }
#else
  template <int W> __device__ __forceinline__ void arrive(Row<W> *, uint32_t) const { cp_async_wait<0>(); }
#endif
};

// The places of a thread along an axis of a tile of B of them, of which it has T: runs of four, or of all if it has fewer, that lie B / T
// threads' runs apart. So the threads side by side read neighbours from shared memory, 16 bytes each, and no bank twice.
template <int B, int T> struct Places {
  static constexpr int RUN = T < 4 ? T : 4;
  static __device__ __forceinline__ uint32_t first(uint32_t thread) { return thread * RUN; }
  static __device__ __forceinline__ uint32_t at(int i) { return uint32_t(i % RUN + i / RUN * (B / T * RUN)); }
};

// One term of TM * TN results: x[0] = a, y[0] = b; a tangent also has x[1] = da, y[1] = db. The last chain is the tangent's, if there is one.
template <Chains C, int BM, int BN, int TM, int TN, int WM, int WN>
__device__ __forceinline__ void term(float (&acc)[results(C)][TM][TN], const Row<WM> (*a)[BK], const Row<WN> (*b)[BK], uint32_t k, uint32_t i0, uint32_t j0) {
  constexpr int S = sides(C), D = S - 1, LAST = results(C) - 1;
  float x[S][TM], y[S][TN];
#pragma unroll
  for (int s = 0; s < S; s++) {
#pragma unroll
    for (int i = 0; i < TM; i++) x[s][i] = a[s][k].v[i0 + Places<BM, TM>::at(i)];
#pragma unroll
    for (int j = 0; j < TN; j++) y[s][j] = b[s][k].v[j0 + Places<BN, TN>::at(j)];
  }
#pragma unroll
  for (int i = 0; i < TM; i++)
#pragma unroll
    for (int j = 0; j < TN; j++) {
      if (C != TANGENT) acc[0][i][j] = fma32(x[0][i], y[0][j], acc[0][i][j]);
      if (C == PRODUCT) continue;
      acc[LAST][i][j] = fma32(x[D][i], y[0][j], acc[LAST][i][j]);
      acc[LAST][i][j] = fma32(x[0][i], y[D][j], acc[LAST][i][j]);
    }
}

// What was sent for belongs together.
__device__ __forceinline__ void fetched() {
#ifndef TILES_BY_REGISTERS
  cp_async_commit();
#endif
}

// A block of BM/TM * BN/TN threads makes tiles of BM * BN results, TM * TN a thread. Tiles of a and b of BK terms go through
// shared memory, which holds two: one is multiplied while the next is on its way (cp.async); all threads meet once a tile. Where the operands
// may lie in shared memory themselves (resident.cu), the next one is on its way in registers.
template <Chains C, int BM, int BN, int TM, int TN, int UNROLL = C == PRODUCT ? 2 : 1>
__device__ __forceinline__ void product(const MatMulArgs &p, const View *da = nullptr, const View *db = nullptr, const View *dout = nullptr) {
  constexpr int T = BM / TM * (BN / TN), S = sides(C), D = S - 1, R = results(C);
  SHARED(Row<BM + 4>, as, [2][S][BK]);
  SHARED_AFTER(as, Row<BN + 4>, bs, [2][S][BK]);
  const uint32_t m0 = blockIdx.x / p.columns * BM, n0 = blockIdx.x % p.columns * BN;
  const uint32_t slot = blockIdx.y, kn = n0 < columns(p, slot) ? terms(p, slot) : 0;
  const uint32_t i0 = Places<BM, TM>::first(threadIdx.x / (BN / TN)), j0 = Places<BN, TN>::first(threadIdx.x % (BN / TN));
  for (uint32_t e = blockIdx.z; e < p.batch; e += gridDim.z) {
    const float *a[S], *b[S];
    a[0] = floats_of(p.a, slot) + e * p.a_batch;
    b[0] = floats_of(p.b, slot) + e * p.b_batch;
    if (C != PRODUCT) {
      a[D] = floats_of(*da, slot) + e * p.a_batch;
      b[D] = floats_of(*db, slot) + e * p.b_batch;
    }
    Load<BM, T> la[S];
    Load<BN, T> lb[S];
    float acc[R][TM][TN] = {};
    auto flush = [&](bool first) {  // a chunk ends: C = acc, or C + acc; C waits in memory
      // All of this is found anew, so that none of it takes registers in between.
      const uint32_t t = anew(threadIdx.x), block = anew(blockIdx.x), nn = columns(p, slot);
      const uint32_t ci = block / p.columns * BM + Places<BM, TM>::first(t / (BN / TN)), cj = block % p.columns * BN + Places<BN, TN>::first(t % (BN / TN));
#pragma unroll
      for (int r = 0; r < R; r++) {
        uint32_t *c = slot_of(r == 0 ? p.out : *dout, slot) + uint64_t(e) * p.m * p.n + uint64_t(ci) * p.n + cj;
#pragma unroll
        for (int i = 0; i < TM; i++) {
          one_after_the_other();
#pragma unroll
          for (int j = 0; j < TN; j++) {
            const uint32_t di = Places<BM, TM>::at(i), dj = Places<BN, TN>::at(j);
            if (ci + di < p.m && cj + dj < p.n) {
              uint32_t *y = c + uint64_t(di) * p.n + dj;
              *y = cj + dj < nn ? canonical(first ? acc[r][i][j] : add(float_of(*y), acc[r][i][j])) : 0;
            }
            acc[r][i][j] = 0.0f;
          }
        }
      }
    };
#pragma unroll
    for (int s = 0; s < S; s++) {
      la[s].begin(a[s], m0, p.a_m, p.a_k);
      lb[s].begin(b[s], n0, p.b_n, p.b_k);
      la[s].fetch(as[0][s], kn, p.m - m0, p.a_m, p.a_k);
      lb[s].fetch(bs[0][s], kn, p.n - n0, p.b_n, p.b_k);
    }
    fetched();
    for (uint32_t k0 = 0; k0 < kn; k0 += BK) {
      const uint32_t stage = k0 / BK % 2;
#pragma unroll
      for (int s = 0; s < S; s++) {
        la[s].arrive(as[stage][s], p.a_k);
        lb[s].arrive(bs[stage][s], p.b_k);
      }
      __syncthreads();  // also: nobody reads the other stage any more
      if (k0 + BK < kn) {
#pragma unroll
        for (int s = 0; s < S; s++) {
          la[s].fetch(as[1 - stage][s], kn - k0 - BK, p.m - m0, p.a_m, p.a_k);
          lb[s].fetch(bs[1 - stage][s], kn - k0 - BK, p.n - n0, p.b_n, p.b_k);
        }
        fetched();
      }
      if (kn - k0 >= BK) {
#pragma unroll UNROLL
        for (uint32_t k = 0; k < BK; k++) term<C, BM, BN>(acc, as[stage], bs[stage], k, i0, j0);
      } else {
#pragma unroll 1
        for (uint32_t k = 0; k < kn - k0; k++) term<C, BM, BN>(acc, as[stage], bs[stage], k, i0, j0);
      }
      if ((k0 + BK) % CHUNK == 0 || k0 + BK >= kn) flush(k0 < CHUNK);
    }
    if (kn == 0) flush(true);
    __syncthreads();  // the next entry begins with stage 0, which may be read still
  }
}

// A result for each thread or for several, straight from memory: for rows, columns and a handful of results. A block makes p.results results
// of each of p.cells slots. Of long chains p.chunks threads do a chunk each at a time, and the first of them adds the chunks in their order.
template <Chains C>
__device__ __forceinline__ void single(const MatMulArgs &p, const View *da = nullptr, const View *db = nullptr, const View *dout = nullptr) {
  constexpr int R = results(C), LAST = R - 1;
  constexpr uint32_t GROUP = C == PRODUCT ? 8 : 4;
  SHARED(float, part, [R][256]);
  const uint32_t side = p.results * p.cells, place = threadIdx.x % side, chunk = threadIdx.x / side;
  const uint32_t s = blockIdx.y * p.cells + place / p.results, w = blockIdx.x * p.results + place % p.results;
  const bool mine = s < p.slots && w < p.m * p.n && chunk < p.chunks;
  const uint32_t slot = mine ? s : blockIdx.y * p.cells, kn = mine && w % p.n < columns(p, slot) ? terms(p, slot) : 0;
  const uint64_t at_a = uint64_t(w / p.n) * p.a_m, at_b = uint64_t(w % p.n) * p.b_n;
  for (uint32_t e = blockIdx.z; e < p.batch; e += gridDim.z) {
    const uint64_t from_a = e * p.a_batch + at_a, from_b = e * p.b_batch + at_b;
    float c[R] = {};
    for (uint32_t round = 0; round < p.k; round += p.chunks * CHUNK) {
      const uint32_t begin = round + chunk * CHUNK, end = min(kn, begin + CHUNK);
      const float *a = floats_of(p.a, slot) + from_a + uint64_t(begin) * p.a_k, *b = floats_of(p.b, slot) + from_b + uint64_t(begin) * p.b_k;
      const float *ta = C == PRODUCT ? a : floats_of(*da, slot) + from_a + uint64_t(begin) * p.a_k;
      const float *tb = C == PRODUCT ? b : floats_of(*db, slot) + from_b + uint64_t(begin) * p.b_k;
      float acc[R] = {};
      auto term = [&](uint32_t i) {
        if (C != TANGENT) acc[0] = fma32(a[i * p.a_k], b[i * p.b_k], acc[0]);
        if (C == PRODUCT) return;
        acc[LAST] = fma32(ta[i * p.a_k], b[i * p.b_k], acc[LAST]);
        acc[LAST] = fma32(a[i * p.a_k], tb[i * p.b_k], acc[LAST]);
      };
      auto next = [&](uint32_t n) {
        a += uint64_t(n) * p.a_k;
        b += uint64_t(n) * p.b_k;
        if (C != PRODUCT) ta += uint64_t(n) * p.a_k, tb += uint64_t(n) * p.b_k;
      };
      uint32_t left = max(begin, end) - begin;
#pragma unroll 1
      for (; left > GROUP - 1; left -= GROUP, next(GROUP))
#pragma unroll
        for (uint32_t i = 0; i < GROUP; i++) term(i);
#pragma unroll 1
      for (; left > 0; left--, next(1)) term(0);
      if (p.chunks == 1) {  // of no more terms
#pragma unroll
        for (int r = 0; r < R; r++) c[r] = acc[r];
        break;
      }
#pragma unroll
      for (int r = 0; r < R; r++) part[r][threadIdx.x] = acc[r];
      __syncthreads();
      const uint32_t made = chunk == 0 ? min(p.chunks, (max(kn, round) - round + CHUNK - 1) / CHUNK) : 0;
#pragma unroll 1
      for (uint32_t i = 0; i < made; i++)
#pragma unroll
        for (int r = 0; r < R; r++) {
          const float chain = part[r][place + i * side];
          c[r] = round + i == 0 ? chain : add(c[r], chain);
        }
      __syncthreads();
    }
    if (!mine || chunk != 0) continue;
#pragma unroll
    for (int r = 0; r < R; r++) store(floats_of(r == 0 ? p.out : *dout, slot) + uint64_t(e) * p.m * p.n + w, c[r]);
  }
}
