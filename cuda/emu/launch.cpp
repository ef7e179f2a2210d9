// A launch: the blocks of its grid, one cluster after the other in the order of the run, and the faults of kernels turned into errors.
#include "fiber.h"

#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <numeric>

namespace emu {

void join_blocks();
void after_fault();
bool in_stack_guard(const void *);

static Kernel *kernels;

void enroll(Kernel *k) {
  k->next = kernels;
  kernels = k;
}

Kernel *find_kernel(const char *name) {
  for (Kernel *k = kernels; k; k = k->next)
    if (!strcmp(k->name, name)) return k;
  return nullptr;
}

// A wild pointer in a kernel is an error of the launch on a card, so it is here: while a kernel runs, a fault of this OS thread
// ends the launch. Other threads' faults go to whoever handled them before (Go's runtime). Sanitizers have handlers of their own.
static thread_local bool in_kernel;
static sigjmp_buf fault;
static struct sigaction before[3];
static constexpr int signals[3] = {SIGSEGV, SIGBUS, SIGFPE};
static int fault_signal;
static const void *fault_address;

static void on_fault(int signal, siginfo_t *info, void *context) {
  if (in_kernel) {
    in_kernel = false;
    fault_signal = signal;
    fault_address = info->si_addr;
    siglongjmp(fault, 1);
  }
  for (int i = 0; i < 3; i++) {
    if (signals[i] != signal) continue;
    if (before[i].sa_flags & SA_SIGINFO) before[i].sa_sigaction(signal, info, context);
    else if (before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN) before[i].sa_handler(signal);
    else sigaction(signal, &before[i], nullptr);  // and the fault happens again
  }
}

static constexpr bool CATCH = !EMU_ASAN && !EMU_TSAN;

// A fault may be that of a full stack, so the handler needs one of its own. Go's threads have one.
static thread_local char spare[64 << 10];

void arm() {
  if (!CATCH) return;
  stack_t s;
  if (!sigaltstack(nullptr, &s) && s.ss_flags & SS_DISABLE) {
    s = {};
    s.ss_sp = spare;
    s.ss_size = sizeof spare;
    sigaltstack(&s, nullptr);
  }
  struct sigaction a = {};
  a.sa_sigaction = on_fault;
  a.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (int i = 0; i < 3; i++) sigaction(signals[i], &a, &before[i]);
}

void disarm() {
  if (!CATCH) return;
  in_kernel = false;
  for (int i = 0; i < 3; i++) sigaction(signals[i], &before[i], nullptr);
}

static void blame_fault() {
  const Place *p = now;
  const char *what = fault_signal == SIGFPE ? "an integer division by zero" : in_stack_guard(fault_address) ? "too much stack" : "an access to memory that is not there";
  say("kernel %s, block (%u,%u,%u), thread (%u,%u,%u): %s (signal %d at %p)", launch->kernel->name, p->block.x, p->block.y, p->block.z, p->thread.x, p->thread.y, p->thread.z, what,
      fault_signal, fault_address);
  failure = fault_signal == SIGFPE ? 719 : 700;
}

int run(const Launch &l) {
  launch = &l;
  failure = 0;
  blocks = l.grid;
  threads = l.block;
  cluster = l.cluster;
  chance.state = options().seed;
  shared_begin_launch();
  // volatile: a fault jumps back to here
  volatile uint64_t i = 0;
  const uint64_t across = l.grid.x / cluster, n = across * l.grid.y * l.grid.z;
  uint64_t stride = 1, start = 0;
  if (options().order == Order::permuted && n > 1) {
    start = chance.below(n);
    for (stride = uint64_t(double(n) * 0.618) | 1; std::gcd(stride, n) != 1; stride++) {}
  }
  arm();
  if (CATCH && sigsetjmp(fault, 1)) {
    blame_fault();
    after_fault();
  } else {
    for (; i < n && !failure; i = i + 1) {
      uint64_t b = options().order == Order::reverse ? n - 1 - i : uint64_t(((unsigned __int128)i * stride + start) % n);
      block = {unsigned(b % across) * cluster, unsigned(b / across % l.grid.y), unsigned(b / across / l.grid.y)};
      shared_begin_cluster();
      in_kernel = true;
      run_cluster();
      in_kernel = false;
    }
  }
  disarm();
  shared_end_launch();
  join_blocks();
  now = nullptr;
  launch = nullptr;
  return failure;
}

static char fences;  // ThreadSanitizer: __threadfence orders what comes before it in one thread and after it in another
void fence() {
  acquire(&fences);
  release(&fences);
}

}  // namespace emu
