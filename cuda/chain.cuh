// The interpreter of chains: of `chain`, and of an instruction of `resident`.
#pragma once
#include "kernel.cuh"
#include "pointwise.cuh"

constexpr uint32_t CHAIN_THREADS = 256;

// Which word of its array an operand is for word i.
enum { CHAIN_EACH, CHAIN_ONE, CHAIN_REPEATED, CHAIN_SPREAD, CHAIN_CONSTANT };  // i; 0; i % by; i / by; none: it is by

// An op reads registers, numbered from 0, and operands, numbered from CHAIN_REGISTERS; its result goes to either or both.
constexpr uint32_t CHAIN_REGISTERS = 16, CHAIN_OPERANDS = 64, CHAIN_STEPS = 32, CHAIN_NOWHERE = 255;

struct ChainKind { uint32_t kind, by; };
struct ChainStep { uint32_t read, write; };  // op, x, y, z; register, operand for the result: a byte each
struct ChainSize { uint64_t words; uint32_t steps, operands; };

// Where a chain's argument lies.
struct Chain {
  ChainSize size;
  const View *at;  // of operands
  const ChainKind *kinds;
  const ChainStep *steps;
};

// The numbers of the ops: gpu/chain.go has them in the same order (a test compares).
enum ChainOp {
  CHAIN_copy,
#define NUMBER(NAME, T, W) CHAIN_##NAME,
  POINTWISE_UNARY(NUMBER) POINTWISE_CAST(NUMBER)
  CHAIN_TWO,  // from here on there is an operand y
  CHAIN_TWO_BEFORE = CHAIN_TWO - 1,
  POINTWISE_BINARY(NUMBER) POINTWISE_COMPARE(NUMBER) POINTWISE_SELECT(NUMBER)
#undef NUMBER
};

// A thread's words of a block: so many, CHAIN_THREADS apart.
template <int EACH> struct ChainWords { uint32_t w[EACH]; };

// The thread's first word of a register.
template <int EACH> __device__ __forceinline__ uint32_t *chain_register(uint32_t *registers, uint32_t number) {
  return registers + number * EACH * CHAIN_THREADS + threadIdx.x;
}

// The words of an operand for words first, first + 256, .. of the chain; 0 beyond its end.
template <int EACH> __device__ __forceinline__ ChainWords<EACH> chain_read(const Chain &c, uint32_t *registers, uint32_t from, uint64_t first) {
  ChainWords<EACH> x;
  if (from < CHAIN_REGISTERS) {
    const uint32_t *r = chain_register<EACH>(registers, from);
#pragma unroll
    for (uint32_t i = 0; i < EACH; i++) x.w[i] = r[i * CHAIN_THREADS];
    return x;
  }
  const ChainKind k = c.kinds[from - CHAIN_REGISTERS];
  const uint32_t *p = slot_of(c.at[from - CHAIN_REGISTERS], blockIdx.y);
#pragma unroll
  for (uint32_t i = 0; i < EACH; i++) {
    uint64_t at = first + i * CHAIN_THREADS;
    const bool inside = at < c.size.words;
    x.w[i] = k.by;
    if (k.kind == CHAIN_ONE) at = 0;
    if (k.kind == CHAIN_REPEATED) at = uint32_t(at) % k.by;
    if (k.kind == CHAIN_SPREAD) at = uint32_t(at) / k.by;
    if (k.kind != CHAIN_CONSTANT) x.w[i] = inside ? p[at] : 0;
  }
  return x;
}

// A block's part of a chain: EACH * 256 words. registers is room for as many words for each register of the tape.
template <int EACH> __device__ __forceinline__ void chain_part(const Chain &c, uint32_t *registers) {
  const uint64_t first = uint64_t(blockIdx.x) * EACH * CHAIN_THREADS + threadIdx.x;
#pragma unroll 1
  for (uint32_t s = 0; s < c.size.steps; s++) {
    const ChainStep step = c.steps[s];
    const uint32_t op = step.read & 255, to = step.write & 255, keep = step.write >> 8;
    const ChainWords<EACH> xs = chain_read<EACH>(c, registers, step.read >> 8 & 255, first);
    ChainWords<EACH> ys = xs, zs = xs, result = xs;
    if (op >= CHAIN_TWO) ys = chain_read<EACH>(c, registers, step.read >> 16 & 255, first);
    if (op == CHAIN_select_words) zs = chain_read<EACH>(c, registers, step.read >> 24, first);
    switch (op) {
#define OP(NAME, T, W)                                             \
  case CHAIN_##NAME:                                               \
    _Pragma("unroll") for (int i = 0; i < EACH; i++) {             \
      const T x = word_as<T>(xs.w[i]), y = word_as<T>(ys.w[i]), z = word_as<T>(zs.w[i]);  \
      (void)x, (void)y, (void)z;                                   \
      result.w[i] = W;                                             \
    }                                                              \
    break;
      POINTWISE_UNARY(OP) POINTWISE_CAST(OP) POINTWISE_BINARY(OP) POINTWISE_COMPARE(OP) POINTWISE_SELECT(OP)
#undef OP
      default: break;  // copy
    }
    if (to != CHAIN_NOWHERE) {
      uint32_t *r = chain_register<EACH>(registers, to);
#pragma unroll
      for (uint32_t i = 0; i < EACH; i++) r[i * CHAIN_THREADS] = result.w[i];
    }
    if (keep != CHAIN_NOWHERE) {
      uint32_t *p = slot_of(c.at[keep - CHAIN_REGISTERS], blockIdx.y);
#pragma unroll
      for (uint32_t i = 0; i < EACH; i++)
        if (first + i * CHAIN_THREADS < c.size.words) p[first + i * CHAIN_THREADS] = result.w[i];
    }
  }
}
