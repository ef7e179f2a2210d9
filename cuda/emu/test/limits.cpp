// What a driver refuses, with its code; and what stays after it.
#include "test.h"

static CUresult launch(Gpu &g, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared = 0, const char *name = "axpy") {
  Vector a{g.alloc(4096), g.alloc(4096), 0, 1.0f};
  void *params[] = {&a};
  CUresult rc = cuLaunchKernel(g.function(name), gx, gy, gz, bx, by, bz, shared, nullptr, params, nullptr);
  return rc ? rc : cuCtxSynchronize();
}

static void before_start() {
  int n;
  CUdeviceptr p;
  CUcontext c;
  GIVES(CUDA_ERROR_NOT_INITIALIZED, cuDeviceGetCount(&n));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuInit(1));
  OK(cuInit(0));
  OK(cuDriverGetVersion(&n));
  CHECK(n >= 13000);
  TELLS("no context is current on this OS thread", GIVES(CUDA_ERROR_INVALID_CONTEXT, cuMemAlloc(&p, 4)));
  OK(cuCtxGetCurrent(&c));
  CHECK(!c);
  const char *s;
  OK(cuGetErrorName(CUDA_ERROR_OUT_OF_MEMORY, &s));
  CHECK(!strcmp(s, "CUDA_ERROR_OUT_OF_MEMORY"));
  OK(cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &s));
  CHECK(!strcmp(s, "out of memory"));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuGetErrorName(CUresult(12345), &s));
  CUdevice d;
  GIVES(CUDA_ERROR_INVALID_DEVICE, cuDeviceGet(&d, 1));
}

static void grids(Gpu &g) {
  OK(launch(g, 1, 1, 1, 128, 1, 1));
  GIVES(CUDA_ERROR_INVALID_VALUE, launch(g, 0, 1, 1, 128, 1, 1));
  GIVES(CUDA_ERROR_INVALID_VALUE, launch(g, 0x80000000u, 1, 1, 128, 1, 1));
  TELLS("a grid of (1,65536,1)", GIVES(CUDA_ERROR_INVALID_VALUE, launch(g, 1, 65536, 1, 128, 1, 1)));
  GIVES(CUDA_ERROR_INVALID_VALUE, launch(g, 1, 1, 65536, 128, 1, 1));
  GIVES(CUDA_ERROR_INVALID_VALUE, launch(g, 1, 1, 1, 1, 1, 0));
  GIVES(CUDA_ERROR_INVALID_VALUE, launch(g, 1, 1, 1, 1, 1, 65));
  GIVES(CUDA_ERROR_INVALID_VALUE, launch(g, 1, 1, 1, 1025, 1, 1));
  GIVES(CUDA_ERROR_INVALID_VALUE, launch(g, 1, 1, 1, 32, 33, 1));
  TELLS("129 threads, and its launch bound is 128", GIVES(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, launch(g, 1, 1, 1, 129, 1, 1)));
}

static void clusters(Gpu &g) {
  Vector a{g.alloc(4096), g.alloc(4096), 0, 1.0f};
  OK(g.clusters(8, "axpy", 16, 128, a));
  TELLS("clusters of 3 of 4 blocks", GIVES(CUDA_ERROR_INVALID_CLUSTER_SIZE, g.clusters(3, "axpy", 4, 128, a)));
  GIVES(CUDA_ERROR_INVALID_CLUSTER_SIZE, g.clusters(16, "axpy", 16, 32, a));
  GIVES(CUDA_ERROR_INVALID_CLUSTER_SIZE, g.clusters(0, "axpy", 16, 32, a));
  TELLS("the emulator has whole warps", GIVES(CUDA_ERROR_NOT_SUPPORTED, g.clusters(2, "axpy", 2, 48, a)));
  GIVES(CUDA_ERROR_NOT_SUPPORTED, g.clusters(8, "hand_on_right", 8, 256, a, 1024));
}

static void shared(Gpu &g) {
  Words a{g.alloc(512), g.alloc(512)};
  CUfunction f = g.function("shared_big");
  OK(g.run("shared_big", 1, 128, a, 512));
  OK(g.run("shared_big", 1, 128, a, (48 << 10) - 256));
  GIVES(CUDA_ERROR_INVALID_VALUE, g.run("shared_big", 1, 128, a, (48 << 10) + 1));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, (227 << 10) + 1));
  TELLS("and 256 of arrays", GIVES(CUDA_ERROR_INVALID_VALUE, cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 227 << 10)));
  OK(cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, (227 << 10) - 256));
  OK(g.run("shared_big", 1, 128, a, (227 << 10) - 256));
  GIVES(CUDA_ERROR_INVALID_VALUE, g.run("shared_big", 1, 128, a, 227 << 10));
  int v;
  OK(cuFuncGetAttribute(&v, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, f));
  CHECK(v == (227 << 10) - 256);
  OK(cuFuncGetAttribute(&v, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, f));
  CHECK(v == 128);
  OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&v, f, 128, 100 << 10));
  CHECK(v == 2);
  OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&v, f, 128, 0));
  CHECK(v >= 1 && v <= 16);
}

static void handles(Gpu &g) {
  CUfunction f, none = reinterpret_cast<CUfunction>(64);
  CUmodule m;
  CUstream s;
  CUevent e;
  TELLS("no kernel is named nobody", GIVES(CUDA_ERROR_NOT_FOUND, cuModuleGetFunction(&f, g.module, "nobody")));
  Vector a{};
  void *params[] = {&a};
  TELLS("is no function", GIVES(CUDA_ERROR_INVALID_HANDLE, cuLaunchKernel(none, 1, 1, 1, 1, 1, 1, 0, nullptr, params, nullptr)));
  OK(cuModuleLoadData(&m, "x"));
  OK(cuModuleGetFunction(&f, m, "turn"));
  OK(cuModuleUnload(m));
  TELLS("was destroyed", GIVES(CUDA_ERROR_INVALID_HANDLE, cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, nullptr, params, nullptr)));
  GIVES(CUDA_ERROR_INVALID_HANDLE, cuModuleUnload(m));
  OK(cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
  GIVES(CUDA_ERROR_INVALID_HANDLE, cuEventRecord(reinterpret_cast<CUevent>(s), s));
  OK(cuStreamDestroy(s));
  GIVES(CUDA_ERROR_INVALID_HANDLE, cuStreamSynchronize(s));
  GIVES(CUDA_ERROR_INVALID_HANDLE, cuStreamDestroy(s));
  OK(cuEventCreate(&e, 0));
  OK(cuEventDestroy(e));
  GIVES(CUDA_ERROR_INVALID_HANDLE, cuEventQuery(e));
}

static void stubs() {
  CUarray array;
  CUDA_ARRAY_DESCRIPTOR d = {};
  TELLS("emu: not implemented: cuArrayCreate_v2", GIVES(CUDA_ERROR_NOT_SUPPORTED, cuArrayCreate(&array, &d)));
  CHECK(told([&] { GIVES(CUDA_ERROR_NOT_SUPPORTED, cuArrayCreate(&array, &d)); }).empty());
}

int main() {
  before_start();
  Gpu g;
  grids(g);
  clusters(g);
  shared(g);
  handles(g);
  stubs();
  puts("limits: ok");
}
