// The driver's half of the emulator: devices, contexts, handles, memory, and work that waits for its turn. api_*.cpp are the C
// functions over it. One lock serves all: every API function holds it from its first line to its last.
#pragma once
#define __CUDA_API_VERSION_INTERNAL  // cuda.h names every version of a function by its symbol
#pragma GCC visibility push(default)
#include <cuda.h>
#pragma GCC visibility pop

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "run.h"

namespace emu {

typedef uint64_t Address;

struct Context;
struct Capture;
struct Event;

// One piece of work. It runs once all it comes after are done.
struct Work {
  uint64_t number;                        // in the order of the calls
  uint64_t lane;                          // of the stream that it was given to; work of one lane runs in order
  Context *context;
  std::vector<std::shared_ptr<Work>> after;
  std::function<CUresult()> run;
  bool done = false;
  double seconds = 0;                     // when it ran
};
typedef std::shared_ptr<Work> WorkRef;

enum class Kind { context, module, function, stream, event, graph, exec };

struct Object {
  Kind kind;
  Context *context;
  virtual ~Object() {}
};

struct Device {
  int index;
  uint64_t used = 0;
  Context *primary = nullptr;
  unsigned retained = 0, flags = 0;
  uint64_t allocations = 0, kernels = 0;  // so far, see failure.cpp
  bool lost = false;
};

struct Context : Object {
  Device *device;
  bool primary = false;
  unsigned flags = 0;
  CUresult sticky = CUDA_SUCCESS;         // an error of a kernel stays until the context goes
  struct Stream *legacy = nullptr;        // the stream 0
  std::set<struct Stream *> streams;
  bool unchecked = false;                 // a kernel ran since guards were looked at
};

struct Stream : Object {
  uint64_t lane;
  unsigned flags = 0;
  int priority = 0;
  WorkRef last;                           // given to it
  std::vector<WorkRef> joins;             // what the next work waits for beside it
  std::shared_ptr<Capture> capture;
  std::vector<size_t> tips;               // while capturing: the nodes that the next one follows
};

struct Event : Object {
  unsigned flags = 0;
  WorkRef recorded;
  std::shared_ptr<Capture> capture;       // recorded while capturing: a place in the graph
  std::vector<size_t> tips;
};

struct Module : Object {
  CUmodule handle;
  std::map<std::string, CUfunction> functions;
};

struct Function : Object {
  CUmodule module;
  Kernel *kernel;
  unsigned dynamic_most = SHARED_DEFAULT;  // may rise to SHARED_MOST
  int carveout = -1;
};

// Captured work, and a graph of it.
struct Node {
  uint64_t lane;
  std::vector<size_t> after;
  std::function<CUresult()> run;
};
struct Capture {
  CUstream origin;
  CUstreamCaptureMode mode;
  uint64_t thread;                        // the OS thread that began it
  bool invalid = false, ended = false;
  std::vector<Node> nodes;
  std::set<CUstream> streams;
};
struct Graph : Object {
  std::vector<Node> nodes;
  uint64_t lane = 0;
};
struct Exec : Object {
  std::vector<Node> nodes;
  uint64_t lane;                          // of the stream that began the capture
  WorkRef last;                           // launches of one exec follow each other
};

// driver.cpp
extern std::recursive_mutex lock;
extern bool initialised;
extern std::vector<Device> devices;
uint64_t thread_number();
CUresult refuse(const char *call, CUresult, const char *format, ...) __attribute__((format(printf, 3, 4)));
std::vector<CUcontext> &context_stack();      // of this OS thread; the last is current
Context *new_context(Device *, bool primary, unsigned flags, CUcontext *handle);
void destroy_context(CUcontext);
CUcontext handle_of(Context *);
void *keep(std::unique_ptr<Object>);          // gives it a handle that is never used again
Object *find(const void *handle, Kind);       // null: no such handle; blame says why
void drop(const void *handle);
const char *blame(const void *handle, Kind);  // "was destroyed", "is no stream"

// memory.cpp
CUresult allocate(const char *call, Context *, uint64_t bytes, Address *);
CUresult release_memory(const char *call, Context *, Address);
void release_all(Context *);
CUresult check_range(const char *call, Context *, Address, uint64_t bytes, const char *what);  // [p, p+bytes) lies in one allocation
bool still_there(Context *, Address, uint64_t bytes);
CUresult check_guards(Context *, const char *when);  // after a kernel: did it write where it may not?
CUresult check_memory(Context *, const char *when);  // when somebody waits: and into freed memory? Gives the context's error
void move(void *to, const void *from, uint64_t bytes);  // between host and device
bool range_of(Address, Address *base, uint64_t *bytes);
CUresult allocate_host(const char *call, Context *, uint64_t bytes, void **);
CUresult release_host(const char *call, void *);
bool is_pinned(const void *, uint64_t bytes);
CUresult check_host(const char *call, const void *, uint64_t bytes);  // not half out of a pinned allocation

// stream.cpp
Stream *stream_of(const char *call, Context *, CUstream, CUresult *error);
CUresult give(const char *call, Stream *, std::function<CUresult()>, WorkRef * = nullptr);  // or adds it to a capture
WorkRef enqueue(Context *, uint64_t lane, std::vector<WorkRef> after, std::function<CUresult()>);
std::vector<WorkRef> before_next(Stream *);   // what the next work of a stream waits for
void run_until(const WorkRef &);              // that, and whatever the order of this run lets run before it
void run_step(const WorkRef &);               // one piece of work on the way to it
void run_all(Context *);                      // everything of a context

// failure.cpp
void count_call(const char *name);
void write_calls();
bool no_memory(Device *);          // this allocation finds none
CUresult before_kernel(Device *);  // an error in its place

// graph.cpp
CUresult may_wait(const char *call, Context *);                    // an error while a capture forbids it to this OS thread
CUresult waits_for(const char *call, Stream *);                    // an error if that stream captures
CUresult capture_work(const char *call, Stream *, std::function<CUresult()>);
CUresult capture_event_wait(const char *call, Stream *, CUstream, Event *);
bool captures(Stream *);

// Every API function starts with one of these.
#define EMU_BEGIN_CALL                                  \
  std::lock_guard<std::recursive_mutex> hold(lock);     \
  count_call(__func__);                                 \
  if (!initialised) return refuse(__func__, CUDA_ERROR_NOT_INITIALIZED, "before cuInit");
#define EMU_CONTEXT                                                                                              \
  EMU_BEGIN_CALL                                                                                                 \
  if (context_stack().empty()) return refuse(__func__, CUDA_ERROR_INVALID_CONTEXT, "no context is current on this OS thread");  \
  [[maybe_unused]] Context *ctx = static_cast<Context *>(find(context_stack().back(), Kind::context));                            \
  if (!ctx) return refuse(__func__, CUDA_ERROR_CONTEXT_IS_DESTROYED, "the current context was destroyed");        \
  if (ctx->device->lost) return CUDA_ERROR_DEVICE_UNAVAILABLE;                                                    \
  if (ctx->sticky) return ctx->sticky;
#define EMU_REFUSE(code, ...) refuse(__func__, code, __VA_ARGS__)
#define EMU_DEVICE(d) \
  if (d < 0 || size_t(d) >= devices.size()) return EMU_REFUSE(CUDA_ERROR_INVALID_DEVICE, "device %d of %zu", d, devices.size());
#define EMU_FIND(T, var, handle, k)                          \
  T *var = static_cast<T *>(find(handle, k));                \
  if (!var) return EMU_REFUSE(CUDA_ERROR_INVALID_HANDLE, "%p %s", static_cast<const void *>(handle), blame(handle, k));
#define EMU_NEED(pointer) \
  if (!(pointer)) return EMU_REFUSE(CUDA_ERROR_INVALID_VALUE, #pointer " is null");

}  // namespace emu
