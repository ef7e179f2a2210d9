// dualmatmul_MxN: the matrix product C = A B of op/matmul.go and its tangent dC = da B + A db of op/matmuljvp.go in one pass over the operands. Two
// chains a result, each as if it were alone: fma(a, b) for C; fma(da, b), then fma(a, db) for dC; both in chunks of 1024.
//
// Launch and waiting as in matmul.cu; shared memory as in matmuljvp.cu, 34 KiB for 64x64. Of four words from shared memory it makes three multiply-adds
// where the two kernels apart make one and two: with twice the chains a thread has, at equal registers, half the tile of matmul. Roofline: 6 m n k flops;
// reads 2 (m k * (n / N) + k n * (m / M)) words: 64x64 has 24 flops a byte from L2.
#include "matmul.cuh"

#ifndef TILES_BY_REGISTERS  // resident.cu, where a kernel has 33 KiB of shared memory
KERNEL(128, 4) dualmatmul_64x64(const DualMatMulArgs a) { product<DUAL, 64, 64, 8, 4>(a.p, &a.da, &a.db, &a.dout); }
#endif
KERNEL(256, 3) dualmatmul_64x32(const DualMatMulArgs a) { product<DUAL, 64, 32, 4, 2>(a.p, &a.da, &a.db, &a.dout); }
KERNEL(256, 3) dualmatmul_32x32(const DualMatMulArgs a) { product<DUAL, 32, 32, 2, 2>(a.p, &a.da, &a.db, &a.dout); }
KERNEL(256, 3) dualmatmul_64x16(const DualMatMulArgs a) { product<DUAL, 64, 16, 2, 2>(a.p, &a.da, &a.db, &a.dout); }
KERNEL(256, 3) dualmatmul_16x64(const DualMatMulArgs a) { product<DUAL, 16, 64, 2, 2>(a.p, &a.da, &a.db, &a.dout); }
KERNEL(256, 3) dualmatmul_1x1(const DualMatMulArgs a) { single<DUAL>(a.p, &a.da, &a.db, &a.dout); }
