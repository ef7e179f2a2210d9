// Options, messages, handles and contexts.
#include "driver.h"

#include <atomic>
#include <cstdlib>
#include <unordered_map>

namespace emu {

std::recursive_mutex lock;
bool initialised;
std::vector<Device> devices;

static Options read_options() {
  Options o;
  if (const char *s = getenv("LOCKSTEP_EMU_ORDER")) {
    if (!strcmp(s, "") || !strcmp(s, "forward")) o.order = Order::forward;
    else if (!strcmp(s, "reverse")) o.order = Order::reverse;
    else if (!strncmp(s, "permuted", 8) && (!s[8] || s[8] == ':')) {
      o.order = Order::permuted;
      if (s[8]) o.seed = strtoull(s + 9, nullptr, 10);
    } else {
      say("LOCKSTEP_EMU_ORDER=%s: neither forward, reverse, permuted nor permuted:SEED", s);
      abort();
    }
  }
  if (const char *s = getenv("LOCKSTEP_EMU_MEMORY")) o.memory = strtoull(s, nullptr, 10);
  if (const char *s = getenv("LOCKSTEP_EMU_DEVICES")) o.devices = atoi(s);
  if (const char *s = getenv("LOCKSTEP_EMU_VERSION")) o.version = atoi(s);
  return o;
}

const Options &options() {
  static const Options o = read_options();
  return o;
}

void vsay(const char *format, va_list args) {
  char text[1024];
  int n = snprintf(text, sizeof text, "emu: ");
  n += vsnprintf(text + n, sizeof text - size_t(n) - 1, format, args);
  if (n > int(sizeof text) - 2) n = int(sizeof text) - 2;
  text[n] = '\n';
  fwrite(text, 1, size_t(n) + 1, stderr);
}

void say(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsay(format, args);
  va_end(args);
}

CUresult refuse(const char *call, CUresult code, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  const char *name = "?";
  cuGetErrorName(code, &name);
  say("%s: %s (%s)", call, text, name);
  return code;
}

uint64_t thread_number() {
  static std::atomic<uint64_t> last{0};
  static thread_local uint64_t mine = ++last;
  return mine;
}

std::vector<CUcontext> &context_stack() {
  static thread_local std::vector<CUcontext> stack;
  return stack;
}

// Handles count up and are never used twice, so that one that was destroyed is told from one that never was. They are no
// addresses: who follows one faults at once.
static std::unordered_map<uint64_t, std::unique_ptr<Object>> objects;
static std::map<uint64_t, Kind> destroyed;
static constexpr uint64_t FIRST = 0x7e00000000000000, STEP = 64;
static uint64_t next_handle = FIRST;

void *keep(std::unique_ptr<Object> o) {
  uint64_t h = next_handle += STEP;
  objects[h] = std::move(o);
  return reinterpret_cast<void *>(h);
}

Object *find(const void *handle, Kind kind) {
  auto i = objects.find(reinterpret_cast<uint64_t>(handle));
  return i != objects.end() && i->second->kind == kind ? i->second.get() : nullptr;
}

void drop(const void *handle) {
  auto i = objects.find(reinterpret_cast<uint64_t>(handle));
  destroyed[i->first] = i->second->kind;
  objects.erase(i);
}

const char *blame(const void *handle, Kind kind) {
  static const char *const is_no[] = {"is no context", "is no module", "is no function", "is no stream", "is no event", "is no graph", "is no instantiated graph"};
  if (!handle) return "is null";
  return destroyed.count(reinterpret_cast<uint64_t>(handle)) ? "was destroyed" : is_no[int(kind)];
}

CUcontext handle_of(Context *c) {
  for (auto &o : objects)
    if (o.second.get() == c) return reinterpret_cast<CUcontext>(o.first);
  return nullptr;
}

Context *new_context(Device *device, bool primary, unsigned flags, CUcontext *handle) {
  auto c = std::make_unique<Context>();
  Context *ctx = c.get();
  c->kind = Kind::context;
  c->context = ctx;
  c->device = device;
  c->primary = primary;
  c->flags = flags;
  *handle = static_cast<CUcontext>(keep(std::move(c)));
  auto s = std::make_unique<Stream>();
  s->kind = Kind::stream;
  s->context = ctx;
  s->lane = next_handle;
  ctx->legacy = s.get();
  ctx->streams.insert(s.get());
  keep(std::move(s));
  return ctx;
}

// Everything that was made in a context goes with it.
void destroy_context(CUcontext handle) {
  Context *ctx = static_cast<Context *>(find(handle, Kind::context));
  run_all(ctx);
  release_all(ctx);
  std::vector<const void *> mine;
  for (auto &o : objects)
    if (o.second->context == ctx && o.second.get() != ctx) mine.push_back(reinterpret_cast<void *>(o.first));
  for (const void *h : mine) drop(h);
  if (ctx->device->primary == ctx) ctx->device->primary = nullptr;
  drop(handle);
}

}  // namespace emu
