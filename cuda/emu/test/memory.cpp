// Memory: capacity, poison, bounds, guard zones, use after free.
#include "test.h"

#include <thread>

static void capacity() {
  Gpu g;
  size_t free, total;
  CUdeviceptr a, b;
  OK(cuMemGetInfo(&free, &total));
  CHECK(total == 1 << 20 && free == total);
  OK(cuDeviceTotalMem(&total, 0));
  CHECK(total == 1 << 20);
  a = g.alloc(1 << 19);
  TELLS("has 524288 of 1048576 left", GIVES(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc(&b, (1 << 19) + 1)));
  b = g.alloc(1 << 19);
  OK(cuMemGetInfo(&free, &total));
  CHECK(free == 0);
  OK(cuMemFree(a));
  OK(cuMemFree(b));
  OK(cuMemGetInfo(&free, &total));
  CHECK(free == total);
  GIVES(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc(&a, ~size_t(0)));
}

static void bounds(Gpu &g) {
  CUdeviceptr p = g.alloc(1000), q = g.alloc(1000);
  CHECK(p % 256 == 0 && q % 256 == 0);
  char host[2000] = {};
  for (uint8_t b : g.get<uint8_t>(p, 1000)) CHECK(b == 0xff);
  GIVES(CUDA_ERROR_INVALID_VALUE, cuMemAlloc(&q, 0));
  OK(cuMemcpyHtoD(p + 500, host, 500));
  TELLS("offset 500 of the allocation of 1000 bytes", GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(p + 500, host, 501)));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH(host, p, 1001));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH(host, p - 1, 1));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoD(p, q, 1001));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoD(p, p + 4, 8));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuMemsetD32(p, 0, 251));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuMemsetD32(p + 2, 0, 1));
  TELLS("in no allocation", GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(4096, host, 1)));
  TELLS("is device memory", GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(p, reinterpret_cast<void *>(q), 1)));
  OK(cuMemsetD32(p, 0x01020304, 250));
  OK(cuMemcpyDtoD(q, p, 1000));
  for (uint32_t w : g.get<uint32_t>(q, 250)) CHECK(w == 0x01020304);
  OK(cuMemsetD8(p, 9, 3));
  CHECK(g.get<uint32_t>(p, 1)[0] == 0x01090909);
  CUdeviceptr base;
  size_t bytes;
  OK(cuMemGetAddressRange(&base, &bytes, p + 7));
  CHECK(base == p && bytes == 1000);
  OK(cuMemFree(p));
  TELLS("a freed allocation of 1000 bytes", GIVES(CUDA_ERROR_INVALID_VALUE, cuMemFree(p)));
  TELLS("a freed allocation of 1000 bytes", GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(p + 8, host, 8)));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuMemFree(q + 256));
  OK(cuMemFree(0));
  OK(cuMemFree(q));
}

#ifndef SANITIZED  // AddressSanitizer itself reports what these do
static void guards(Gpu &g) {
  for (int32_t at : {100, 101, -1, -200, 300}) {
    Vector a{g.alloc(400), 0, uint32_t(at), 0};
    char text[64];
    if (at < 0) snprintf(text, sizeof text, "%d bytes before the allocation of 400 bytes", -4 * at);
    else snprintf(text, sizeof text, "offset %d of the allocation of 400 bytes", 4 * at);
    TELLS(text, GIVES(CUDA_ERROR_ILLEGAL_ADDRESS, g.run("write_at", 1, 32, a)));
    // The error stays, whatever is called, until the context goes.
    CUdeviceptr p;
    GIVES(CUDA_ERROR_ILLEGAL_ADDRESS, cuMemAlloc(&p, 4));
    GIVES(CUDA_ERROR_ILLEGAL_ADDRESS, cuCtxSynchronize());
    g.restart();
    OK(cuCtxSynchronize());
  }
}

static void after_free(Gpu &g) {
  Vector a{g.alloc(400), 0, 3, 0};
  OK(g.run("write_at", 1, 32, a));
  OK(cuMemFree(a.out));
  TELLS("offset 12 of freed memory (400 bytes", GIVES(CUDA_ERROR_ILLEGAL_ADDRESS, g.run("write_at", 1, 32, a)));
  g.restart();
}
#endif

static void pinned(Gpu &g) {
  void *p;
  OK(cuMemHostAlloc(&p, 64, 0));
  memset(p, 1, 64);
  CUdeviceptr d = g.alloc(64);
  OK(cuMemcpyHtoD(d, p, 64));
  TELLS("offset 32 of the pinned allocation of 64 bytes", GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(d, static_cast<char *>(p) + 32, 33)));
  OK(cuMemFreeHost(p));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuMemFreeHost(p));
  OK(cuMemFree(d));
}

static void threads(Gpu &g) {
  CUdeviceptr p = g.alloc(64);
  std::thread([&] {
    GIVES(CUDA_ERROR_INVALID_CONTEXT, cuMemFree(p));
    g.use();
    OK(cuMemFree(p));
  }).join();
}

int main() {
  CHECK(with("LOCKSTEP_EMU_MEMORY", "1048576", [] { capacity(); return 0; }) == 0);
  Gpu g;
  bounds(g);
#ifndef SANITIZED
  guards(g);
  after_free(g);
#endif
  pinned(g);
  threads(g);
  puts("memory: ok");
}
