// Several devices, contexts, and OS threads.
#include "test.h"

#include <thread>

// As cuda/compat/cuda.h has it.
extern "C" CUresult cuCtxCreate_v2(CUcontext *, unsigned, CUdevice);

static int all() {
  Gpu a(0), b(2);
  int n, active;
  unsigned flags;
  OK(cuDeviceGetCount(&n));
  CHECK(n == 3);
  CUuuid u, v;
  OK(cuDeviceGetUuid(&u, 0));
  OK(cuDeviceGetUuid(&v, 2));
  CHECK(memcmp(&u, &v, sizeof u));
  char name[64];
  OK(cuDeviceGetName(name, sizeof name, 2));
  CHECK(!strcmp(name, "lockstep emulator"));
  CUdevice d;
  OK(cuCtxGetDevice(&d));
  CHECK(d == 2);
  CUdeviceptr q = b.alloc(256), p;
  a.use();
  p = a.alloc(256);
  char host[256] = {};
  TELLS("memory of device 2, and the current context is of device 0", GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(q, host, 256)));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuMemFree(q));
  CUstream s;
  OK(cuStreamCreate(&s, 0));
  Vector arg{p, p, 0, 0};
  TELLS("belongs to another context", GIVES(CUDA_ERROR_INVALID_HANDLE, b.start("axpy", 1, 1, arg)));
  b.use();
  TELLS("belongs to another context", GIVES(CUDA_ERROR_INVALID_HANDLE, b.start("axpy", 1, 1, arg, s)));
  // An error of one device leaves the other alone.
#ifndef SANITIZED
  Vector wild{8, 8, 64, 1};
  GIVES(CUDA_ERROR_ILLEGAL_ADDRESS, b.run("axpy", 1, 128, wild));
  GIVES(CUDA_ERROR_ILLEGAL_ADDRESS, cuMemAlloc(&q, 4));
  a.use();
  OK(cuCtxSynchronize());
#endif
  a.use();
  OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
  CHECK(active == 1);
  OK(cuDevicePrimaryCtxGetState(1, &flags, &active));
  CHECK(active == 0);
  OK(cuDevicePrimaryCtxRelease(2));
  GIVES(CUDA_ERROR_INVALID_CONTEXT, cuDevicePrimaryCtxRelease(2));
  GIVES(CUDA_ERROR_INVALID_CONTEXT, cuCtxSetCurrent(b.context));
  // Contexts are of the OS thread; a stack of them.
  CUcontext c, x;
  OK(cuCtxCreate_v2(&c, 0, 1));
  OK(cuCtxGetCurrent(&x));
  CHECK(x == c);
  OK(cuCtxPopCurrent(&x));
  CHECK(x == c);
  OK(cuCtxGetCurrent(&x));
  CHECK(x == a.context);
  std::thread([&] {
    CUcontext none;
    OK(cuCtxGetCurrent(&none));
    CHECK(!none);
    OK(cuCtxPushCurrent(c));
    OK(cuCtxGetDevice(&d));
    CHECK(d == 1);
  }).join();
  OK(cuCtxDestroy(c));
  GIVES(CUDA_ERROR_INVALID_CONTEXT, cuCtxDestroy(c));
  GIVES(CUDA_ERROR_INVALID_CONTEXT, cuCtxDestroy(a.context));
  // Work from several threads at once.
  std::vector<std::thread> ts;
  for (int t = 0; t < 4; t++)
    ts.emplace_back([&] {
      a.use();
      CUstream mine;
      OK(cuStreamCreate(&mine, CU_STREAM_NON_BLOCKING));
      for (int i = 0; i < 20; i++) {
        CUdeviceptr in = a.put(std::vector<float>(256, 2.0f)), out = a.alloc(1024);
        OK(a.start("turn", 1, 256, Vector{out, in, 256, 1.0f}, mine));
        OK(cuStreamSynchronize(mine));
        CHECK(a.get<float>(out, 256)[100] == 2);
        OK(cuMemFree(in));
        OK(cuMemFree(out));
      }
    });
  for (auto &t : ts) t.join();
  return 0;
}

int main() {
  CHECK(with("LOCKSTEP_EMU_DEVICES", "3", all) == 0);
  puts("devices: ok");
}
