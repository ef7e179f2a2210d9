// Stream capture and graphs. A stream that captures turns its work into nodes; a graph gives the same work to a stream again.
#include "driver.h"

#include <algorithm>

namespace emu {

bool captures(Stream *s) { return s->capture != nullptr; }

static void invalidate(Capture &c) { c.invalid = true; }

CUresult may_wait(const char *call, Context *ctx) {
  for (Stream *s : ctx->streams) {
    Capture *c = s->capture.get();
    if (!c || c->mode == CU_STREAM_CAPTURE_MODE_RELAXED || (c->mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL && c->thread != thread_number())) continue;
    invalidate(*c);
    return refuse(call, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "not while a stream captures; the capture is void");
  }
  return CUDA_SUCCESS;
}

CUresult waits_for(const char *call, Stream *s) {
  if (!s->capture) return CUDA_SUCCESS;
  invalidate(*s->capture);
  return refuse(call, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the stream captures; the capture is void");
}

CUresult capture_work(const char *call, Stream *s, std::function<CUresult()> run) {
  Capture &c = *s->capture;
  if (c.invalid) return refuse(call, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the capture is void");
  c.nodes.push_back({s->lane, s->tips, std::move(run)});
  s->tips = {c.nodes.size() - 1};
  return CUDA_SUCCESS;
}

CUresult capture_event_wait(const char *call, Stream *s, CUstream h, Event *e) {
  if (!e->capture) {
    invalidate(*s->capture);
    return refuse(call, CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "a stream that captures cannot wait for an event recorded outside; the capture is void");
  }
  if (e->capture->ended) return refuse(call, CUDA_ERROR_CAPTURED_EVENT, "the event was recorded in a capture that has ended");
  if (s == s->context->legacy) return refuse(call, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "the stream 0 cannot join a capture");
  if (s->capture && s->capture != e->capture) {
    invalidate(*s->capture);
    invalidate(*e->capture);
    return refuse(call, CUDA_ERROR_STREAM_CAPTURE_MERGE, "the event was recorded in another capture; both are void");
  }
  if (!s->capture) {
    s->capture = e->capture;
    s->capture->streams.insert(h);
    s->tips.clear();
  }
  for (size_t t : e->tips)
    if (std::find(s->tips.begin(), s->tips.end(), t) == s->tips.end()) s->tips.push_back(t);
  return CUDA_SUCCESS;
}

}  // namespace emu

using namespace emu;

CUresult cuStreamBeginCapture_v2(CUstream h, CUstreamCaptureMode mode) {
  EMU_CONTEXT
  if (!h || h == CU_STREAM_LEGACY) return EMU_REFUSE(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the stream 0 cannot capture");
  EMU_FIND(Stream, s, h, Kind::stream)
  if (s->capture) return EMU_REFUSE(CUDA_ERROR_ILLEGAL_STATE, "the stream captures already");
  if (unsigned(mode) > CU_STREAM_CAPTURE_MODE_RELAXED) return EMU_REFUSE(CUDA_ERROR_INVALID_VALUE, "mode %d", int(mode));
  s->capture = std::make_shared<Capture>();
  s->capture->origin = h;
  s->capture->mode = mode;
  s->capture->thread = thread_number();
  s->capture->streams.insert(h);
  s->tips.clear();
  return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream h, CUgraph *out) {
  EMU_CONTEXT
  EMU_NEED(out)
  EMU_FIND(Stream, s, h, Kind::stream)
  *out = nullptr;
  std::shared_ptr<Capture> c = s->capture;
  if (!c) return EMU_REFUSE(CUDA_ERROR_ILLEGAL_STATE, "the stream does not capture");
  if (c->origin != h) return EMU_REFUSE(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "the capture began on another stream");
  if (c->mode != CU_STREAM_CAPTURE_MODE_RELAXED && c->thread != thread_number()) return EMU_REFUSE(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, "the capture began on another OS thread");
  std::vector<size_t> tips = s->tips;
  for (CUstream m : c->streams) {
    Stream *member = static_cast<Stream *>(find(m, Kind::stream));
    if (member) member->capture = nullptr, member->tips.clear();
  }
  c->ended = true;
  if (c->invalid) return EMU_REFUSE(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the capture is void");
  std::vector<bool> followed(c->nodes.size());
  for (auto &n : c->nodes)
    for (size_t a : n.after) followed[a] = true;
  for (size_t t : tips) followed[t] = true;
  if (std::find(followed.begin(), followed.end(), false) != followed.end())
    return EMU_REFUSE(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "the first stream of the capture does not wait for the last work of another");
  auto g = std::make_unique<Graph>();
  g->kind = Kind::graph;
  g->context = ctx;
  g->nodes = std::move(c->nodes);
  g->lane = s->lane;
  *out = static_cast<CUgraph>(keep(std::move(g)));
  return CUDA_SUCCESS;
}

CUresult cuStreamIsCapturing(CUstream h, CUstreamCaptureStatus *status) {
  EMU_CONTEXT
  EMU_NEED(status)
  CUresult error;
  Stream *s = stream_of(__func__, ctx, h, &error);
  if (!s) return error;
  *status = !s->capture ? CU_STREAM_CAPTURE_STATUS_NONE : s->capture->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED : CU_STREAM_CAPTURE_STATUS_ACTIVE;
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *out, CUgraph h, unsigned long long) {
  EMU_CONTEXT
  EMU_NEED(out)
  EMU_FIND(Graph, g, h, Kind::graph)
  auto x = std::make_unique<Exec>();
  x->kind = Kind::exec;
  x->context = g->context;
  x->nodes = g->nodes;
  x->lane = g->lane;
  *out = static_cast<CUgraphExec>(keep(std::move(x)));
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiate_v2(CUgraphExec *out, CUgraph h, CUgraphNode *, char *, size_t) { return cuGraphInstantiateWithFlags(out, h, 0); }
CUresult cuGraphInstantiate(CUgraphExec *out, CUgraph h, CUgraphNode *, char *, size_t) { return cuGraphInstantiateWithFlags(out, h, 0); }

CUresult cuGraphLaunch(CUgraphExec h, CUstream stream) {
  EMU_CONTEXT
  EMU_FIND(Exec, x, h, Kind::exec)
  CUresult error;
  Stream *s = stream_of(__func__, ctx, stream, &error);
  if (!s) return error;
  if (captures(s)) return EMU_REFUSE(CUDA_ERROR_NOT_SUPPORTED, "a graph within a capture");
  if (x->context != ctx) return EMU_REFUSE(CUDA_ERROR_INVALID_VALUE, "the graph belongs to another context than the current one");
  std::vector<WorkRef> first = before_next(s), works;
  first.push_back(x->last);
  std::vector<bool> followed(x->nodes.size());
  for (auto &n : x->nodes) {
    std::vector<WorkRef> after;
    for (size_t a : n.after) after.push_back(works[a]), followed[a] = true;
    if (n.after.empty()) after = first;
    works.push_back(enqueue(ctx, n.lane == x->lane ? s->lane : n.lane, after, n.run));
  }
  std::vector<WorkRef> ends = first;
  for (size_t i = 0; i < works.size(); i++)
    if (!followed[i]) ends.push_back(works[i]);
  s->last = x->last = enqueue(ctx, s->lane, ends, nullptr);
  return CUDA_SUCCESS;
}

// Launches that were given still run: their work is their own.
CUresult cuGraphExecDestroy(CUgraphExec h) {
  EMU_CONTEXT
  EMU_FIND(Exec, x, h, Kind::exec)
  (void)x;
  drop(h);
  return CUDA_SUCCESS;
}

CUresult cuGraphDestroy(CUgraph h) {
  EMU_CONTEXT
  EMU_FIND(Graph, g, h, Kind::graph)
  (void)g;
  drop(h);
  return CUDA_SUCCESS;
}

CUresult cuGraphGetNodes(CUgraph h, CUgraphNode *, size_t *count) {
  EMU_CONTEXT
  EMU_NEED(count)
  EMU_FIND(Graph, g, h, Kind::graph)
  *count = g->nodes.size();
  return CUDA_SUCCESS;
}
