// Streams: work waits in lanes, one for each stream, until something synchronises. A card would run it at any time and several
// streams at once; so which work runs before the one that is waited for depends on LOCKSTEP_EMU_ORDER:
//   forward   only what it needs; of all, streams in the order in which they were made;
//   reverse   everything that can run, the last-made stream first;
//   permuted  any work that can run, until it is done.
// A result that needs an order which no event asks for is wrong in one of them.
#include "driver.h"

#include <algorithm>
#include <ctime>
#include <unordered_set>

namespace emu {

static std::map<uint64_t, std::deque<WorkRef>> lanes;  // none is empty
static uint64_t number;
static Random luck{0};

static double seconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

static void execute(WorkRef w) {
  auto lane = lanes.find(w->lane);
  auto &q = lane->second;
  q.erase(std::find(q.begin(), q.end(), w));
  if (q.empty()) lanes.erase(lane);
  if (!w->context->sticky && w->run)
    if (CUresult rc = w->run()) w->context->sticky = rc;
  w->done = true;
  w->seconds = seconds();
  w->after.clear();
  w->run = nullptr;
}

static bool can_run(const WorkRef &w) {
  for (auto &a : w->after)
    if (!a->done) return false;
  return true;
}

// The works that w needs, itself the last, in the order in which they were given, which is one in which they can run.
static std::vector<WorkRef> needs(const WorkRef &w) {
  std::vector<WorkRef> all{w};
  std::unordered_set<Work *> seen{w.get()};
  for (size_t i = 0; i < all.size(); i++) {
    std::vector<WorkRef> after = all[i]->after;
    for (auto &a : after)
      if (!a->done && seen.insert(a.get()).second) all.push_back(a);
  }
  std::sort(all.begin(), all.end(), [](const WorkRef &a, const WorkRef &b) { return a->number < b->number; });
  return all;
}

// Some work that can run, by the order of this run. There is always one: the work that was given first.
static WorkRef pick() {
  std::vector<WorkRef> heads;
  for (auto &l : lanes)
    if (can_run(l.second.front())) heads.push_back(l.second.front());
  switch (options().order) {
    case Order::forward: return heads.front();
    case Order::reverse: return heads.back();
    default: return heads[luck.below(heads.size())];
  }
}

void run_until(const WorkRef &w) {
  if (!w || w->done) return;
  if (!luck.state) luck.state = options().seed;
  switch (options().order) {
    case Order::forward:
      for (auto &n : needs(w)) execute(n);
      break;
    case Order::reverse:
      while (!lanes.empty()) execute(pick());
      break;
    case Order::permuted:
      while (!w->done) execute(pick());
  }
}

void run_step(const WorkRef &w) {
  if (w && !w->done) execute(needs(w).front());
}

void run_all(Context *ctx) {
  if (!luck.state) luck.state = options().seed;
  auto waiting = [&] {
    for (auto &l : lanes)
      for (auto &w : l.second)
        if (w->context == ctx) return true;
    return false;
  };
  while (waiting()) execute(pick());
}

WorkRef enqueue(Context *ctx, uint64_t lane, std::vector<WorkRef> after, std::function<CUresult()> run) {
  auto w = std::make_shared<Work>();
  w->number = ++number;
  w->lane = lane;
  w->context = ctx;
  for (auto &a : after)
    if (a && !a->done) w->after.push_back(a);
  w->run = std::move(run);
  lanes[lane].push_back(w);
  return w;
}

// Stream order, and that of the stream 0: it waits for all streams that are not "non-blocking", and they wait for it.
std::vector<WorkRef> before_next(Stream *s) {
  std::vector<WorkRef> after = std::move(s->joins);
  s->joins.clear();
  after.push_back(s->last);
  if (s == s->context->legacy) {
    for (Stream *o : s->context->streams)
      if (!(o->flags & CU_STREAM_NON_BLOCKING)) after.push_back(o->last);
  } else if (!(s->flags & CU_STREAM_NON_BLOCKING)) {
    after.push_back(s->context->legacy->last);
  }
  return after;
}

CUresult give(const char *call, Stream *s, std::function<CUresult()> run, WorkRef *out) {
  if (captures(s)) return capture_work(call, s, std::move(run));
  if (s == s->context->legacy)
    for (Stream *o : s->context->streams)
      if (captures(o) && !(o->flags & CU_STREAM_NON_BLOCKING)) {
        o->capture->invalid = true;
        return refuse(call, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "work for the stream 0 would wait for a stream that captures");
      }
  s->last = enqueue(s->context, s->lane, before_next(s), std::move(run));
  if (out) *out = s->last;
  return CUDA_SUCCESS;
}

Stream *stream_of(const char *call, Context *ctx, CUstream h, CUresult *error) {
  *error = CUDA_SUCCESS;
  if (!h || h == CU_STREAM_LEGACY) return ctx->legacy;
  if (h == CU_STREAM_PER_THREAD) {
    *error = refuse(call, CUDA_ERROR_NOT_SUPPORTED, "CU_STREAM_PER_THREAD");
    return nullptr;
  }
  Stream *s = static_cast<Stream *>(find(h, Kind::stream));
  if (!s) *error = refuse(call, CUDA_ERROR_INVALID_HANDLE, "stream %p %s", static_cast<void *>(h), blame(h, Kind::stream));
  else if (s->context != ctx) {
    *error = refuse(call, CUDA_ERROR_INVALID_HANDLE, "stream %p belongs to another context than the current one", static_cast<void *>(h));
    s = nullptr;
  }
  return s;
}

}  // namespace emu

