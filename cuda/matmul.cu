// matmul_MxN: the matrix product C = A B of op/matmul.go. A chain per result: acc = +0, then fma over ascending k within chunks
// of 1024; C = the first chunk's acc, then C + acc. Terms from klen on are not executed. Columns from nlen on are +0, those of
// op/matmultail.go: blocks that have no other compute nothing.
//
// Launch: a block makes a tile of M x N results; x = tiles, y = slot, z strides over the batch. matmul_1x1 has a thread for each result, or one
// for each chunk of a result's chain: x = blocks of so many results, y = of so many slots; 1 KiB for the chunks, for which all wait twice a round. Shared: two stages of 16 terms of the tiles, 33 KiB for 128x128; all wait for each stage.
// Roofline: 2 m n k flops; reads m k * (n / N) + k n * (m / M) words: 128x128 has 32 flops a byte from L2, and of its inner loop 92 %
// are multiply-adds: a term is 64 of them and four loads of 16 bytes without bank conflicts. README.md says what to expect of a card.
#include "matmul.cuh"

// Two blocks of 128x128 share a multiprocessor, so that one multiplies where the other waits: 128 registers, 64 of them chains.
KERNEL(256, 2) matmul_128x128(const MatMulArgs p) { product<PRODUCT, 128, 128, 8, 8, 4>(p); }
KERNEL(256, 2) matmul_128x64(const MatMulArgs p) { product<PRODUCT, 128, 64, 8, 4, 4>(p); }
KERNEL(128, 4) matmul_64x64(const MatMulArgs p) { product<PRODUCT, 64, 64, 8, 4>(p); }
KERNEL(128, 7) matmul_32x32(const MatMulArgs p) { product<PRODUCT, 32, 32, 4, 2>(p); }
KERNEL(256, 4) matmul_64x16(const MatMulArgs p) { product<PRODUCT, 64, 16, 2, 2>(p); }
KERNEL(256, 4) matmul_16x64(const MatMulArgs p) { product<PRODUCT, 16, 64, 2, 2>(p); }
KERNEL(256) matmul_1x1(const MatMulArgs p) { single<PRODUCT>(p); }
