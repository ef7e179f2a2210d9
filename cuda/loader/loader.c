//go:build cuda

// A libcuda that is always there. Each function named in syms.h is a trampoline: it jumps to the address in its slot. At first
// every slot leads to `resolve`, which opens the driver, fills all slots and lets the call go on with its arguments untouched.
//
// cuInit succeeds without opening anything, because gorgonia.org/cu calls it when the program starts and exits if it fails; the
// driver's own cuInit runs when it is opened. Without a driver that works, cuDeviceGetCount says 0, cuDriverGetVersion says 0,
// the functions for error texts say they do not know, and all others return CUDA_ERROR_NO_DEVICE; a function that the driver
// lacks returns CUDA_ERROR_NOT_SUPPORTED.
//
// The trampolines are hidden: a driver that is loaded must find its own functions, not these.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { INVALID_VALUE = 1, NO_DEVICE = 100, NOT_SUPPORTED = 801 };

static char text[1024];  // the path of the driver, or why there is none
static int loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)

#define X(name)                                                                                    \
  __asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ",@function\n" #name ":\n"    \
          "endbr64\njmp *lockstep_slot_" #name "(%rip)\n"                                          \
          "lockstep_first_" #name ":\ncall lockstep_resolve\njmp *lockstep_slot_" #name "(%rip)\n" \
          ".data\n.balign 8\nlockstep_slot_" #name ": .quad lockstep_first_" #name "\n.text\n");

// Keeps every register that may hold an argument (System V ABI: six integers, eight floats, al). At its call the stack is
// 16-aligned, because a trampoline was called and called on; seven pushes and 136 bytes keep it so.
__asm__(".text\n.type lockstep_resolve,@function\nlockstep_resolve:\n"
        "push %rdi\npush %rsi\npush %rdx\npush %rcx\npush %r8\npush %r9\npush %rax\nsub $136,%rsp\n"
        "movups %xmm0,(%rsp)\nmovups %xmm1,16(%rsp)\nmovups %xmm2,32(%rsp)\nmovups %xmm3,48(%rsp)\n"
        "movups %xmm4,64(%rsp)\nmovups %xmm5,80(%rsp)\nmovups %xmm6,96(%rsp)\nmovups %xmm7,112(%rsp)\n"
        "call lockstep_load\n"
        "movups (%rsp),%xmm0\nmovups 16(%rsp),%xmm1\nmovups 32(%rsp),%xmm2\nmovups 48(%rsp),%xmm3\n"
        "movups 64(%rsp),%xmm4\nmovups 80(%rsp),%xmm5\nmovups 96(%rsp),%xmm6\nmovups 112(%rsp),%xmm7\n"
        "add $136,%rsp\npop %rax\npop %r9\npop %r8\npop %rcx\npop %rdx\npop %rsi\npop %rdi\nret\n");

#elif defined(__aarch64__)

#define X(name)                                                                                        \
  __asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ",%function\n" #name ":\n"        \
          "adrp x16, lockstep_slot_" #name "\nldr x16,[x16,:lo12:lockstep_slot_" #name "]\nbr x16\n"   \
          "lockstep_first_" #name ":\nadr x17, " #name "\nb lockstep_resolve\n"                        \
          ".data\n.balign 8\nlockstep_slot_" #name ": .quad lockstep_first_" #name "\n.text\n");

// Keeps x0 to x7 and q0 to q7 (AAPCS64), then calls the function again by way of its trampoline.
__asm__(".text\n.type lockstep_resolve,%function\nlockstep_resolve:\n"
        "stp x29,x30,[sp,#-224]!\nmov x29,sp\n"
        "stp x0,x1,[sp,#16]\nstp x2,x3,[sp,#32]\nstp x4,x5,[sp,#48]\nstp x6,x7,[sp,#64]\n"
        "stp q0,q1,[sp,#80]\nstp q2,q3,[sp,#112]\nstp q4,q5,[sp,#144]\nstp q6,q7,[sp,#176]\nstr x17,[sp,#208]\n"
        "bl lockstep_load\n"
        "ldr x17,[sp,#208]\nldp q6,q7,[sp,#176]\nldp q4,q5,[sp,#144]\nldp q2,q3,[sp,#112]\nldp q0,q1,[sp,#80]\n"
        "ldp x6,x7,[sp,#64]\nldp x4,x5,[sp,#48]\nldp x2,x3,[sp,#32]\nldp x0,x1,[sp,#16]\n"
        "ldp x29,x30,[sp],#224\nbr x17\n");

#else
#error "the loader's trampolines are written for x86-64 and arm64"
#endif

#include "syms.h"
#undef X

#define X(name) extern __attribute__((visibility("hidden"))) void *lockstep_slot_##name;
#include "syms.h"
#undef X

static const struct {
  const char *name;
  void **slot;
} table[] = {
#define X(name) {#name, &lockstep_slot_##name},
#include "syms.h"
#undef X
};

static int no_device(void) { return NO_DEVICE; }
static int not_supported(void) { return NOT_SUPPORTED; }
static int zero(int *n) { return *n = 0; }
static int no_text(int error, const char **s) { return (void)error, *s = NULL, INVALID_VALUE; }

// absent is what answers for the driver when there is none.
static void *absent(const void *slot) {
#define ANSWER(name, f) \
  if (slot == (const void *)&lockstep_slot_##name) return (void *)f
  ANSWER(cuDeviceGetCount, zero);
  ANSWER(cuDriverGetVersion, zero);
  ANSWER(cuGetErrorString, no_text);
  ANSWER(cuGetErrorName, no_text);
  return (void *)no_device;
}

static void load(void) {
  const char *path = getenv("LOCKSTEP_CUDA_DRIVER");
  if (!path || !*path) path = "libcuda.so.1";
  void *driver = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!driver) {
    snprintf(text, sizeof text, "%s", dlerror());
  } else {
    int (*init)(unsigned) = (int (*)(unsigned))dlsym(driver, "cuInit");
    int (*name)(int, const char **) = (int (*)(int, const char **))dlsym(driver, "cuGetErrorName");
    const char *what = NULL;
    int error = init ? init(0) : -1;
    loaded = error == 0;
    if (loaded)
      snprintf(text, sizeof text, "%s", path);
    else if (!init)
      snprintf(text, sizeof text, "%s is no CUDA driver: it has no cuInit", path);
    else if (name && name(error, &what) == 0 && what)
      snprintf(text, sizeof text, "%s does not start: cuInit says %s (%d)", path, what, error);
    else
      snprintf(text, sizeof text, "%s does not start: cuInit says error %d", path, error);
  }
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    void *f = loaded ? dlsym(driver, table[i].name) : absent(table[i].slot);
    __atomic_store_n(table[i].slot, f ? f : (void *)not_supported, __ATOMIC_RELEASE);
  }
}

__attribute__((used, visibility("hidden"))) void lockstep_load(void) { pthread_once(&once, load); }

__attribute__((visibility("hidden"))) int cuInit(unsigned flags) { return (void)flags, 0; }

const char *lockstep_driver(int *ok) {
  lockstep_load();
  *ok = loaded;
  return text;
}
