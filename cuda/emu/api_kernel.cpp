// Modules, functions and launches. A module holds whatever it is loaded from: its kernels are those compiled into the emulator.
#include "driver.h"

#include <algorithm>

using namespace emu;

CUresult cuModuleLoadData(CUmodule *out, const void *image) {
  EMU_CONTEXT
  EMU_NEED(out)
  EMU_NEED(image)
  if (CUresult rc = may_wait(__func__, ctx)) return rc;
  auto m = std::make_unique<Module>();
  Module *raw = m.get();
  m->kind = Kind::module;
  m->context = ctx;
  *out = static_cast<CUmodule>(keep(std::move(m)));
  raw->handle = *out;
  return CUDA_SUCCESS;
}

CUresult cuModuleLoadDataEx(CUmodule *out, const void *image, unsigned, CUjit_option *, void **) { return cuModuleLoadData(out, image); }
CUresult cuModuleLoadFatBinary(CUmodule *out, const void *image) { return cuModuleLoadData(out, image); }

// Work that was given still runs.
CUresult cuModuleUnload(CUmodule h) {
  EMU_CONTEXT
  EMU_FIND(Module, m, h, Kind::module)
  for (auto &f : m->functions) drop(f.second);
  drop(h);
  return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *out, CUmodule h, const char *name) {
  EMU_CONTEXT
  EMU_NEED(out)
  EMU_NEED(name)
  EMU_FIND(Module, m, h, Kind::module)
  auto known = m->functions.find(name);
  if (known != m->functions.end()) {
    *out = known->second;
    return CUDA_SUCCESS;
  }
  Kernel *k = find_kernel(name);
  if (!k) return EMU_REFUSE(CUDA_ERROR_NOT_FOUND, "no kernel is named %s", name);
  auto f = std::make_unique<Function>();
  f->kind = Kind::function;
  f->context = m->context;
  f->module = h;
  f->kernel = k;
  *out = m->functions[name] = static_cast<CUfunction>(keep(std::move(f)));
  return CUDA_SUCCESS;
}

// Bytes of a kernel's parameters, each at a multiple of its alignment, and where the i-th lies.
static size_t layout(const Kernel *k, size_t i, size_t *offset) {
  size_t end = 0;
  for (size_t j = 0; j < k->count; j++) {
    end = (end + k->aligns[j] - 1) / k->aligns[j] * k->aligns[j];
    if (j == i) *offset = end;
    end += k->sizes[j];
  }
  return end;
}

CUresult cuFuncGetParamInfo(CUfunction h, size_t i, size_t *offset, size_t *size) {
  EMU_CONTEXT
  EMU_NEED(offset)
  EMU_FIND(Function, f, h, Kind::function)
  if (i >= f->kernel->count) return CUDA_ERROR_INVALID_VALUE;  // how a caller finds the end: no message
  layout(f->kernel, i, offset);
  if (size) *size = f->kernel->sizes[i];
  return CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int *v, CUfunction_attribute a, CUfunction h) {
  EMU_CONTEXT
  EMU_NEED(v)
  EMU_FIND(Function, f, h, Kind::function)
  switch (a) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *v = int(f->kernel->bound); break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *v = int(f->kernel->static_shared); break;
    case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: *v = 0; break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: *v = int(std::min(255u, 65536 / f->kernel->bound)); break;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *v = 90; break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *v = int(f->dynamic_most); break;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT: *v = f->carveout; break;
    default: return EMU_REFUSE(CUDA_ERROR_INVALID_VALUE, "attribute %d", int(a));
  }
  return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction h, CUfunction_attribute a, int v) {
  EMU_CONTEXT
  EMU_FIND(Function, f, h, Kind::function)
  switch (a) {
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
      if (v < 0 || unsigned(v) + f->kernel->static_shared > SHARED_MOST)
        return EMU_REFUSE(CUDA_ERROR_INVALID_VALUE, "kernel %s: %d bytes of dynamic shared memory and %u of arrays; a device has %u", f->kernel->name, v, f->kernel->static_shared, SHARED_MOST);
      f->dynamic_most = unsigned(v);
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
      if (v < -1 || v > 100) return EMU_REFUSE(CUDA_ERROR_INVALID_VALUE, "carveout %d", v);
      f->carveout = v;
      return CUDA_SUCCESS;
    default: return EMU_REFUSE(CUDA_ERROR_INVALID_VALUE, "attribute %d cannot be set", int(a));
  }
}

