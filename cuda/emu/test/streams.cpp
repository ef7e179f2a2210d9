// Streams run late and in any order; events order them; captured work runs when its graph is launched.
#include "test.h"

static std::vector<float> ones(size_t n) { return std::vector<float>(n, 1.0f); }

// Stream one adds in to x, stream two adds x to y. Without a wait the sum is wrong in some order.
static bool two_streams(bool wait) {
  Gpu g;
  CUstream one, two;
  CUevent e;
  OK(cuStreamCreate(&one, CU_STREAM_NON_BLOCKING));
  OK(cuStreamCreate(&two, CU_STREAM_NON_BLOCKING));
  OK(cuEventCreate(&e, CU_EVENT_DISABLE_TIMING));
  CUdeviceptr in = g.put(ones(64)), x = g.put(ones(64)), y = g.put(ones(64));
  OK(cuCtxSynchronize());
  OK(g.start("axpy", 1, 64, Vector{x, in, 64, 1.0f}, one));
  if (wait) {
    OK(cuEventRecord(e, one));
    OK(cuStreamWaitEvent(two, e, 0));
  }
  OK(g.start("axpy", 1, 64, Vector{y, x, 64, 1.0f}, two));
  OK(cuStreamSynchronize(two));
  OK(cuStreamSynchronize(one));
  return g.get<float>(y, 64) == std::vector<float>(64, 3.0f);
}

