// resident: a block for each cell runs a program by itself, many steps a launch. What the cell keeps and makes lies in the block's shared
// memory as far as it fits (gpu/resident.go says what does not), so a step costs no launch, and little traffic. For cells that are too large for
// one block it is a cluster of blocks (sm_90): each does a part of every instruction, and keeps a part of the values, which all see.
//
// A program is a list of instructions: the launches of the executor `stream`, each a kernel of the other files, so many blocks of it, and
// its argument. This file includes those kernels as functions: KERNEL declares one, the block's index is that of the launch which the
// function stands for, and its shared memory is a place of ours. What a program does to a cell is so the same text, and has the same bits.
//
// Launch: x is the cell, or the blocks of its cluster side by side; 256 threads. Shared: see the constants below; the host gives what the program
// needs, at most 200 KiB. All wait after each instruction, and in kernels with shared memory after each block that they stand for, where these do not do so themselves (matmul_1x1).
// Roofline: that of the instructions on one multiprocessor; a multiply-add reads its operands from shared memory by way of tiles there.
#include "functions.cuh"
#include "kernel.cuh"
#include "layernorm.cuh"
#include "pointwise.cuh"
#include "softmax.cuh"
#include "warp.cuh"

struct ResidentArgs {
  const uint32_t *code;           // instructions: what comes before the steps, a step, what comes after them
  uint32_t words, begin, end;     // of the code; where a step begins and ends
  uint32_t steps, values;         // values: byte of the shared memory from which on values lie
  uint32_t unused;
};

// Shared memory, in bytes: for each thread the index of the block that it stands for; room for one kernel's own; the code; then values.
constexpr uint32_t RESIDENT_THREADS = 256, RESIDENT_WORK = 4 * RESIDENT_THREADS, RESIDENT_CODE = RESIDENT_WORK + (33 << 10);

// An address in an argument with this bit is a byte of the values, the low word, of the block of the rank that the high word is.
constexpr uint64_t RESIDENT_VALUE = uint64_t(1) << 63;

// An instruction is four words and its argument, which begins with so many views.
enum { RESIDENT_KERNEL, RESIDENT_BLOCKS, RESIDENT_WORDS, RESIDENT_VIEWS, RESIDENT_ARGUMENT };

__device__ __forceinline__ unsigned char *resident_arena() {
  DYN_SHARED(unsigned char, arena);
  return arena;
}

// Where the running thread is in the launch that it stands for: x is its own, y the cell; the grid has one z, and kernels stride over it.
struct ResidentIndex { uint32_t x, y, z; };
__device__ __forceinline__ ResidentIndex resident_index() {
  return ResidentIndex{reinterpret_cast<const uint32_t *>(resident_arena())[threadIdx.x], cluster_index(), 0};
}
__device__ __forceinline__ ResidentIndex resident_block() { return ResidentIndex{RESIDENT_THREADS, 1, 1}; }
__device__ __forceinline__ ResidentIndex resident_grid() { return ResidentIndex{1, 1, 1}; }

// A kernel's own shared memory, behind the first so many bytes of it.
template <class T, uint32_t BEFORE = 0> __device__ __forceinline__ T &resident_work() {
  static_assert(BEFORE % alignof(T) == 0 && BEFORE + sizeof(T) <= RESIDENT_CODE - RESIDENT_WORK, "");
  return *reinterpret_cast<T *>(resident_arena() + RESIDENT_WORK + BEFORE);
}

// The argument of a kernel.
template <class F> struct ResidentArgument;
template <class A> struct ResidentArgument<void(A)> { typedef A type; };

#pragma push_macro("KERNEL")
#pragma push_macro("SHARED")
#pragma push_macro("SHARED_AFTER")
#pragma push_macro("blockIdx")
#pragma push_macro("blockDim")
#pragma push_macro("gridDim")
#undef KERNEL
#undef SHARED
#undef SHARED_AFTER
#undef blockIdx
#undef blockDim
#undef gridDim
#define KERNEL(...) static __device__ __forceinline__ void
#define SHARED(T, name, dims)              \
  typedef T resident_type_of_##name dims;  \
  resident_type_of_##name &name = resident_work<resident_type_of_##name>()
#define SHARED_AFTER(before, T, name, dims)  \
  typedef T resident_type_of_##name dims;    \
  resident_type_of_##name &name = resident_work<resident_type_of_##name, sizeof(before)>()
#define WORDS_AT_ONCE 1
#define TILES_BY_REGISTERS
#define blockIdx resident_index()
#define blockDim resident_block()
#define gridDim resident_grid()

