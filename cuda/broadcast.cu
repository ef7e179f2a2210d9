// broadcast: an array repeated along axes (strides of 0). Memory-bound: writes 4 bytes a word, reads are mostly cached.
#include "strided.cuh"

KERNEL(256) broadcast(const StridedArgs a) { strided(a); }
