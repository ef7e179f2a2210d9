// Fibers: each thread of a block has a stack, and a barrier is a switch to the next thread that can go on. The switch is a few
// instructions of our own, because swapcontext asks the kernel for the signal mask each time and is 25 times slower.
//
// A thread begins on the stack of the one before it if that one has ended, so that a kernel without barriers needs one stack
// and no switches. When nobody can go on, control is back in run_cluster: it is done, or its barriers do not match.
#include "fiber.h"

#include <cstdlib>
#include <sys/mman.h>
#if EMU_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace emu {

Place *now;
uint3 block;
dim3 blocks, threads;
unsigned cluster = 1;
unsigned turn;
Thread crew[THREADS_MOST];
unsigned crew_size;
const Launch *launch;
int failure;
Random chance{1};

// Instrumented code needs more stack.
static constexpr size_t STACK = EMU_ASAN || EMU_TSAN ? 256 << 10 : 64 << 10, PAGE = 4096;

static void *main_sp;
[[maybe_unused]] static void *main_fake, *main_tsan;
[[maybe_unused]] static const void *main_bottom;
[[maybe_unused]] static size_t main_size;
[[maybe_unused]] static Stack *from;  // the stack that the last switch left; null: the caller's own

static constexpr unsigned POOL = EMU_TSAN ? 2 * THREADS_MOST : THREADS_MOST + 1;
static Stack stacks[POOL];

// Threads that wait for each other: those of a block, by its rank, and those of the cluster.
struct Team {
  unsigned live, waiting, epoch;
  Site site;
  Ties ties;
};
static Team teams[CLUSTER_MOST], everyone;
static char begun, ended;

// Threads that can go on, first come first served.
static uint16_t queue[THREADS_MOST];
static unsigned queue_first, queue_count;
static uint16_t permutation[THREADS_MOST];

void ready(Thread *t) {
  t->state = State::ready;
  queue[(queue_first + queue_count++) % THREADS_MOST] = uint16_t(t->index);
}

static Thread *take() {
  if (!queue_count) return nullptr;
  Thread *t = &crew[queue[queue_first]];
  queue_first = (queue_first + 1) % THREADS_MOST;
  queue_count--;
  return t;
}

void shuffle(unsigned n) {
  if (options().order != Order::permuted) return;
  for (unsigned i = 0; i < n; i++) {
    unsigned j = unsigned(chance.below(i + 1));
    permutation[i] = permutation[j];
    permutation[j] = uint16_t(i);
  }
}

unsigned shuffled(unsigned k, unsigned n) {
  switch (options().order) {
    case Order::forward: return k;
    case Order::reverse: return n - 1 - k;
    default: return permutation[k];
  }
}

// Saves the registers that a call must keep on the old stack, and takes those of the new one.
extern "C" __attribute__((visibility("hidden"))) void emu_switch(void **save, void *load);
__asm__(
    ".text\n.hidden emu_switch\n.globl emu_switch\n.type emu_switch,@function\nemu_switch:\n"
    " push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
    " mov %rsp,(%rdi)\n mov %rsi,%rsp\n"
    " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n");

