// Start-up, devices, contexts and errors.
#include "driver.h"

#include <algorithm>

using namespace emu;

CUresult cuInit(unsigned flags) {
  std::lock_guard<std::recursive_mutex> hold(lock);
  if (flags) return EMU_REFUSE(CUDA_ERROR_INVALID_VALUE, "flags 0x%x", flags);
  if (initialised) return CUDA_SUCCESS;
  if (options().devices < 1) return EMU_REFUSE(CUDA_ERROR_NO_DEVICE, "LOCKSTEP_EMU_DEVICES=%d", options().devices);
  for (int i = 0; i < options().devices; i++) {
    Device d;
    d.index = i;
    devices.push_back(d);
  }
  initialised = true;
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *v) {
  if (!v) return CUDA_ERROR_INVALID_VALUE;
  *v = options().version;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *n) {
  EMU_BEGIN_CALL
  EMU_NEED(n)
  *n = int(devices.size());
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *d, int i) {
  EMU_BEGIN_CALL
  EMU_NEED(d)
  EMU_DEVICE(i)
  *d = i;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *s, int n, CUdevice d) {
  EMU_BEGIN_CALL
  EMU_NEED(s)
  EMU_DEVICE(d)
  snprintf(s, size_t(n), "lockstep emulator");
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid_v2(CUuuid *u, CUdevice d) {
  EMU_BEGIN_CALL
  EMU_NEED(u)
  EMU_DEVICE(d)
  memcpy(u->bytes, "lockstep-emu", 12);
  memcpy(u->bytes + 12, &d, 4);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid(CUuuid *u, CUdevice d) { return cuDeviceGetUuid_v2(u, d); }

CUresult cuDeviceTotalMem_v2(size_t *n, CUdevice d) {
  EMU_BEGIN_CALL
  EMU_NEED(n)
  EMU_DEVICE(d)
  *n = options().memory;
  return CUDA_SUCCESS;
}

// Those of an H100, but for its size: few multiprocessors, so that a grid made to fill the device stays small.
static int attribute(CUdevice_attribute a) {
  switch (a) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: return 64;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: return 0x7fffffff;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: return 65535;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return int(SHARED_DEFAULT);
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return int(SHARED_MOST);
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return 228 << 10;
    case CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK: return 1024;
    case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY: return 64 << 10;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return 32;
    case CU_DEVICE_ATTRIBUTE_MAX_PITCH: return 0x7fffffff;
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: return 65536;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: return 1000000;
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: return 1000000;
    case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: return 64;
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: return 50 << 20;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return 4;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: return 2048;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR: return 32;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return 9;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: return 0;
    case CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT: return 512;
    case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT: return 2;
    case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS:
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
    case CU_DEVICE_ATTRIBUTE_GPU_OVERLAP:
    case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY:
    case CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED:
    case CU_DEVICE_ATTRIBUTE_GLOBAL_L1_CACHE_SUPPORTED:
    case CU_DEVICE_ATTRIBUTE_LOCAL_L1_CACHE_SUPPORTED: return 1;
    default: return 0;
  }
}

CUresult cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice d) {
  EMU_BEGIN_CALL
  EMU_NEED(v)
  EMU_DEVICE(d)
  if (a < 1 || a >= CU_DEVICE_ATTRIBUTE_MAX) return EMU_REFUSE(CUDA_ERROR_INVALID_VALUE, "attribute %d", int(a));
  *v = a == CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID ? d : attribute(a);
  return CUDA_SUCCESS;
}

