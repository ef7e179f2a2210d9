// The product of activations with a ternary matrix, op/ternarymm.go, in two launches: the rows of x as integers q with one scale
// each, then exact 64-bit sums of +-q, in any order, and the scaling of the result.
//
// ternary_rows_f32, ternary_rows_i8: a block for each row of x, x = rows, y = slot; 32 to 1024 threads. Shared: 128 bytes; all
// wait once. Memory-bound: reads 4 bytes twice (the second time from L2), writes 4.
//
// ternary_down: W [k, n], the sum runs down the columns. A thread makes 4 neighbouring results of ROWS rows of x: at most 256 threads,
// the launcher takes 128, x = blocks of 4 results a thread, z strides over groups of ROWS rows, y = slot. Shared: q of 256 terms, all wait for each 256 terms.
// Bound by integer operations: 10 for each code and row; reads k n / 4 bytes of codes for each group of rows.
//
// ternary_along: W [n, k], the sum runs along a row. A block makes 4 results of one row of x, x = n / 4, z strides over rows, y =
// slot; 32 to 256 threads, each warp takes every so many pieces of 512 codes; q is stored so that lane l's codes of a piece lie at
// l, l + 32, ..: all reads are dense. Shared: 256 bytes; all wait once a row. Bound by integer operations, as above.
#include "kernel.cuh"
#include "warp.cuh"

constexpr uint32_t TERMS = 1, RESULTS = 2;  // what klen ends: the sums, or the results that are not +0

struct TernaryMMArgs {
  View out, x, w, klen, scratch;  // scratch: q [m, q_row], then a word for each row, the bits of its largest magnitude
  uint64_t q_row;
  uint32_t m, k, n, w_row;        // w_row: words of a row of W
  uint32_t ragged, along;         // ragged: TERMS, RESULTS, or 0 without klen; along: q in the order of ternary_along
  uint32_t integer, unused;       // x is i8, and the results are int32
};

__device__ __forceinline__ uint32_t limit(const TernaryMMArgs &a, uint32_t what, uint32_t full) {
  if (a.ragged != what) return full;
  const uint32_t klen = *slot_of(a.klen, blockIdx.y);
  return klen < full ? klen : full;
}

// Where q of term l lies in its row.
__device__ __forceinline__ uint32_t q_at(const TernaryMMArgs &a, uint32_t l) {
  return a.along ? l / 512 * 512 + l % 16 * 32 + l / 16 % 32 : l;
}

// The exponent of a row's scale: E = max(-126, floor(log2 max|x|)), from the bits of the largest magnitude.
__device__ __forceinline__ int32_t exponent(uint32_t largest) {
  const int32_t field = int32_t(largest >> 23);
  return (field > 1 ? field : 1) - 127;
}

KERNEL(1024) ternary_rows_f32(const TernaryMMArgs a) {
  SHARED(uint32_t, part, [32]);
  const uint32_t row = blockIdx.x, t = threadIdx.x, threads = blockDim.x, kn = limit(a, TERMS, a.k);
  const uint32_t *x = slot_of(a.x, blockIdx.y) + uint64_t(row) * a.k;
  uint32_t *scratch = slot_of(a.scratch, blockIdx.y), *q = scratch + row * a.q_row;
  uint32_t largest = 0;
  for (uint32_t l = t; l < kn; l += threads) {
    const uint32_t b = x[l] & 0x7fffffffu;
    largest = b > largest ? b : largest;
  }
  largest = max_lanes(largest);
  if (t % 32 == 0) part[t / 32] = largest;
  __syncthreads();
  largest = max_lanes(t % 32 < threads / 32 ? part[t % 32] : 0u);
  if (t == 0) scratch[a.m * a.q_row + row] = largest;
  const bool none = largest == 0 || largest >= 0x7f800000u;
  const int32_t shift = 29 - exponent(largest);
  for (uint32_t l = t; l < a.q_row; l += threads)
    q[q_at(a, l)] = l < kn && !none ? uint32_t(nearest(float_of(x[l]), shift)) : 0u;
}

KERNEL(1024) ternary_rows_i8(const TernaryMMArgs a) {
  const uint32_t row = blockIdx.x, kn = limit(a, TERMS, a.k);
  const uint32_t *x = slot_of(a.x, blockIdx.y);
  uint32_t *q = slot_of(a.scratch, blockIdx.y) + row * a.q_row;
  for (uint32_t l = threadIdx.x; l < a.q_row; l += blockDim.x) {
    const uint64_t i = uint64_t(row) * a.k + l;
    q[q_at(a, l)] = l < kn ? uint32_t(int32_t(int8_t(x[i / 4] >> (8 * (i % 4))))) : 0u;
  }
}

// sum + q times the code: 1 is +1, 3 is -1, 0 and 2 are 0.
__device__ __forceinline__ int64_t add_code(int64_t sum, int32_t q, uint32_t code) {
  const int32_t sign = -int32_t(code >> 1 & 1), some = -int32_t(code & 1);
  return sum + (((q ^ sign) - sign) & some);
}

