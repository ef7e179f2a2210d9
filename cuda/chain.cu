// chain: pointwise ops one after the other over the same words, as a tape: what goes from op to op stays in the block's shared memory, and a
// chain is one launch. graph.Fuse makes chains, gpu/chain.go their tapes. Broadcasts and constants are no ops here: an operand says which of
// its words each word of the chain meets.
//
// Launch: 256 threads; x blocks of 1024 words, four a thread; y is the slot. Shared: 4 KiB for each register of the tape. A thread reads what
// it wrote itself and nothing else of the chain's: nobody waits.
// Roofline: memory, 4 bytes for each operand and result that is no register; each op of four words is some 20 instructions more.
#include "kernel.cuh"
#include "pointwise.cuh"

constexpr int CHAIN_THREADS = 256, CHAIN_EACH_THREAD = 4;

// Which word of its array an operand is for word i.
enum { CHAIN_EACH, CHAIN_ONE, CHAIN_REPEATED, CHAIN_SPREAD, CHAIN_CONSTANT };  // i; 0; i % by; i / by; none: it is by

struct ChainOperand {
  View at;
  uint32_t kind, by;
};

// An op reads registers, numbered from 0, and operands, numbered from CHAIN_REGISTERS; its result goes to either or both.
constexpr uint32_t CHAIN_REGISTERS = 16, CHAIN_OPERANDS = 64, CHAIN_STEPS = 32, CHAIN_NOWHERE = 255;

struct ChainArgs {
  ChainOperand operands[CHAIN_OPERANDS];
  uint32_t steps[CHAIN_STEPS][2];  // op, x, y, z; register, operand for the result: a byte each
  uint64_t words;
  uint32_t n, unused;
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

struct ChainWords { uint32_t w[CHAIN_EACH_THREAD]; };

__device__ __forceinline__ uint32_t *chain_register(uint32_t number) {
  DYN_SHARED(uint32_t, registers);
  return registers + number * CHAIN_EACH_THREAD * CHAIN_THREADS + threadIdx.x;
}

// The words of an operand for words first, first + 256, .. of the chain; 0 beyond its end.
__device__ __forceinline__ ChainWords chain_read(const ChainArgs &a, uint32_t from, uint64_t first) {
  ChainWords x;
  if (from < CHAIN_REGISTERS) {
    const uint32_t *r = chain_register(from);
#pragma unroll
    for (int i = 0; i < CHAIN_EACH_THREAD; i++) x.w[i] = r[i * CHAIN_THREADS];
    return x;
  }
  const ChainOperand &o = a.operands[from - CHAIN_REGISTERS];
  const uint32_t *p = slot_of(o.at, blockIdx.y), kind = o.kind, by = o.by;
#pragma unroll
  for (int i = 0; i < CHAIN_EACH_THREAD; i++) {
    uint64_t at = first + i * CHAIN_THREADS;
    const bool inside = at < a.words;
    x.w[i] = by;
    if (kind == CHAIN_ONE) at = 0;
    if (kind == CHAIN_REPEATED) at = uint32_t(at) % by;
    if (kind == CHAIN_SPREAD) at = uint32_t(at) / by;
    if (kind != CHAIN_CONSTANT) x.w[i] = inside ? p[at] : 0;
  }
  return x;
}

KERNEL(256) chain(const __grid_constant__ ChainArgs a) {
  const uint64_t first = uint64_t(blockIdx.x) * CHAIN_EACH_THREAD * CHAIN_THREADS + threadIdx.x;
#pragma unroll 1
  for (uint32_t s = 0; s < a.n; s++) {
    const uint32_t code = a.steps[s][0], op = code & 255, to = a.steps[s][1] & 255, keep = a.steps[s][1] >> 8;
    const ChainWords xs = chain_read(a, code >> 8 & 255, first);
    ChainWords ys = xs, zs = xs, result = xs;
    if (op >= CHAIN_TWO) ys = chain_read(a, code >> 16 & 255, first);
    if (op == CHAIN_select_words) zs = chain_read(a, code >> 24, first);
    switch (op) {
#define OP(NAME, T, W)                                             \
  case CHAIN_##NAME:                                               \
    _Pragma("unroll") for (int i = 0; i < CHAIN_EACH_THREAD; i++) {  \
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
      uint32_t *r = chain_register(to);
#pragma unroll
      for (int i = 0; i < CHAIN_EACH_THREAD; i++) r[i * CHAIN_THREADS] = result.w[i];
    }
    if (keep != CHAIN_NOWHERE) {
      uint32_t *p = slot_of(a.operands[keep - CHAIN_REGISTERS].at, blockIdx.y);
#pragma unroll
      for (int i = 0; i < CHAIN_EACH_THREAD; i++)
        if (first + i * CHAIN_THREADS < a.words) p[first + i * CHAIN_THREADS] = result.w[i];
    }
  }
}