static void make(Stack &s) {
  char *p = static_cast<char *>(mmap(nullptr, STACK + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (p == MAP_FAILED || mprotect(p, PAGE, PROT_NONE)) {
    say("no memory for the stack of a thread");
    abort();
  }
  s.base = p + PAGE;
#if EMU_TSAN
  s.tsan = __tsan_create_fiber(0);
#endif
}

#if EMU_TSAN
// Each thread of a block is a fiber of its own to ThreadSanitizer, and so are those of many blocks: what one fiber does looks
// ordered. They are made before any of them runs: who makes a fiber comes before it. Three blocks in turn, or two large
// ones: every fiber more makes every barrier slower.
static unsigned taken, sets;
static unsigned first_stack() { return sets % (crew_size <= 256 ? TURNS : 2) * crew_size; }
static void make_stacks() {
  sets++;
  for (unsigned i = first_stack(), end = i + crew_size; i < end; i++)
    if (!stacks[i].base) make(stacks[i]);
  taken = 0;
}
static Stack *new_stack() { return &stacks[first_stack() + taken++]; }
static void free_stack(Stack *) {}
static void free_all() {
  for (Stack &s : stacks) {
    if (!s.base) continue;
    __tsan_destroy_fiber(s.tsan);
    s.tsan = __tsan_create_fiber(0);
  }
}
#else
static Stack *idle[POOL];
static unsigned idle_count, made;
static void make_stacks() {}
static Stack *new_stack() {
  if (idle_count) return idle[--idle_count];
  make(stacks[made]);
  return &stacks[made++];
}
static void free_stack(Stack *s) { idle[idle_count++] = s; }
static void free_all() {
  idle_count = 0;
  for (unsigned i = 0; i < made; i++) {
    EMU_UNPOISON(stacks[i].base, STACK);
    free_stack(&stacks[i]);
  }
}
#endif

static void entry();

// A new fiber "returns" into entry. Its first frames lie at another offset in the page for each stack: at the same one, a
// thousand stacks would share a few lines of the cache.
static void prepare(Thread *t) {
  t->stack = new_stack();
  size_t colour = (reinterpret_cast<uintptr_t>(t->stack) / 64 % 32) * 64;
  void **sp = reinterpret_cast<void **>(t->stack->base + STACK - colour) - 2;
  *sp = reinterpret_cast<void *>(entry);
  t->sp = sp - 6;
  t->fake = nullptr;
}

// The tools are told before the stack changes, and again after.
static void leave([[maybe_unused]] void **fake, [[maybe_unused]] Stack *to) {
#if EMU_ASAN
  if (to) __sanitizer_start_switch_fiber(fake, to->base, STACK);
  else __sanitizer_start_switch_fiber(fake, main_bottom, main_size);
#endif
#if EMU_TSAN
  __tsan_switch_to_fiber(to ? to->tsan : main_tsan, 1 /* no_sync: a switch orders nothing */);
#endif
}
static void arrive([[maybe_unused]] void *fake) {
#if EMU_ASAN
  const void *bottom;
  size_t size;
  __sanitizer_finish_switch_fiber(fake, &bottom, &size);
  if (!from) main_bottom = bottom, main_size = size;
#endif
}

// Lets the next thread go on, or the caller of the kernel if there is none. Returns when this one goes on.
static void give_way(Thread *t) {
  Thread *next = take();
  if (next == t) return;
  if (next && !next->sp) prepare(next);
  now = next;
  from = t->stack;
  leave(&t->fake, next ? next->stack : nullptr);
  emu_switch(&t->sp, next ? next->sp : main_sp);
  arrive(t->fake);
}

void wait(State state) {
  Thread *t = self();
  t->state = state;
  give_way(t);
}

// The end of a fiber: its stack is free for whoever comes next, and nothing returns to it.
[[noreturn]] static void last_leave(Thread *t, Thread *next) {
  void *dead;
  if (next && !next->sp) prepare(next);
  now = next;
  from = t->stack;
  free_stack(t->stack);
  leave(nullptr, next ? next->stack : nullptr);
  emu_switch(&dead, next ? next->sp : main_sp);
  __builtin_unreachable();
}

static void open_barrier(Team &team, State waits) {
  team.waiting = 0;
  team.epoch++;
  shuffle(crew_size);
  for (unsigned k = 0; k < crew_size; k++) {
    Thread *t = &crew[shuffled(k, crew_size)];
    if (t->state == waits && (&team == &everyone || &team == &teams[t->rank])) ready(t);
  }
}

// A thread that has left keeps nobody waiting.
static void quit(Team &team, State waits) {
  if (--team.live == team.waiting && team.waiting) open_barrier(team, waits);
}

static void entry() {
  arrive(nullptr);
  for (;;) {
    Thread *t = self();
    acquire(&begun);
    launch->kernel->call(launch->params);
    t = self();
    if (EMU_TSAN) cp_async_finish();
    release(&ended);
    t->state = State::done;
    lane_left(t);
    quit(teams[t->rank], State::at_barrier);
    quit(everyone, State::at_cluster_barrier);
    if (!teams[t->rank].live && everyone.live) shared_end_block(t->rank);
    Thread *next = take();
    if (!next || next->sp || EMU_TSAN) last_leave(t, next);
    next->stack = t->stack;
    now = next;
  }
}

static void barrier(Team &team, State waits, const char *name, Site here) {
  Thread *t = self();
  if (!team.waiting) team.site = here;
  t->site = here;
  t->state = waits;
  if (!(here == team.site)) {
    say("kernel %s, block (%u,%u,%u): threads of one %s wait at different %s", launch->kernel->name, t->block.x, t->block.y, t->block.z, &team == &everyone ? "cluster" : "block", name);
    describe_waiting();
    failure = 719;
    last_leave(t, nullptr);
  }
  char *tie = &team.ties.of[turn][team.epoch & 1];
  release(tie);
  if (++team.waiting == team.live) open_barrier(team, waits);
  give_way(t);
  acquire(tie);
}

void block_barrier(const char *file, int line) { barrier(teams[self()->rank], State::at_barrier, "__syncthreads", {file, line}); }
void cluster_barrier(const char *file, int line) { barrier(everyone, State::at_cluster_barrier, "barriers", {file, line}); }

void fail(int code, const char *format, ...) {
  Thread *t = self();
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  say("kernel %s, block (%u,%u,%u), thread (%u,%u,%u): %s", launch->kernel->name, t->block.x, t->block.y, t->block.z, t->thread.x, t->thread.y, t->thread.z, text);
  failure = code;
  last_leave(t, nullptr);
}

// "threads 0-31 64 wait at FILE:LINE (what)", one line for each place.
void describe_waiting() {
  bool told[THREADS_MOST] = {};
  for (unsigned i = 0; i < crew_size; i++) {
    Thread &a = crew[i];
    if (told[i] || a.state == State::done || a.state == State::ready) continue;
    char what[96], list[256];
    size_t used = 0;
    describe_meeting(&a, what, sizeof what);
    auto same = [&](const Thread &b) {
      return b.state == a.state && b.site == a.site && (a.state != State::at_meeting || (b.op == a.op && b.mask == a.mask));
    };
    for (unsigned j = i; j < crew_size; j++) {
      if (told[j] || !same(crew[j])) continue;
      unsigned last = j;
      while (last + 1 < crew_size && same(crew[last + 1])) last++;
      for (unsigned k = j; k <= last; k++) told[k] = true;
      if (used < sizeof list - 40) used += size_t(snprintf(list + used, sizeof list - used, j == last ? " %u" : " %u-%u", j, last));
      j = last;
    }
    say("  threads%s wait at %s:%d (%s)", list, a.site.file, a.site.line, what);
  }
  unsigned gone = 0;
  for (unsigned i = 0; i < crew_size; i++) gone += crew[i].state == State::done;
  if (gone) say("  %u threads have left the kernel", gone);
}

// After a failure nobody returns to the fibers: their stacks are taken back as they are.
static void abandon() {
  queue_count = 0;
  free_all();
}

int run_cluster() {
  const unsigned each = threads.x * threads.y * threads.z, n = crew_size = each * cluster;
  turn = (turn + 1) % TURNS;
  everyone.live = n;
  everyone.waiting = 0;
  queue_first = queue_count = 0;
  for (unsigned rank = 0, i = 0; rank < cluster; rank++) {
    teams[rank].live = each;
    teams[rank].waiting = 0;
    uint3 id{0, 0, 0};
    for (unsigned end = i + each; i < end; i++) {
      Thread &t = crew[i];
      t.thread = id;
      t.block = {block.x + rank, block.y, block.z};
      t.rank = rank;
      t.lane = i % 32;
      t.warp = i / 32;
      t.index = i;
      t.sp = nullptr;
      t.group = 0;
      t.copies = 0;
      if (++id.x == threads.x) {
        id.x = 0;
        if (++id.y == threads.y) id.y = 0, id.z++;
      }
    }
  }
  make_stacks();
  warps_begin();
  shuffle(n);
  for (unsigned k = 0; k < n; k++) ready(&crew[shuffled(k, n)]);
  release(&begun);
#if EMU_TSAN
  main_tsan = __tsan_get_current_fiber();
#endif
  Thread *first = take();
  prepare(first);
  now = first;
  from = nullptr;
  leave(&main_fake, first->stack);
  emu_switch(&main_sp, first->sp);
  arrive(main_fake);
  if (!failure && everyone.live) {
    say("kernel %s, block (%u,%u,%u): barriers do not match", launch->kernel->name, block.x, block.y, block.z);
    describe_waiting();
    failure = 719;
  }
  if (failure) abandon();
  return failure;
}

// The end of a launch: what its threads did is done for whoever runs next. Between blocks nothing is.
void join_blocks() { acquire(&ended); }

// A fault (see launch.cpp) has jumped out of a fiber.
void after_fault() {
  from = nullptr;
  abandon();
}

bool in_stack_guard(const void *p) {
  for (const Stack &s : stacks)
    if (s.base && p >= s.base - PAGE && p < s.base) return true;
  return false;
}

}  // namespace emu
