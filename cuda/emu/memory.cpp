// Device memory and pinned host memory. Both are the host's, with a guard zone on either side of each allocation and 0xff in it,
// so that a kernel that reads what was never written gets NaNs, and one that writes past an end is found out.
#include "driver.h"

#include <cstdlib>

namespace emu {

struct Range {
  uint64_t bytes;
  Context *context;  // null: pinned host memory
};

static constexpr uint64_t GUARD = 1024, QUARANTINE = 1 << 20;
static constexpr unsigned char GUARD_BYTE = 0xa5, FRESH = 0xff;

static std::map<Address, Range> live, pinned, freed;  // freed: to tell a use after free from a wild pointer

// Freed memory stays unused for a while, so that a write through an old pointer is seen. AddressSanitizer has its own.
struct Rest {
  Address p;
  uint64_t bytes;
  Context *context;
};
static std::deque<Rest> resting;
static uint64_t resting_bytes;

static char *take(uint64_t bytes) {
  char *p = static_cast<char *>(aligned_alloc(256, (bytes + 2 * GUARD + 255) / 256 * 256));
  if (!p) return nullptr;
  memset(p, GUARD_BYTE, GUARD);
  memset(p + GUARD, FRESH, bytes);
  memset(p + GUARD + bytes, GUARD_BYTE, GUARD);
  EMU_POISON(p, GUARD);
  EMU_POISON(p + GUARD + bytes, GUARD);
  return p + GUARD;
}

static void give_back(Address p, [[maybe_unused]] uint64_t bytes) {
  EMU_UNPOISON(reinterpret_cast<char *>(p) - GUARD, bytes + 2 * GUARD);
  free(reinterpret_cast<char *>(p) - GUARD);
}

// The first byte of n that is not `want`; n: none.
static uint64_t first_other(const unsigned char *p, uint64_t n, unsigned char want) {
  if (EMU_ASAN || !n || (p[0] == want && !memcmp(p, p + 1, n - 1))) return n;
  uint64_t i = 0;
  while (p[i] == want) i++;
  return i;
}

// Says what was written round an allocation, and mends it, so that it is told once.
static bool guards_hold(Address p, const Range &r, const char *when) {
  unsigned char *base = reinterpret_cast<unsigned char *>(p);
  uint64_t before = first_other(base - GUARD, GUARD, GUARD_BYTE), after = first_other(base + r.bytes, GUARD, GUARD_BYTE);
  const char *what = r.context ? "allocation" : "pinned allocation";
  if (before < GUARD) say("%s: %lu bytes before the %s of %lu bytes at %p were written to", when, GUARD - before, what, r.bytes, static_cast<void *>(base));
  if (after < GUARD) say("%s: offset %lu of the %s of %lu bytes at %p was written to, past its end", when, r.bytes + after, what, r.bytes, static_cast<void *>(base));
  if (before == GUARD && after == GUARD) return true;
  memset(base - GUARD, GUARD_BYTE, GUARD);
  memset(base + r.bytes, GUARD_BYTE, GUARD);
  return false;
}

static bool rest_untouched(const Rest &r, const char *when) {
  uint64_t i = first_other(reinterpret_cast<unsigned char *>(r.p), r.bytes, FRESH);
  if (i == r.bytes) return true;
  say("%s: offset %lu of freed memory (%lu bytes at %p) was written to", when, i, r.bytes, reinterpret_cast<void *>(r.p));
  memset(reinterpret_cast<void *>(r.p), FRESH, r.bytes);
  return false;
}

CUresult check_guards(Context *ctx, const char *when) {
  if (EMU_ASAN) return CUDA_SUCCESS;
  bool good = true;
  for (auto &m : live)
    if (m.second.context->device == ctx->device) good &= guards_hold(m.first, m.second, when);
  for (auto &m : pinned) good &= guards_hold(m.first, m.second, when);
  return good ? CUDA_SUCCESS : CUDA_ERROR_ILLEGAL_ADDRESS;
}

static bool check_rest(Context *ctx, const char *when) {
  bool good = true;
  for (auto &r : resting)
    if (r.context == ctx) good &= rest_untouched(r, when);
  return good;
}

CUresult check_memory(Context *ctx, const char *when) {
  if (!ctx->unchecked || EMU_ASAN) return ctx->sticky;
  ctx->unchecked = false;
  if (!check_rest(ctx, when) && !ctx->sticky) ctx->sticky = CUDA_ERROR_ILLEGAL_ADDRESS;
  return ctx->sticky;
}

static void remember_freed(Address p, const Range &r) {
  if (freed.size() > 4096) freed.erase(freed.begin());
  freed[p] = r;
}

static void forget_freed(Address p, uint64_t bytes) {
  auto i = freed.upper_bound(p + bytes + GUARD);
  while (i != freed.begin() && (--i)->first + i->second.bytes + GUARD > p) i = freed.erase(i);
}

CUresult allocate(const char *call, Context *ctx, uint64_t bytes, Address *p) {
  if (!bytes) return refuse(call, CUDA_ERROR_INVALID_VALUE, "0 bytes");
  Device *d = ctx->device;
  if (bytes > options().memory || d->used + (bytes + 255) / 256 * 256 > options().memory)
    return refuse(call, CUDA_ERROR_OUT_OF_MEMORY, "%lu bytes, and device %d has %lu of %lu left", bytes, d->index, options().memory - d->used, options().memory);
  if (no_memory(d)) return refuse(call, CUDA_ERROR_OUT_OF_MEMORY, "%lu bytes, and others hold the memory of device %d", bytes, d->index);
  char *m = take(bytes);
  if (!m) return refuse(call, CUDA_ERROR_OUT_OF_MEMORY, "%lu bytes, and the host has no more", bytes);
  *p = reinterpret_cast<Address>(m);
  d->used += (bytes + 255) / 256 * 256;
  forget_freed(*p, bytes);
  live[*p] = {bytes, ctx};
  return CUDA_SUCCESS;
}

static void rest(Address p, const Range &r) {
  if (EMU_ASAN || r.bytes > QUARANTINE / 4) return give_back(p, r.bytes);
  memset(reinterpret_cast<void *>(p), FRESH, r.bytes);
  resting.push_back({p, r.bytes, r.context});
  resting_bytes += r.bytes;
  while (resting_bytes > QUARANTINE) {
    Rest &old = resting.front();
    if (!rest_untouched(old, "end of the quarantine of freed memory") && !old.context->sticky) old.context->sticky = CUDA_ERROR_ILLEGAL_ADDRESS;
    resting_bytes -= old.bytes;
    give_back(old.p, old.bytes);
    resting.pop_front();
  }
}

static const char *where(Address p, char *text, size_t size) {
  for (auto *map : {&live, &pinned, &freed}) {
    auto i = map->upper_bound(p + GUARD);
    while (i != map->begin() && (--i)->first + i->second.bytes + GUARD > p) {
      snprintf(text, size, "offset %ld of %s of %lu bytes", long(p - i->first), map == &live ? "the allocation" : map == &pinned ? "the pinned allocation" : "a freed allocation", i->second.bytes);
      return text;
    }
  }
  snprintf(text, size, "in no allocation");
  return text;
}

CUresult release_memory(const char *call, Context *ctx, Address p) {
  auto i = live.find(p);
  char text[128];
  if (i == live.end()) return refuse(call, CUDA_ERROR_INVALID_VALUE, "%p is %s", reinterpret_cast<void *>(p), where(p, text, sizeof text));
  if (i->second.context != ctx) return refuse(call, CUDA_ERROR_INVALID_VALUE, "%p belongs to another context than the current one", reinterpret_cast<void *>(p));
  CUresult rc = guards_hold(p, i->second, call) ? CUDA_SUCCESS : CUDA_ERROR_ILLEGAL_ADDRESS;
  if (rc) ctx->sticky = rc;
  ctx->device->used -= (i->second.bytes + 255) / 256 * 256;
  remember_freed(p, i->second);
  rest(p, i->second);
  live.erase(i);
  return rc;
}

void release_all(Context *ctx) {
  for (auto i = live.begin(); i != live.end();) {
    if (i->second.context != ctx) { ++i; continue; }
    guards_hold(i->first, i->second, "end of the context");
    ctx->device->used -= (i->second.bytes + 255) / 256 * 256;
    remember_freed(i->first, i->second);
    give_back(i->first, i->second.bytes);
    i = live.erase(i);
  }
  for (auto i = resting.begin(); i != resting.end();) {
    if (i->context != ctx) { ++i; continue; }
    rest_untouched(*i, "end of the context");
    resting_bytes -= i->bytes;
    give_back(i->p, i->bytes);
    i = resting.erase(i);
  }
}

// ThreadSanitizer must not see the host's side: Go's heap changes hands in ways that it does not know.
void move(void *to, const void *from, uint64_t bytes) {
#if EMU_TSAN
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
#else
  memcpy(to, from, bytes);
#endif
}

static std::map<Address, Range>::iterator holder(std::map<Address, Range> &map, Address p) {
  auto i = map.upper_bound(p);
  if (i == map.begin()) return map.end();
  --i;
  return p < i->first + i->second.bytes ? i : map.end();
}

CUresult check_range(const char *call, Context *ctx, Address p, uint64_t bytes, const char *what) {
  auto i = holder(live, p);
  char text[128];
  if (i == live.end()) return refuse(call, CUDA_ERROR_INVALID_VALUE, "%s %p is %s", what, reinterpret_cast<void *>(p), where(p, text, sizeof text));
  if (i->second.context->device != ctx->device)
    return refuse(call, CUDA_ERROR_INVALID_VALUE, "%s %p is memory of device %d, and the current context is of device %d", what, reinterpret_cast<void *>(p), i->second.context->device->index, ctx->device->index);
  if (bytes > i->first + i->second.bytes - p)
    return refuse(call, CUDA_ERROR_INVALID_VALUE, "%lu bytes from %s %p go past the end: it is %s", bytes, what, reinterpret_cast<void *>(p), where(p, text, sizeof text));
  return CUDA_SUCCESS;
}

bool still_there(Context *ctx, Address p, uint64_t bytes) {
  auto i = holder(live, p);
  if (i != live.end() && i->second.context->device == ctx->device && bytes <= i->first + i->second.bytes - p) return true;
  char text[128];
  say("work of a graph or stream: %lu bytes from %p: it is %s", bytes, reinterpret_cast<void *>(p), where(p, text, sizeof text));
  return false;
}

bool range_of(Address p, Address *base, uint64_t *bytes) {
  auto i = holder(live, p);
  if (i == live.end()) return false;
  *base = i->first;
  *bytes = i->second.bytes;
  return true;
}

CUresult allocate_host(const char *call, Context *, uint64_t bytes, void **p) {
  if (!bytes) return refuse(call, CUDA_ERROR_INVALID_VALUE, "0 bytes");
  *p = take(bytes);
  if (!*p) return refuse(call, CUDA_ERROR_OUT_OF_MEMORY, "%lu bytes of host memory", bytes);
  forget_freed(reinterpret_cast<Address>(*p), bytes);
  pinned[reinterpret_cast<Address>(*p)] = {bytes, nullptr};
  return CUDA_SUCCESS;
}

CUresult release_host(const char *call, void *p) {
  Address a = reinterpret_cast<Address>(p);
  auto i = pinned.find(a);
  char text[128];
  if (i == pinned.end()) return refuse(call, CUDA_ERROR_INVALID_VALUE, "%p is %s", p, where(a, text, sizeof text));
  CUresult rc = guards_hold(a, i->second, call) ? CUDA_SUCCESS : CUDA_ERROR_ILLEGAL_ADDRESS;
  remember_freed(a, i->second);
  give_back(a, i->second.bytes);
  pinned.erase(i);
  return rc;
}

bool is_pinned(const void *p, uint64_t bytes) {
  auto i = holder(pinned, reinterpret_cast<Address>(p));
  return i != pinned.end() && reinterpret_cast<Address>(p) + bytes <= i->first + i->second.bytes;
}

CUresult check_host(const char *call, const void *p, uint64_t bytes) {
  Address a = reinterpret_cast<Address>(p);
  char text[128];
  if (!p) return refuse(call, CUDA_ERROR_INVALID_VALUE, "the host's memory is null");
  if (holder(live, a) != live.end()) return refuse(call, CUDA_ERROR_INVALID_VALUE, "%p is device memory, not the host's", p);
  auto i = holder(pinned, a);
  if (i != pinned.end() && bytes > i->first + i->second.bytes - a)
    return refuse(call, CUDA_ERROR_INVALID_VALUE, "%lu bytes from %p go past the end: it is %s", bytes, p, where(a, text, sizeof text));
  return CUDA_SUCCESS;
}

}  // namespace emu