CUresult cuDeviceCanAccessPeer(int *can, CUdevice a, CUdevice b) {
  EMU_BEGIN_CALL
  EMU_NEED(can)
  EMU_DEVICE(a)
  EMU_DEVICE(b)
  *can = 0;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *out, CUdevice i) {
  EMU_BEGIN_CALL
  EMU_NEED(out)
  EMU_DEVICE(i)
  Device &d = devices[size_t(i)];
  if (d.lost) return EMU_REFUSE(CUDA_ERROR_DEVICE_UNAVAILABLE, "device %d is lost", i);
  if (d.primary) *out = handle_of(d.primary);
  else d.primary = new_context(&d, true, d.flags, out);
  d.retained++;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice i) {
  EMU_BEGIN_CALL
  EMU_DEVICE(i)
  Device &d = devices[size_t(i)];
  if (!d.retained) return EMU_REFUSE(CUDA_ERROR_INVALID_CONTEXT, "device %d's primary context is not retained", i);
  if (!--d.retained && d.primary) destroy_context(handle_of(d.primary));
  write_calls();
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxReset_v2(CUdevice i) {
  EMU_BEGIN_CALL
  EMU_DEVICE(i)
  if (devices[size_t(i)].primary) destroy_context(handle_of(devices[size_t(i)].primary));
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice i, unsigned flags) {
  EMU_BEGIN_CALL
  EMU_DEVICE(i)
  devices[size_t(i)].flags = flags;
  if (devices[size_t(i)].primary) devices[size_t(i)].primary->flags = flags;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxGetState(CUdevice i, unsigned *flags, int *active) {
  EMU_BEGIN_CALL
  EMU_DEVICE(i)
  if (flags) *flags = devices[size_t(i)].flags;
  if (active) *active = devices[size_t(i)].primary != nullptr;
  return CUDA_SUCCESS;
}

CUresult cuCtxCreate_v2(CUcontext *out, unsigned flags, CUdevice i) {
  EMU_BEGIN_CALL
  EMU_NEED(out)
  EMU_DEVICE(i)
  if (devices[size_t(i)].lost) return EMU_REFUSE(CUDA_ERROR_DEVICE_UNAVAILABLE, "device %d is lost", i);
  new_context(&devices[size_t(i)], false, flags, out);
  context_stack().push_back(*out);
  return CUDA_SUCCESS;
}

CUresult cuCtxDestroy_v2(CUcontext h) {
  EMU_BEGIN_CALL
  EMU_NEED(h)
  Context *c = static_cast<Context *>(find(h, Kind::context));
  if (!c) return EMU_REFUSE(CUDA_ERROR_INVALID_CONTEXT, "%p %s", static_cast<void *>(h), blame(h, Kind::context));
  if (c->primary) return EMU_REFUSE(CUDA_ERROR_INVALID_CONTEXT, "a primary context is released, not destroyed");
  destroy_context(h);
  auto &stack = context_stack();
  if (!stack.empty() && stack.back() == h) stack.pop_back();
  return CUDA_SUCCESS;
}

static CUresult check_context(const char *call, CUcontext h) {
  if (!h || find(h, Kind::context)) return CUDA_SUCCESS;
  return refuse(call, CUDA_ERROR_INVALID_CONTEXT, "%p %s", static_cast<void *>(h), blame(h, Kind::context));
}

CUresult cuCtxSetCurrent(CUcontext h) {
  EMU_BEGIN_CALL
  if (CUresult rc = check_context(__func__, h)) return rc;
  auto &stack = context_stack();
  if (!stack.empty()) stack.pop_back();
  if (h) stack.push_back(h);
  return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *h) {
  EMU_BEGIN_CALL
  EMU_NEED(h)
  *h = context_stack().empty() ? nullptr : context_stack().back();
  return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent_v2(CUcontext h) {
  EMU_BEGIN_CALL
  EMU_NEED(h)
  if (CUresult rc = check_context(__func__, h)) return rc;
  context_stack().push_back(h);
  return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent_v2(CUcontext *h) {
  EMU_BEGIN_CALL
  auto &stack = context_stack();
  if (stack.empty()) return EMU_REFUSE(CUDA_ERROR_INVALID_CONTEXT, "no context is current on this OS thread");
  if (h) *h = stack.back();
  stack.pop_back();
  return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice *d) {
  EMU_CONTEXT
  EMU_NEED(d)
  *d = ctx->device->index;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetFlags(unsigned *flags) {
  EMU_CONTEXT
  EMU_NEED(flags)
  *flags = ctx->flags;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetApiVersion(CUcontext, unsigned *v) {
  EMU_BEGIN_CALL
  EMU_NEED(v)
  *v = options().version;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) {
  EMU_CONTEXT
  if (least) *least = 0;
  if (greatest) *greatest = -5;
  return CUDA_SUCCESS;
}

static const struct {
  CUresult code;
  const char *name, *text;
} errors[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {CUDA_ERROR_DEINITIALIZED, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {CUDA_ERROR_DEVICE_UNAVAILABLE, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CUDA_ERROR_NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {CUDA_ERROR_ILLEGAL_STATE, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {CUDA_ERROR_CONTEXT_IS_DESTROYED, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {CUDA_ERROR_MISALIGNED_ADDRESS, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
    {CUDA_ERROR_STREAM_CAPTURE_MERGE, "CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would result in a merge of separate capture sequences"},
    {CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"},
    {CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"},
    {CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"},
    {CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "operation would make the legacy stream depend on a capturing blocking stream"},
    {CUDA_ERROR_CAPTURED_EVENT, "CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"},
    {CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "attempt to terminate a thread-local capture sequence from another thread"},
    {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static CUresult describe(CUresult code, const char **s, bool name) {
  if (!s) return CUDA_ERROR_INVALID_VALUE;
  *s = nullptr;
  for (auto &e : errors)
    if (e.code == code) *s = name ? e.name : e.text;
  return *s ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorName(CUresult code, const char **s) { return describe(code, s, true); }
CUresult cuGetErrorString(CUresult code, const char **s) { return describe(code, s, false); }
