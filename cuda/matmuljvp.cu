// matmuljvp_MxN: the tangent da B + A db of op/matmuljvp.go: matmul's chain, but for each k first fma(da, b), then fma(a, db).
// Launch, shared memory and tiles as in matmul.cu, with twice the shared memory, flops and reads.
#include "matmul.cuh"

KERNEL(256, 3) matmuljvp_64x32(const MatMulJVPArgs a) { product<TANGENT, 64, 32, 4, 2>(a.p, &a.da, &a.db); }
KERNEL(256, 3) matmuljvp_32x32(const MatMulJVPArgs a) { product<TANGENT, 32, 32, 2, 2>(a.p, &a.da, &a.db); }
KERNEL(256, 3) matmuljvp_64x16(const MatMulJVPArgs a) { product<TANGENT, 64, 16, 2, 2>(a.p, &a.da, &a.db); }
KERNEL(256, 3) matmuljvp_16x64(const MatMulJVPArgs a) { product<TANGENT, 16, 64, 2, 2>(a.p, &a.da, &a.db); }
KERNEL(256, 3) matmuljvp_1x1(const MatMulJVPArgs a) { single<TANGENT>(a.p, &a.da, &a.db); }
