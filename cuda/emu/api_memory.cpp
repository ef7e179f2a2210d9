// Memory: allocation, copies, fills.
#include "driver.h"

using namespace emu;

CUresult cuMemAlloc_v2(CUdeviceptr *p, size_t bytes) {
  EMU_CONTEXT
  EMU_NEED(p)
  if (CUresult rc = may_wait(__func__, ctx)) return rc;
  Address a;
  CUresult rc = allocate(__func__, ctx, bytes, &a);
  if (!rc) *p = a;
  return rc;
}

// Waits for everything, as a driver does, so that no work is left that knows the memory.
CUresult cuMemFree_v2(CUdeviceptr p) {
  EMU_CONTEXT
  if (!p) return CUDA_SUCCESS;
  if (CUresult rc = may_wait(__func__, ctx)) return rc;
  run_all(ctx);
  if (CUresult rc = check_memory(ctx, __func__)) return rc;
  return release_memory(__func__, ctx, p);
}

CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  EMU_CONTEXT
  if (free) *free = options().memory - ctx->device->used;
  if (total) *total = options().memory;
  return CUDA_SUCCESS;
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *bytes, CUdeviceptr p) {
  EMU_CONTEXT
  Address b;
  uint64_t n;
  if (!range_of(p, &b, &n)) return EMU_REFUSE(CUDA_ERROR_NOT_FOUND, "%p is in no allocation", reinterpret_cast<void *>(p));
  if (base) *base = b;
  if (bytes) *bytes = n;
  return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **p, size_t bytes, unsigned) {
  EMU_CONTEXT
  EMU_NEED(p)
  if (CUresult rc = may_wait(__func__, ctx)) return rc;
  return allocate_host(__func__, ctx, bytes, p);
}

CUresult cuMemAllocHost_v2(void **p, size_t bytes) { return cuMemHostAlloc(p, bytes, 0); }

CUresult cuMemFreeHost(void *p) {
  EMU_CONTEXT
  if (CUresult rc = may_wait(__func__, ctx)) return rc;
  run_all(ctx);
  if (CUresult rc = check_memory(ctx, __func__)) return rc;
  return release_host(__func__, p);
}

namespace {

void *at(Address p) { return reinterpret_cast<void *>(p); }

enum class Way { to_device, to_host, on_device };

// A copy that a stream does later. Host memory that is not pinned is read at the call, or written before the call returns: a
// driver's way, and the only one that Go's memory allows. Pinned memory is the stream's until the copy has run.
CUresult copy(const char *call, Context *ctx, Stream *s, Way way, Address device, const void *host, Address from, size_t bytes, bool now) {
  if (!bytes) return CUDA_SUCCESS;
  if (CUresult rc = check_range(call, ctx, device, bytes, way == Way::to_host ? "the source" : "the destination")) return rc;
  if (way == Way::on_device)
    if (CUresult rc = check_range(call, ctx, from, bytes, "the source")) return rc;
  if (way != Way::on_device)
    if (CUresult rc = check_host(call, host, bytes)) return rc;
  if (way == Way::on_device && device < from + bytes && from < device + bytes)
    return refuse(call, CUDA_ERROR_INVALID_VALUE, "source and destination overlap");
  if (now)
    if (CUresult rc = may_wait(call, ctx)) return rc;
  bool pinned = way == Way::on_device || is_pinned(host, bytes);
  if (!pinned && captures(s)) {
    s->capture->invalid = true;
    return refuse(call, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "a copy of host memory that is not pinned cannot be captured");
  }
  std::shared_ptr<std::vector<char>> stage;
  if (way == Way::to_device && !pinned && !now) {
    stage = std::make_shared<std::vector<char>>(bytes);
    move(stage->data(), host, bytes);
    host = stage->data();
  }
  WorkRef w;
  CUresult rc = give(call, s, [=] {
    (void)stage;
    if (!still_there(ctx, device, bytes) || (way == Way::on_device && !still_there(ctx, from, bytes))) return CUDA_ERROR_ILLEGAL_ADDRESS;
    if (way == Way::to_device) move(at(device), host, bytes);
    if (way == Way::to_host) move(const_cast<void *>(host), at(device), bytes);
    if (way == Way::on_device) move(at(device), at(from), bytes);
    return CUDA_SUCCESS;
  }, &w);
  if (rc || !(now || (way == Way::to_host && !pinned))) return rc;
  run_until(w);
  return check_memory(ctx, call);
}

template <class T>
CUresult fill(const char *call, Context *ctx, Stream *s, Address p, T value, size_t n) {
  if (!n) return CUDA_SUCCESS;
  if (p % sizeof(T)) return refuse(call, CUDA_ERROR_INVALID_VALUE, "%p is not aligned to %zu bytes", at(p), sizeof(T));
  if (n > options().memory) return refuse(call, CUDA_ERROR_INVALID_VALUE, "%zu elements", n);
  if (CUresult rc = check_range(call, ctx, p, n * sizeof(T), "the destination")) return rc;
  return give(call, s, [=] {
    if (!still_there(ctx, p, n * sizeof(T))) return CUDA_ERROR_ILLEGAL_ADDRESS;
    if (sizeof(T) == 1) memset(at(p), int(value), n);
    else for (size_t i = 0; i < n; i++) memcpy(static_cast<T *>(at(p)) + i, &value, sizeof(T));
    return CUDA_SUCCESS;
  });
}

}  // namespace