namespace resident_kernels {
#include "batch.cu"
#include "binary.cu"
#include "broadcast.cu"
#include "cast.cu"
#include "chain.cuh"
#include "compare.cu"
#include "concat.cu"
#include "dual.cu"
#include "dualmatmul.cu"
#include "fill.cu"
#include "gather.cu"
#include "keep.cu"
#include "layernorm.cu"
#include "matmul.cu"
#include "matmuljvp.cu"
#include "pick.cu"
#include "putrow.cu"
#include "select.cu"
#include "slice.cu"
#include "softmax.cu"
#include "sum.cu"
#include "tail.cu"
#include "ternarymm.cu"
#include "transpose.cu"
#include "unary.cu"
#include "xent.cu"

// Tiles of matmul for 256 threads.
KERNEL(256) matmul_64x64_256(const MatMulArgs p) { product<PRODUCT, 64, 64, 4, 4, 1>(p); }
KERNEL(256) matmul_32x32_256(const MatMulArgs p) { product<PRODUCT, 32, 32, 2, 2, 1>(p); }

// A chain's argument is as long as its tape: its views, the size, kinds and steps, of gpu/chain.go. Two words a thread, so that all registers
// have room.
__device__ __forceinline__ void chain(const uint32_t *argument, uint32_t operands) {
  constexpr int EACH = 2;
  Chain c;
  c.at = reinterpret_cast<const View *>(argument);
  c.size = *reinterpret_cast<const ChainSize *>(c.at + operands);
  c.kinds = reinterpret_cast<const ChainKind *>(reinterpret_cast<const ChainSize *>(c.at + operands) + 1);
  c.steps = reinterpret_cast<const ChainStep *>(c.kinds + operands);
  chain_part<EACH>(c, resident_work<uint32_t[CHAIN_REGISTERS * EACH * CHAIN_THREADS]>());
}
}  // namespace resident_kernels

#pragma pop_macro("KERNEL")
#pragma pop_macro("SHARED")
#pragma pop_macro("SHARED_AFTER")
#pragma pop_macro("blockIdx")
#pragma pop_macro("blockDim")
#pragma pop_macro("gridDim")

// So many blocks of a kernel, one after the other, of a cluster every so manyth. Where they have shared memory all wait after each: the next one writes into it. (Of a
// chain's a thread reads what it wrote itself.)
__device__ __forceinline__ void resident_run(const uint32_t *instruction) {
  using namespace resident_kernels;
  const uint32_t blocks = instruction[RESIDENT_BLOCKS], rank = cluster_rank(), size = cluster_size();
  const void *argument = instruction + RESIDENT_ARGUMENT;
  uint32_t *index = reinterpret_cast<uint32_t *>(resident_arena()) + threadIdx.x;
  switch (instruction[RESIDENT_KERNEL]) {
#define RUN(NUMBER, NAME)                                                          \
  case NUMBER:                                                                     \
    for (uint32_t free = rank; free < blocks; free += size) {                      \
      *index = free;                                                               \
      NAME(*static_cast<const ResidentArgument<decltype(NAME)>::type *>(argument)); \
    }                                                                              \
    break;
#define RUN_SHARED(NUMBER, NAME)                                                   \
  case NUMBER:                                                                     \
    for (uint32_t x = rank; x < blocks; x += size) {                               \
      *index = x;                                                                  \
      NAME(*static_cast<const ResidentArgument<decltype(NAME)>::type *>(argument)); \
      __syncthreads();                                                             \
    }                                                                              \
    break;
#define RUN_TAPE(NUMBER, NAME)                                                     \
  case NUMBER:                                                                     \
    for (uint32_t free = rank; free < blocks; free += size) {                      \
      *index = free;                                                               \
      NAME(instruction + RESIDENT_ARGUMENT, instruction[RESIDENT_VIEWS]);          \
    }                                                                              \
    break;
#include "resident_kernels.cuh"
#undef RUN
#undef RUN_SHARED
#undef RUN_TAPE
  }
}

KERNEL(256, 1) resident(const ResidentArgs a) {
  unsigned char *const arena = resident_arena();
  uint32_t *code = reinterpret_cast<uint32_t *>(arena + RESIDENT_CODE);
  for (uint32_t i = threadIdx.x; i < a.words; i += RESIDENT_THREADS) code[i] = a.code[i];
  __syncthreads();
  // Views of values get their addresses; nobody reads them before all have theirs.
  for (uint32_t at = 0; at < a.words; at += RESIDENT_ARGUMENT + code[at + RESIDENT_WORDS])
    if (threadIdx.x < code[at + RESIDENT_VIEWS]) {
      View *v = reinterpret_cast<View *>(code + at + RESIDENT_ARGUMENT) + threadIdx.x;
      const uint64_t base = reinterpret_cast<uint64_t>(v->base);
      if (base & RESIDENT_VALUE) v->base = reinterpret_cast<uint32_t *>(shared_of(arena + a.values + uint32_t(base), uint32_t((base & ~RESIDENT_VALUE) >> 32)));
    }
  // Also: all blocks of the cluster have begun.
  const bool alone = cluster_size() == 1;
  auto all_wait = [&] {
    if (alone) __syncthreads();
    else cluster_barrier();
  };
  all_wait();
  // One loop, so that the kernels are here once.
  for (uint32_t s = 0; s <= a.steps + 1; s++) {
    const bool before = s == 0, after = s > a.steps;
    uint32_t at = before ? 0 : after ? a.end : a.begin;
    const uint32_t end = before ? a.begin : after ? a.words : a.end;
    while (at < end) {
      const uint32_t *i = code + at;
      resident_run(i);
      at += RESIDENT_ARGUMENT + i[RESIDENT_WORDS];
      all_wait();  // after the last one, too: nobody ends while others look at its values
    }
  }
}
