// The threads of the running cluster of blocks, which mostly is one block, as the files of the kernel half see them: fiber.cpp switches, warp.cpp lets lanes meet,
// shared.cpp keeps shared memory, launch.cpp walks the grid.
#pragma once

#include "run.h"

namespace emu {

enum class State : uint8_t { ready, at_barrier, at_cluster_barrier, at_meeting, done };

struct Stack {
  char *base;         // lowest usable byte; below it lies a page that faults
  void *tsan;         // the fiber as ThreadSanitizer knows it
};

struct Site {
  const char *file;
  int line;
  // A file's name mostly has one address.
  bool operator==(const Site &s) const { return line == s.line && (file == s.file || !strcmp(file, s.file)); }
};

struct Copy {         // of cp.async, not yet done
  void *to;
  const void *from;
  unsigned bytes, group;
};

struct Thread : Place {
  unsigned index;     // in the cluster
  State state;
  void *sp, *fake;    // where it stopped; null: not yet begun
  Stack *stack;
  Site site;          // where it waits
  Meet op;
  uint32_t mask;
  uint64_t value, result;
  unsigned wants;     // the lane whose word it wants; 32: none
  void *joins;        // ThreadSanitizer: what it acquires when it goes on
  Copy copy[256];     // no vector: its allocations would look like races between blocks
  unsigned copies, group;  // group: commits so far
};

extern Thread crew[THREADS_MOST];
extern unsigned crew_size;
extern const Launch *launch;

inline Thread *self() { return static_cast<Thread *>(now); }

// ThreadSanitizer's clocks of whoever waits for each other are tied to one of these. Clusters have other ones than those just before them: with the
// same, what one has done before a barrier would look ordered before what the next does after one. After TURNS clusters their fibers are the same, too.
constexpr unsigned TURNS = 3;
extern unsigned turn;               // of the running cluster, below TURNS
struct Ties {
  char of[TURNS][2];                // two in turn: a thread may reach the next barrier before others have left this one
};

// fiber.cpp
int run_cluster();                  // all threads of the blocks from `block` on; 0 or an error
void wait(State);                   // gives way until somebody readies this thread
void ready(Thread *);
unsigned shuffled(unsigned k, unsigned n);  // the k-th of n in the order of this run, after shuffle(n)
void shuffle(unsigned n);
void describe_waiting();            // who waits where
extern int failure;                 // of the running launch

// warp.cpp
void warps_begin();
void lane_left(Thread *);           // a lane is done: nobody may wait for it
void describe_meeting(const Thread *, char *text, size_t size);

// shared.cpp
void shared_begin_launch();
void shared_begin_cluster();
void shared_end_block(unsigned rank);  // whoever still looks at it finds that it is gone
void shared_end_launch();
extern uint64_t launch_number;
void cp_async_finish();             // what a thread still has on its way when it ends

// launch.cpp: faults in kernels
void arm(), disarm();

#if EMU_TSAN
extern "C" {
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
}
inline void acquire(void *p) { __tsan_acquire(p); }
inline void release(void *p) { __tsan_release(p); }
#else
inline void acquire(void *) {}
inline void release(void *) {}
#endif

}  // namespace emu
