// transpose: axes permuted. Memory-bound: 8 bytes a word; reads are in order of the result, so they are scattered where the
// last axis moves.
#include "strided.cuh"

KERNEL(256) transpose(const StridedArgs a) { strided(a); }
