// What the emulator's tests share: checks that end the program, a device ready for use, and the emulator's messages.
#pragma once
#include <cuda.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#define CHECK(x)                                                                  \
  do {                                                                            \
    if (!(x)) {                                                                   \
      fprintf(stdout, "FAIL %s:%d: %s\n", __FILE__, __LINE__, #x);                \
      fflush(stdout);                                                             \
      _exit(1);                                                                   \
    }                                                                             \
  } while (0)
#define GIVES(code, call)                                                         \
  do {                                                                            \
    CUresult rc_ = call;                                                          \
    if (rc_ != (code)) {                                                          \
      fprintf(stdout, "FAIL %s:%d: %s gives %d, not %s\n", __FILE__, __LINE__, #call, int(rc_), #code); \
      fflush(stdout);                                                             \
      _exit(1);                                                                   \
    }                                                                             \
  } while (0)
#define OK(call) GIVES(CUDA_SUCCESS, call)

// A device with its primary context current, and the module of all kernels.
struct Gpu {
  CUcontext context;
  CUmodule module;
  int device;
  explicit Gpu(int d = 0) : device(d) {
    OK(cuInit(0));
    OK(cuDevicePrimaryCtxRetain(&context, d));
    use();
    OK(cuModuleLoadData(&module, "any"));
  }
  void use() { OK(cuCtxSetCurrent(context)); }
  // After an error that stays.
  void restart() {
    OK(cuDevicePrimaryCtxReset(device));
    OK(cuDevicePrimaryCtxRetain(&context, device));
    use();
    OK(cuModuleLoadData(&module, "any"));
  }
  CUfunction function(const char *name) {
    CUfunction f;
    OK(cuModuleGetFunction(&f, module, name));
    return f;
  }
  CUdeviceptr alloc(size_t bytes) {
    CUdeviceptr p;
    OK(cuMemAlloc(&p, bytes));
    return p;
  }
  template <class T>
  CUdeviceptr put(const std::vector<T> &v) {
    CUdeviceptr p = alloc(v.size() * sizeof(T));
    OK(cuMemcpyHtoD(p, v.data(), v.size() * sizeof(T)));
    return p;
  }
  template <class T>
  std::vector<T> get(CUdeviceptr p, size_t n) {
    std::vector<T> v(n);
    OK(cuMemcpyDtoH(v.data(), p, n * sizeof(T)));
    return v;
  }
  template <class A>
  CUresult start(const char *name, unsigned grid, unsigned block, const A &argument, CUstream s = nullptr, unsigned shared = 0) {
    void *params[] = {const_cast<A *>(&argument)};
    return cuLaunchKernel(function(name), grid, 1, 1, block, 1, 1, shared, s, params, nullptr);
  }
  template <class A>
  CUresult clusters(unsigned size, const char *name, unsigned grid, unsigned block, const A &argument, unsigned shared = 0) {
    void *params[] = {const_cast<A *>(&argument)};
    CUlaunchAttribute a{};
    a.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    a.value.clusterDim = {size, 1, 1};
    CUlaunchConfig c{grid, 1, 1, block, 1, 1, shared, nullptr, &a, 1};
    if (CUresult rc = cuLaunchKernelEx(&c, function(name), params, nullptr)) return rc;
    return cuCtxSynchronize();
  }
  template <class A>
  CUresult run(const char *name, unsigned grid, unsigned block, const A &argument, unsigned shared = 0) {
    if (CUresult rc = start(name, grid, block, argument, nullptr, shared)) return rc;
    return cuCtxSynchronize();
  }
};

struct Vector {
  CUdeviceptr out, in;
  uint32_t n;
  float scale;
};
struct Words {
  CUdeviceptr out, in;
};

// What f writes to stderr.
inline std::string told(const std::function<void()> &f) {
  fflush(stderr);
  FILE *file = tmpfile();
  int old = dup(2);
  dup2(fileno(file), 2);
  f();
  fflush(stderr);
  dup2(old, 2);
  close(old);
  std::string text(size_t(ftell(file)), 0);
  fseek(file, 0, SEEK_END);
  text.resize(size_t(ftell(file)));
  rewind(file);
  if (fread(&text[0], 1, text.size(), file) != text.size()) text.clear();
  fclose(file);
  return text;
}
#define TELLS(text, call)                                                                             \
  do {                                                                                                \
    std::string told_ = told([&] { call; });                                                          \
    if (told_.find(text) == std::string::npos) {                                                      \
      fprintf(stdout, "FAIL %s:%d: not told \"%s\" but: %s\n", __FILE__, __LINE__, text, told_.c_str()); \
      fflush(stdout);                                                                                 \
      _exit(1);                                                                                       \
    }                                                                                                 \
  } while (0)

// f's answer (0 to 100) in a process of its own, in which the environment says so: it is read once.
inline int with(const char *name, const char *value, const std::function<int()> &f) {
  fflush(stdout);
  pid_t child = fork();
  if (!child) {
    setenv(name, value, 1);
    _exit(f());
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  return WEXITSTATUS(status);
}
inline const char *const orders[] = {"forward", "reverse", "permuted"};