CUresult cuFuncSetCacheConfig(CUfunction h, CUfunc_cache) {
  EMU_CONTEXT
  EMU_FIND(Function, f, h, Kind::function)
  (void)f;
  return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, CUfunction h, int threads, size_t dynamic) {
  EMU_CONTEXT
  EMU_NEED(n)
  EMU_FIND(Function, f, h, Kind::function)
  if (threads < 1 || unsigned(threads) > THREADS_MOST) return EMU_REFUSE(CUDA_ERROR_INVALID_VALUE, "%d threads", threads);
  size_t shared = f->kernel->static_shared + dynamic;
  *n = 0;
  if (unsigned(threads) > f->kernel->bound || shared > (f->dynamic_most > SHARED_DEFAULT ? SHARED_MOST : SHARED_DEFAULT)) return CUDA_SUCCESS;
  int warps = (threads + 31) / 32, registers = int(std::min(255u, 65536 / f->kernel->bound)) * 32 * warps;
  *n = std::min({32, 64 / warps, 65536 / registers, int((228 << 10) / (shared + 1024))});
  return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *n, CUfunction h, int threads, size_t dynamic, unsigned) {
  return cuOccupancyMaxActiveBlocksPerMultiprocessor(n, h, threads, dynamic);
}

// The arguments in one buffer, from either of the two forms in which they come.
static CUresult pack(const char *call, const Kernel *k, void **params, void **extra, std::vector<char> *buffer) {
  size_t offset = 0, size = layout(k, k->count, &offset);
  buffer->assign(size + 16, 0);
  if (params && extra) return refuse(call, CUDA_ERROR_INVALID_VALUE, "kernel %s: both kernelParams and extra are given", k->name);
  if (params) {
    for (size_t i = 0; i < k->count; i++) {
      if (!params[i]) return refuse(call, CUDA_ERROR_INVALID_VALUE, "kernel %s: argument %zu is null", k->name, i);
      layout(k, i, &offset);
      move(buffer->data() + offset, params[i], k->sizes[i]);
    }
    return CUDA_SUCCESS;
  }
  const void *from = nullptr;
  const size_t *bytes = nullptr;
  for (void **e = extra; e && *e != CU_LAUNCH_PARAM_END; e += 2) {
    if (*e == CU_LAUNCH_PARAM_BUFFER_POINTER) from = e[1];
    else if (*e == CU_LAUNCH_PARAM_BUFFER_SIZE) bytes = static_cast<const size_t *>(e[1]);
    else return refuse(call, CUDA_ERROR_INVALID_VALUE, "kernel %s: extra names %p", k->name, *e);
  }
  if (!k->count && !extra) return CUDA_SUCCESS;
  if (!from || !bytes) return refuse(call, CUDA_ERROR_INVALID_VALUE, "kernel %s takes %zu bytes of arguments, and none are given", k->name, size);
  if (*bytes != size) return refuse(call, CUDA_ERROR_INVALID_VALUE, "kernel %s takes %zu bytes of arguments, and %zu are given", k->name, size, *bytes);
  move(buffer->data(), from, size);
  return CUDA_SUCCESS;
}

