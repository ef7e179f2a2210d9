// Rows along the last axis, one a warp, all of whose threads take part: what softmax, xent, layernorm and the duals of these share.
#pragma once
#include "warp.cuh"

// One term of each of N sums, or the sums.
template <int N> struct Terms { float v[N]; };

// N sums over a row of n elements in the order of Sum's law, op/sum.go; every thread gets them. Thread l asks f for the terms of elements l, l+32, ..
// ascending, so it may use f to write what it alone reads later. The sums of the segments are one segment: n is at most 2^20.
template <int N, class F> __device__ __forceinline__ Terms<N> sum_terms(uint32_t n, F f) {
  const uint32_t lane = threadIdx.x % LANES;
  Terms<N> all = {};
  for (uint32_t first = 0; first < n; first += SEGMENT) {
    const uint32_t end = n - first < SEGMENT ? n : first + SEGMENT;
    Terms<N> segment = {};
    for (uint32_t i = first + lane; i < end; i += LANES) {
      const Terms<N> t = f(i);
#pragma unroll
      for (int s = 0; s < N; s++) segment.v[s] = add(segment.v[s], t.v[s]);
    }
#pragma unroll
    for (int s = 0; s < N; s++) segment.v[s] = sum_lanes(segment.v[s]);
    if (n == end - first) return segment;  // the only one
    const bool mine = first / SEGMENT % LANES == lane;
#pragma unroll
    for (int s = 0; s < N; s++) all.v[s] = mine ? add(all.v[s], segment.v[s]) : all.v[s];
  }
#pragma unroll
  for (int s = 0; s < N; s++) all.v[s] = sum_lanes(all.v[s]);
  return all;
}

// One sum.
template <class F> __device__ __forceinline__ float sum_row(uint32_t n, F f) {
  return sum_terms<1>(n, [&](uint32_t i) { return Terms<1>{{f(i)}}; }).v[0];
}

// One mean, as op/sum.go has it.
template <class F> __device__ __forceinline__ float mean_row(uint32_t n, F f) { return quo(sum_row(n, f), float(n)); }
