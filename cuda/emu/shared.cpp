// Shared memory: an arena for each block of the running cluster, and the copies of cp.async on their way into it.
//
// The arena is laid out as arrays are first used: the dynamic part at its start, arrays of SHARED after it. All of it is 0xff when
// a block starts. Under AddressSanitizer what belongs to no array is poisoned; under ThreadSanitizer each block of a launch gets
// another piece of address space, so that blocks do not seem to race for it.
#include "fiber.h"

#include <cstdlib>
#include <sys/mman.h>

namespace emu {

uint64_t launch_number;

static char *space, *arena;            // arena: that of rank 0, in space; those of the others lie behind it
static size_t most;                    // used of it by the blocks of this launch so far
static size_t statics;                 // of it: bytes of arrays of SHARED
static constexpr size_t ARENA = 512 << 10, SPACE = EMU_TSAN ? 512 << 20 : CLUSTER_MOST * ARENA;  // room for gaps beside 227 KiB
static constexpr size_t GAP = EMU_ASAN ? 64 : 0;

// Fills without a call or an instrumented store: to ThreadSanitizer nobody has written it.
static void poison(char *p, size_t n) {
  void *to = p;
  asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0xff) : "memory");
}

void shared_begin_launch() {
  if (!space) {
    space = static_cast<char *>(mmap(nullptr, SPACE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (space == MAP_FAILED) {
      say("no memory for shared memory");
      abort();
    }
  }
  launch_number++;
  arena = space;
  most = (launch->dynamic + 127) / 128 * 128 + GAP;
  statics = 0;
}

void join_blocks();

static char *arena_of(unsigned rank) { return arena + rank * ARENA; }

void shared_begin_cluster() {
  if (EMU_TSAN) {
    arena += cluster > 1 ? cluster * ARENA : (most + 4095) / 4096 * 4096 + 4096;
    if (arena + cluster * ARENA > space + SPACE) {
      join_blocks();
      arena = space;
    }
  }
  for (unsigned r = 0; r < cluster; r++) {
    EMU_UNPOISON(arena_of(r), ARENA);
    poison(arena_of(r), most);
    EMU_POISON(arena_of(r), ARENA);
    EMU_UNPOISON(arena_of(r), launch->dynamic);
  }
}

void shared_end_block(unsigned rank) {
  poison(arena_of(rank), launch->dynamic);
  EMU_POISON(arena_of(rank), ARENA);
}

void *shared_of(void *mine, unsigned rank) {
  const char *p = static_cast<char *>(mine), *from = arena_of(self()->rank);
  if (p < from || p >= from + ARENA) fail(700, "%p lies not in the block's own shared memory", mine);
  if (rank >= cluster) fail(700, "shared memory of block %u of a cluster of %u", rank, cluster);
  return arena_of(rank) + (p - from);
}

void shared_end_launch() {
  EMU_UNPOISON(space, CLUSTER_MOST * ARENA);
  if (statics > launch->kernel->static_shared) launch->kernel->static_shared = unsigned(statics);
}

void *shared(Shared *place, size_t bytes, size_t align, const char *name) {
  char *const mine = arena_of(self()->rank);
  if (place->launch != launch_number) {
    place->launch = launch_number;
    place->offset = (most + GAP + align - 1) / align * align;
    statics = (statics + align - 1) / align * align + bytes;
    if (statics > SHARED_DEFAULT) fail(719, "SHARED(%s): the kernel's arrays come to %zu bytes, and nvcc takes %u at most: use DYN_SHARED", name, statics, SHARED_DEFAULT);
    if (statics + launch->dynamic > launch->limit)
      fail(719, "SHARED(%s): %zu bytes of arrays and %u of dynamic shared memory are more than the function's %u", name, statics, launch->dynamic, launch->limit);
    most = place->offset + bytes;
    for (unsigned r = 0; r < cluster; r++) {
      EMU_UNPOISON(arena_of(r) + place->offset, bytes);
      poison(arena_of(r) + place->offset, bytes);
    }
  } else {
    EMU_UNPOISON(mine + place->offset, bytes);
  }
  return mine + place->offset;
}

void *dynamic_shared(size_t align, const char *name) {
  if (align > 128) fail(719, "DYN_SHARED(%s): alignment %zu", name, align);
  if (!launch->dynamic) fail(719, "DYN_SHARED(%s): the launch gives no dynamic shared memory", name);
  return arena_of(self()->rank);
}

void cp_async(void *to, const void *from, unsigned bytes) {
  char *p = static_cast<char *>(to);
  const char *mine = arena_of(self()->rank);
  if (p < mine || p + bytes > mine + ARENA) fail(700, "cp.async to %p, which is not in shared memory", to);
  if (reinterpret_cast<uintptr_t>(to) % bytes || reinterpret_cast<uintptr_t>(from) % bytes) fail(716, "cp.async of %u bytes from %p to %p, which are not both aligned", bytes, from, to);
  Thread *t = self();
  if (t->copies == sizeof t->copy / sizeof t->copy[0]) fail(719, "cp.async: more than %u copies of a thread are on their way", t->copies);
  memset(to, 0xff, bytes);  // a call, which ThreadSanitizer sees as the thread's access; the same holds for memcpy below
  t->copy[t->copies++] = {to, from, bytes, t->group};
}

// A card does these too, at some time. Nobody may look: ThreadSanitizer sees who does. Without it they are left undone.
void cp_async_finish() {
  Thread *t = self();
  for (unsigned i = 0; i < t->copies; i++) memcpy(t->copy[i].to, t->copy[i].from, t->copy[i].bytes);
  t->copies = 0;
}

void cp_async_commit() { self()->group++; }

// The last legal moment: whoever looks before it sees 0xff, and whoever changes the source before it has it copied changed.
void cp_async_wait(unsigned open) {
  Thread *t = self();
  unsigned kept = 0;
  for (unsigned i = 0; i < t->copies; i++) {
    Copy c = t->copy[i];
    if (c.group + open < t->group) memcpy(c.to, c.from, c.bytes);
    else t->copy[kept++] = c;
  }
  t->copies = kept;
}

}  // namespace emu
