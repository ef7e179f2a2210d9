// gather: rows of a table; scatteradd: rows added into a table. An index beyond the table is dropped.
//
// gather. Launch: see elementwise.cuh. Memory-bound: 8 bytes a word.
//
// scatteradd. Rows in chunks of 1024: t_r[v] = +0, then + the rows i of chunk r with index[i] = v, ascending; out = t_0, then
// + t_r. Launch: 256 threads, x blocks of 256 words of the result, a thread for each word, y the slot. Shared: the indices of a
// chunk, 4 KiB; all wait for them twice a chunk. Every thread looks at every index: N * row * b comparisons, from shared memory
// without conflicts; the rows are read once.
#include "elementwise.cuh"

struct GatherArgs {
  View out, table, index;
  uint32_t words, row, n, unused;  // the table is [n, row]
};

KERNEL(256) gather(const GatherArgs a) {
  const uint32_t *table = slot_of(a.table, blockIdx.y), *index = slot_of(a.index, blockIdx.y);
  each_word(a.words, slot_of(a.out, blockIdx.y), [&](uint64_t word) {
    const uint32_t i = uint32_t(word), r = i / a.row, k = index[r];
    return k < a.n ? table[uint64_t(k) * a.row + (i - r * a.row)] : 0u;
  });
}

struct ScatterAddArgs {
  View out, index, rows;
  uint32_t words, row, b, unused;  // the rows are [b, row]
};

KERNEL(256) scatteradd(const ScatterAddArgs a) {
  SHARED(uint32_t, index, [1024]);
  const uint32_t *from = slot_of(a.index, blockIdx.y);
  const float *rows = floats_of(a.rows, blockIdx.y);
  const uint32_t i = blockIdx.x * 256 + threadIdx.x, v = i / a.row, j = i - v * a.row;
  float sum = 0.0f;
  for (uint32_t first = 0; first < a.b; first += 1024) {
    const uint32_t n = a.b - first < 1024 ? a.b - first : 1024;
    __syncthreads();
    for (uint32_t k = threadIdx.x; k < n; k += 256) index[k] = from[first + k];
    __syncthreads();
    if (i >= a.words) continue;
    float t = 0.0f;
    for (uint32_t k = 0; k < n; k++)
      if (index[k] == v) t = add(t, rows[uint64_t(first + k) * a.row + j]);
    sum = first == 0 ? t : add(sum, t);
  }
  if (i < a.words) store(floats_of(a.out, blockIdx.y) + i, sum);
}
