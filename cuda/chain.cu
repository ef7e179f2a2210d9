// chain: pointwise ops one after the other over the same words, as a tape: what goes from op to op stays in the block's shared memory, and a
// chain is one launch. graph.Fuse makes chains, gpu/chain.go their tapes. Broadcasts and constants are no ops here: an operand says which of
// its words each word of the chain meets.
//
// Launch: 256 threads; x blocks of 1024 words, four a thread; y is the slot. Shared: 4 KiB for each register of the tape. A thread reads what
// it wrote itself and nothing else of the chain's: nobody waits.
// Roofline: memory, 4 bytes for each operand and result that is no register; each op of four words is some 20 instructions more.
#include "chain.cuh"

struct ChainArgs {
  View at[CHAIN_OPERANDS];
  ChainKind kinds[CHAIN_OPERANDS];
  ChainStep steps[CHAIN_STEPS];
  ChainSize size;
};

KERNEL(256) chain(const __grid_constant__ ChainArgs a) {
  DYN_SHARED(uint32_t, registers);
  chain_part<4>(Chain{a.size, a.at, a.kinds, a.steps}, registers);
}