__device__ __forceinline__ uint32_t result(const TernaryMMArgs &a, uint32_t row, int64_t sum) {
  if (a.integer) return uint32_t(sum);
  const uint32_t largest = slot_of(a.scratch, blockIdx.y)[a.m * a.q_row + row];
  if (largest >= 0x7f800000u) return NAN_BITS;
  if (largest == 0) return 0;
  const int32_t e = exponent(largest) - 29, half = e >> 1;  // two steps, of which the first is exact: 1 <= |sum| < 2^62
  return bits_of(mul(mul(static_cast<float>(sum), pow2(half)), pow2(e - half)));
}

template <int ROWS> __device__ __forceinline__ void down(const TernaryMMArgs &a) {
  SHARED(int32_t, q, [256][ROWS]);
  const uint32_t kn = limit(a, TERMS, a.k), nn = limit(a, RESULTS, a.n);
  const uint32_t j = (blockIdx.x * blockDim.x + threadIdx.x) * 4;  // the first result; its codes are a quarter of a word or a half
  const uint32_t *w = slot_of(a.w, blockIdx.y) + j / 16, shift = j % 16 * 2;
  for (uint32_t i0 = blockIdx.z * ROWS; i0 < a.m; i0 += gridDim.z * ROWS) {
    int64_t sum[ROWS][4] = {};
    if (blockIdx.x * blockDim.x * 4 < nn)  // the same for the whole block
      for (uint32_t l0 = 0; l0 < kn; l0 += 256) {
        const uint32_t terms = kn - l0 < 256 ? kn - l0 : 256;
        __syncthreads();
        for (uint32_t i = 0; i < ROWS; i++)
          for (uint32_t l = threadIdx.x; l < terms; l += blockDim.x)
            q[l][i] = i0 + i < a.m ? int32_t(slot_of(a.scratch, blockIdx.y)[(i0 + i) * a.q_row + l0 + l]) : 0;
        __syncthreads();
        if (j >= nn) continue;
#pragma unroll 4
        for (uint32_t l = 0; l < terms; l++) {
          const uint32_t codes = w[uint64_t(l0 + l) * a.w_row] >> shift;
#pragma unroll
          for (uint32_t i = 0; i < ROWS; i++)
#pragma unroll
            for (uint32_t c = 0; c < 4; c++) sum[i][c] = add_code(sum[i][c], q[l][i], codes >> (2 * c));
        }
      }
#pragma unroll
    for (uint32_t i = 0; i < ROWS; i++)
#pragma unroll
      for (uint32_t c = 0; c < 4; c++)
        if (i0 + i < a.m && j + c < a.n)
          slot_of(a.out, blockIdx.y)[uint64_t(i0 + i) * a.n + j + c] = j + c < nn ? result(a, i0 + i, sum[i][c]) : 0u;
  }
}

KERNEL(256) ternary_down_1(const TernaryMMArgs a) { down<1>(a); }
KERNEL(256) ternary_down_4(const TernaryMMArgs a) { down<4>(a); }

KERNEL(256) ternary_along(const TernaryMMArgs a) {
  SHARED(long long, part, [8][4]);
  const uint32_t kn = limit(a, TERMS, a.k), nn = limit(a, RESULTS, a.n);
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32, j0 = blockIdx.x * 4;
  const uint32_t *w = slot_of(a.w, blockIdx.y);
  for (uint32_t i = blockIdx.z; i < a.m; i += gridDim.z) {
    const uint32_t *q = slot_of(a.scratch, blockIdx.y) + i * a.q_row;
    long long sum[4] = {};
    if (j0 < nn)  // the same for the whole block
      for (uint32_t piece = warp; piece < (kn + 511) / 512; piece += warps) {
        const uint32_t word = piece * 32 + lane;
        uint32_t codes[4];
#pragma unroll
        for (uint32_t j = 0; j < 4; j++) codes[j] = word < a.w_row && j0 + j < nn ? w[uint64_t(j0 + j) * a.w_row + word] : 0u;
#pragma unroll
        for (uint32_t c = 0; c < 16; c++) {
          const int32_t v = int32_t(q[piece * 512 + c * 32 + lane]);
#pragma unroll
          for (uint32_t j = 0; j < 4; j++) sum[j] = add_code(sum[j], v, codes[j] >> (2 * c));
        }
      }
#pragma unroll
    for (uint32_t j = 0; j < 4; j++) {
      sum[j] = add_lanes(sum[j]);
      if (lane == 0) part[warp][j] = sum[j];
    }
    __syncthreads();
    if (threadIdx.x < 4 && j0 + threadIdx.x < a.n) {
      const uint32_t j = threadIdx.x;
      long long total = 0;
      for (uint32_t v = 0; v < warps; v++) total += part[v][j];
      slot_of(a.out, blockIdx.y)[uint64_t(i) * a.n + j0 + j] = j0 + j < nn ? result(a, i, total) : 0u;
    }
    __syncthreads();  // before the next row's parts
  }
}