// The launch of one of the driver's two calls, with clusters of so many blocks along x.
static CUresult launch(const char *call, Context *ctx, Function *f, unsigned cluster, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream stream,
                       void **params, void **extra) {
  Kernel *k = f->kernel;
  CUresult error;
  Stream *s = stream_of(call, ctx, stream, &error);
  if (!s) return error;
  if (f->context != ctx) return refuse(call, CUDA_ERROR_INVALID_HANDLE, "kernel %s belongs to another context than the current one", k->name);
  if (!gx || !gy || !gz || gx > 0x7fffffff || gy > 65535 || gz > 65535)
    return refuse(call, CUDA_ERROR_INVALID_VALUE, "kernel %s: a grid of (%u,%u,%u); the most is (2147483647,65535,65535)", k->name, gx, gy, gz);
  if (!bx || !by || !bz || bx > 1024 || by > 1024 || bz > 64 || uint64_t(bx) * by * bz > THREADS_MOST)
    return refuse(call, CUDA_ERROR_INVALID_VALUE, "kernel %s: a block of (%u,%u,%u); the most is (1024,1024,64) and 1024 threads", k->name, bx, by, bz);
  if (bx * by * bz > k->bound)
    return refuse(call, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "kernel %s: %u threads, and its launch bound is %u", k->name, bx * by * bz, k->bound);
  if (cluster < 1 || cluster > CLUSTER_MOST || gx % cluster) return refuse(call, CUDA_ERROR_INVALID_CLUSTER_SIZE, "kernel %s: clusters of %u of %u blocks; the most is %u", k->name, cluster, gx, CLUSTER_MOST);
  if (cluster > 1 && (bx * by * bz % 32 || cluster * bx * by * bz > THREADS_MOST))
    return refuse(call, CUDA_ERROR_NOT_SUPPORTED, "kernel %s: clusters of %u blocks of %u threads; the emulator has whole warps, and %u threads at most", k->name, cluster, bx * by * bz, THREADS_MOST);
  const unsigned limit = f->dynamic_most > SHARED_DEFAULT ? SHARED_MOST : SHARED_DEFAULT;
  if (shared > f->dynamic_most || shared + k->static_shared > limit)
    return refuse(call, CUDA_ERROR_INVALID_VALUE, "kernel %s: %u bytes of dynamic shared memory and %u of arrays; the function may have %u, %u of them dynamic", k->name, shared,
                      k->static_shared, limit, f->dynamic_most);
  auto buffer = std::make_shared<std::vector<char>>();
  if (CUresult rc = pack(call, k, params, extra, buffer.get())) return rc;
  return give(call, s, [=] {
    if (CUresult rc = before_kernel(ctx->device)) return rc;
    std::vector<void *> pointers(k->count + 1);
    for (size_t i = 0; i < k->count; i++) {
      size_t offset = 0;
      layout(k, i, &offset);
      pointers[i] = buffer->data() + offset;
    }
    Launch l{k, {gx, gy, gz}, {bx, by, bz}, cluster, shared, limit, pointers.data()};
    CUresult rc = CUresult(run(l));
    ctx->unchecked = true;
    char when[160];
    snprintf(when, sizeof when, "after kernel %s", k->name);
    CUresult guards = check_guards(ctx, when);
    return rc ? rc : guards;
  });
}

CUresult cuLaunchKernel(CUfunction h, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream stream, void **params, void **extra) {
  EMU_CONTEXT
  EMU_FIND(Function, f, h, Kind::function)
  return launch(__func__, ctx, f, 1, gx, gy, gz, bx, by, bz, shared, stream, params, extra);
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *c, CUfunction h, void **params, void **extra) {
  EMU_CONTEXT
  EMU_FIND(Function, f, h, Kind::function)
  EMU_NEED(c)
  unsigned cluster = 1;
  for (unsigned i = 0; i < c->numAttrs; i++) {
    const CUlaunchAttribute &a = c->attrs[i];
    if (a.id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION && a.value.clusterDim.y == 1 && a.value.clusterDim.z == 1) cluster = a.value.clusterDim.x;
    else if (a.id != CU_LAUNCH_ATTRIBUTE_IGNORE) return EMU_REFUSE(CUDA_ERROR_NOT_SUPPORTED, "launch attribute %d", int(a.id));
  }
  return launch(__func__, ctx, f, cluster, c->gridDimX, c->gridDimY, c->gridDimZ, c->blockDimX, c->blockDimY, c->blockDimZ, c->sharedMemBytes, c->hStream, params, extra);
}