#define EMU_STREAM(h)                                \
  CUresult error;                                    \
  Stream *s = stream_of(__func__, ctx, h, &error);   \
  if (!s) return error;

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t n) {
  EMU_CONTEXT
  return copy(__func__, ctx, ctx->legacy, Way::to_device, to, from, 0, n, true);
}
CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t n) {
  EMU_CONTEXT
  return copy(__func__, ctx, ctx->legacy, Way::to_host, from, to, 0, n, true);
}
// Does not wait, although its name has no Async: nothing of the host's is concerned.
CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t n) {
  EMU_CONTEXT
  return copy(__func__, ctx, ctx->legacy, Way::on_device, to, nullptr, from, n, false);
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t n, CUstream h) {
  EMU_CONTEXT
  EMU_STREAM(h)
  return copy(__func__, ctx, s, Way::to_device, to, from, 0, n, false);
}
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t n, CUstream h) {
  EMU_CONTEXT
  EMU_STREAM(h)
  return copy(__func__, ctx, s, Way::to_host, from, to, 0, n, false);
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream h) {
  EMU_CONTEXT
  EMU_STREAM(h)
  return copy(__func__, ctx, s, Way::on_device, to, nullptr, from, n, false);
}

CUresult cuMemsetD8_v2(CUdeviceptr p, unsigned char v, size_t n) {
  EMU_CONTEXT
  return fill(__func__, ctx, ctx->legacy, p, v, n);
}
CUresult cuMemsetD16_v2(CUdeviceptr p, unsigned short v, size_t n) {
  EMU_CONTEXT
  return fill(__func__, ctx, ctx->legacy, p, v, n);
}
CUresult cuMemsetD32_v2(CUdeviceptr p, unsigned v, size_t n) {
  EMU_CONTEXT
  return fill(__func__, ctx, ctx->legacy, p, v, n);
}
CUresult cuMemsetD8Async(CUdeviceptr p, unsigned char v, size_t n, CUstream h) {
  EMU_CONTEXT
  EMU_STREAM(h)
  return fill(__func__, ctx, s, p, v, n);
}
CUresult cuMemsetD16Async(CUdeviceptr p, unsigned short v, size_t n, CUstream h) {
  EMU_CONTEXT
  EMU_STREAM(h)
  return fill(__func__, ctx, s, p, v, n);
}
CUresult cuMemsetD32Async(CUdeviceptr p, unsigned v, size_t n, CUstream h) {
  EMU_CONTEXT
  EMU_STREAM(h)
  return fill(__func__, ctx, s, p, v, n);
}