static void lateness() {
  Gpu g;
  CUstream s;
  CUevent a, b;
  float ms;
  OK(cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
  OK(cuEventCreate(&a, 0));
  OK(cuEventCreate(&b, 0));
  CUdeviceptr in = g.put(ones(64)), x = g.put(ones(64));
  OK(cuEventQuery(a));  // never recorded: nothing to wait for
  OK(cuEventRecord(a, s));
  OK(g.start("axpy", 1, 64, Vector{x, in, 64, 1.0f}, s));
  OK(cuEventRecord(b, s));
  GIVES(CUDA_ERROR_NOT_READY, cuEventElapsedTime(&ms, a, b));
  GIVES(CUDA_ERROR_NOT_READY, cuStreamQuery(s));
  int asked = 0;
  while (cuEventQuery(b) == CUDA_ERROR_NOT_READY) CHECK(++asked < 10);  // asking gets there
  OK(cuStreamQuery(s));
  OK(cuEventElapsedTime(&ms, a, b));
  CHECK(ms >= 0);
  CHECK(g.get<float>(x, 64) == std::vector<float>(64, 2.0f));
  // An asynchronous copy of pinned memory reads it when it runs; of other memory, at the call.
  void *pinned;
  OK(cuMemHostAlloc(&pinned, 256, 0));
  float *p = static_cast<float *>(pinned), pageable[64];
  for (int i = 0; i < 64; i++) p[i] = pageable[i] = 1;
  CUdeviceptr y = g.alloc(256);
  OK(cuMemcpyHtoDAsync(x, p, 256, s));
  OK(cuMemcpyHtoDAsync(y, pageable, 256, s));
  for (int i = 0; i < 64; i++) p[i] = pageable[i] = 5;
  OK(cuStreamSynchronize(s));
  CHECK(g.get<float>(x, 64)[7] == 5 && g.get<float>(y, 64)[7] == 1);
  OK(cuMemsetD32Async(x, 0, 64, s));
  OK(cuMemcpyDtoHAsync(p, x, 256, s));
  CHECK(p[3] == 5);
  OK(cuMemcpyDtoHAsync(pageable, x, 256, s));  // written before the call returns
  CHECK(pageable[3] == 0 && p[3] == 0);
  // The stream 0 and an ordinary stream wait for each other; it and a non-blocking one do not.
  CUstream blocking;
  OK(cuStreamCreate(&blocking, 0));
  OK(cuMemsetD32Async(x, 0x3f800000, 64, blocking));
  CHECK(g.get<float>(x, 64)[0] == 1);
  OK(cuStreamDestroy(blocking));
  OK(cuMemsetD32Async(x, 0x40000000, 64, s));
  OK(cuStreamDestroy(s));  // its work still runs
  OK(cuCtxSynchronize());
  CHECK(g.get<float>(x, 64)[0] == 2);
}

static void capture() {
  Gpu g;
  CUstream s, t;
  CUevent fork, join;
  CUgraph graph;
  CUgraphExec exec;
  CUstreamCaptureStatus status;
  OK(cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
  OK(cuStreamCreate(&t, CU_STREAM_NON_BLOCKING));
  OK(cuEventCreate(&fork, CU_EVENT_DISABLE_TIMING));
  OK(cuEventCreate(&join, CU_EVENT_DISABLE_TIMING));
  CUdeviceptr in = g.put(ones(64)), x = g.put(ones(64)), y = g.put(ones(64));
  OK(cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  OK(cuStreamIsCapturing(s, &status));
  CHECK(status == CU_STREAM_CAPTURE_STATUS_ACTIVE);
  OK(g.start("axpy", 1, 64, Vector{x, in, 64, 1.0f}, s));  // x += 1
  OK(cuEventRecord(fork, s));
  OK(cuStreamWaitEvent(t, fork, 0));
  OK(g.start("axpy", 1, 64, Vector{y, x, 64, 1.0f}, t));   // y += x, on another stream
  OK(cuEventRecord(join, t));
  OK(cuStreamWaitEvent(s, join, 0));
  OK(cuMemsetD32Async(x, 0x40000000, 16, s));              // x[:16] = 2
  OK(cuStreamEndCapture(s, &graph));
  OK(cuStreamIsCapturing(t, &status));
  CHECK(status == CU_STREAM_CAPTURE_STATUS_NONE);
  OK(cuGraphInstantiate(&exec, graph, 0));
  OK(cuGraphDestroy(graph));
  OK(cuCtxSynchronize());
  CHECK(g.get<float>(x, 64) == ones(64));  // nothing has run
  for (int i = 0; i < 3; i++) OK(cuGraphLaunch(exec, s));
  OK(cuStreamSynchronize(s));
  std::vector<float> gx = g.get<float>(x, 64), gy = g.get<float>(y, 64);
  CHECK(gx[0] == 2 && gx[63] == 4);
  CHECK(gy[0] == 1 + 2 + 3 + 3 && gy[63] == 1 + 2 + 3 + 4);
  OK(cuGraphExecDestroy(exec));
  GIVES(CUDA_ERROR_INVALID_HANDLE, cuGraphLaunch(exec, s));
}

static void capture_errors() {
  Gpu g;
  CUstream s, t;
  CUevent e;
  CUgraph graph;
  CUdeviceptr p;
  OK(cuStreamCreate(&s, 0));
  OK(cuStreamCreate(&t, CU_STREAM_NON_BLOCKING));
  OK(cuEventCreate(&e, 0));
  CUdeviceptr x = g.alloc(256);
  char host[256];
  auto begin = [&] { OK(cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)); };
  auto is_void = [&] { GIVES(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, cuStreamEndCapture(s, &graph)); };
  GIVES(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuStreamBeginCapture(nullptr, CU_STREAM_CAPTURE_MODE_RELAXED));
  GIVES(CUDA_ERROR_ILLEGAL_STATE, cuStreamEndCapture(s, &graph));
  begin();
  GIVES(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuStreamSynchronize(s));
  GIVES(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, cuMemsetD8Async(x, 0, 1, s));
  is_void();
  begin();
  GIVES(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuMemAlloc(&p, 4));
  is_void();
  begin();
  GIVES(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuMemcpyDtoHAsync(host, x, 256, s));
  is_void();
  begin();
  GIVES(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, cuMemsetD8(x, 0, 1));
  is_void();
  begin();
  OK(cuEventRecord(e, t));
  GIVES(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, cuStreamWaitEvent(s, e, 0));
  is_void();
  begin();
  OK(cuEventRecord(e, s));
  OK(cuStreamWaitEvent(t, e, 0));
  OK(cuMemsetD8Async(x, 0, 1, t));
  GIVES(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, cuStreamEndCapture(t, &graph));
  GIVES(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, cuStreamEndCapture(s, &graph));
  GIVES(CUDA_ERROR_CAPTURED_EVENT, cuEventSynchronize(e));
  OK(cuStreamSynchronize(s));
  // A graph that outlives the memory it writes.
  CUgraphExec exec;
  begin();
  OK(cuMemsetD8Async(x, 0, 1, s));
  OK(cuStreamEndCapture(s, &graph));
  OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
  OK(cuMemFree(x));
  OK(cuGraphLaunch(exec, s));
  TELLS("a freed allocation", GIVES(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(s)));
}

int main() {
  int right = 0;
  for (const char *order : orders) {
    CHECK(with("LOCKSTEP_EMU_ORDER", order, [] { return int(two_streams(true)); }) == 1);
    right += with("LOCKSTEP_EMU_ORDER", order, [] { return int(two_streams(false)); });
    CHECK(with("LOCKSTEP_EMU_ORDER", order, [] { lateness(); capture(); capture_errors(); return 0; }) == 0);
  }
  CHECK(right < 3);
  puts("streams: ok");
}