using namespace emu;

#define EMU_STREAM(var, handle)                                \
  CUresult var##_error;                                        \
  Stream *var = stream_of(__func__, ctx, handle, &var##_error); \
  if (!var) return var##_error;

CUresult cuStreamCreateWithPriority(CUstream *out, unsigned flags, int priority) {
  EMU_CONTEXT
  EMU_NEED(out)
  if (flags & ~unsigned(CU_STREAM_NON_BLOCKING)) return EMU_REFUSE(CUDA_ERROR_INVALID_VALUE, "flags 0x%x", flags);
  auto s = std::make_unique<Stream>();
  Stream *raw = s.get();
  s->kind = Kind::stream;
  s->context = ctx;
  s->flags = flags;
  s->priority = priority;
  ctx->streams.insert(raw);
  *out = static_cast<CUstream>(keep(std::move(s)));
  raw->lane = reinterpret_cast<uint64_t>(*out);
  return CUDA_SUCCESS;
}

CUresult cuStreamCreate(CUstream *out, unsigned flags) { return cuStreamCreateWithPriority(out, flags, 0); }

// What the stream was given still runs: its lane stays.
CUresult cuStreamDestroy_v2(CUstream h) {
  EMU_CONTEXT
  EMU_FIND(Stream, s, h, Kind::stream)
  if (captures(s)) {
    s->capture->invalid = true;
    s->capture->streams.erase(h);
  }
  if (s->last && !s->last->done) s->context->legacy->joins.push_back(s->last);
  s->context->streams.erase(s);
  drop(h);
  return CUDA_SUCCESS;
}

CUresult cuStreamSynchronize(CUstream h) {
  EMU_CONTEXT
  EMU_STREAM(s, h)
  if (CUresult rc = waits_for(__func__, s)) return rc;
  std::vector<WorkRef> joins = s == ctx->legacy ? before_next(s) : std::vector<WorkRef>{s->last};
  for (auto &w : joins) run_until(w);
  return check_memory(ctx, __func__);
}

CUresult cuStreamQuery(CUstream h) {
  EMU_CONTEXT
  EMU_STREAM(s, h)
  if (CUresult rc = waits_for(__func__, s)) return rc;
  if (!s->last || s->last->done) return CUDA_SUCCESS;
  run_step(s->last);  // so that who asks again and again gets there
  return ctx->sticky ? ctx->sticky : CUDA_ERROR_NOT_READY;
}

CUresult cuStreamGetFlags(CUstream h, unsigned *flags) {
  EMU_CONTEXT
  EMU_STREAM(s, h)
  EMU_NEED(flags)
  *flags = s->flags;
  return CUDA_SUCCESS;
}

CUresult cuStreamGetPriority(CUstream h, int *priority) {
  EMU_CONTEXT
  EMU_STREAM(s, h)
  EMU_NEED(priority)
  *priority = s->priority;
  return CUDA_SUCCESS;
}

CUresult cuStreamWaitEvent(CUstream h, CUevent e, unsigned) {
  EMU_CONTEXT
  EMU_STREAM(s, h)
  EMU_FIND(Event, ev, e, Kind::event)
  if (ev->capture || captures(s)) return capture_event_wait(__func__, s, h, ev);
  if (ev->recorded && !ev->recorded->done) s->joins.push_back(ev->recorded);
  return CUDA_SUCCESS;
}

CUresult cuEventCreate(CUevent *out, unsigned flags) {
  EMU_CONTEXT
  EMU_NEED(out)
  auto e = std::make_unique<Event>();
  e->kind = Kind::event;
  e->context = ctx;
  e->flags = flags;
  *out = static_cast<CUevent>(keep(std::move(e)));
  return CUDA_SUCCESS;
}

CUresult cuEventDestroy_v2(CUevent h) {
  EMU_CONTEXT
  EMU_FIND(Event, e, h, Kind::event)
  (void)e;
  drop(h);
  return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent h, CUstream stream) {
  EMU_CONTEXT
  EMU_FIND(Event, e, h, Kind::event)
  EMU_STREAM(s, stream)
  if (e->context != ctx) return EMU_REFUSE(CUDA_ERROR_INVALID_HANDLE, "the event belongs to another context than the stream");
  if (captures(s)) {
    e->capture = s->capture;
    e->tips = s->tips;
    e->recorded = nullptr;
    return CUDA_SUCCESS;
  }
  e->capture = nullptr;
  return give(__func__, s, nullptr, &e->recorded);
}

CUresult cuEventSynchronize(CUevent h) {
  EMU_CONTEXT
  EMU_FIND(Event, e, h, Kind::event)
  if (e->capture) return EMU_REFUSE(CUDA_ERROR_CAPTURED_EVENT, "the event was recorded in a capture");
  if (CUresult rc = may_wait(__func__, ctx)) return rc;
  run_until(e->recorded);
  return check_memory(ctx, __func__);
}

CUresult cuEventQuery(CUevent h) {
  EMU_CONTEXT
  EMU_FIND(Event, e, h, Kind::event)
  if (e->capture) return EMU_REFUSE(CUDA_ERROR_CAPTURED_EVENT, "the event was recorded in a capture");
  if (CUresult rc = may_wait(__func__, ctx)) return rc;
  if (!e->recorded || e->recorded->done) return CUDA_SUCCESS;
  run_step(e->recorded);
  return ctx->sticky ? ctx->sticky : CUDA_ERROR_NOT_READY;
}

CUresult cuEventElapsedTime_v2(float *ms, CUevent a, CUevent b) {
  EMU_CONTEXT
  EMU_NEED(ms)
  EMU_FIND(Event, x, a, Kind::event)
  EMU_FIND(Event, y, b, Kind::event)
  for (Event *e : {x, y}) {
    if (e->flags & CU_EVENT_DISABLE_TIMING) return EMU_REFUSE(CUDA_ERROR_INVALID_HANDLE, "an event without timing");
    if (!e->recorded) return EMU_REFUSE(CUDA_ERROR_INVALID_HANDLE, "an event that was not recorded");
  }
  if (!x->recorded->done || !y->recorded->done) return CUDA_ERROR_NOT_READY;
  *ms = float((y->recorded->seconds - x->recorded->seconds) * 1e3);
  return CUDA_SUCCESS;
}

CUresult cuEventElapsedTime(float *ms, CUevent a, CUevent b) { return cuEventElapsedTime_v2(ms, a, b); }

CUresult cuCtxSynchronize(void) {
  EMU_CONTEXT
  if (CUresult rc = may_wait(__func__, ctx)) return rc;
  run_all(ctx);
  return check_memory(ctx, __func__);
}
