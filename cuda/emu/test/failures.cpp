// Failures that nobody made: LOCKSTEP_EMU_FAIL, and the counts of LOCKSTEP_EMU_CALLS.
#include "test.h"

extern "C" CUresult cuCtxCreate_v2(CUcontext *, unsigned, CUdevice);

static int with_failures() {
  Gpu a(0);
  CUdeviceptr p;
  OK(cuMemAlloc(&p, 64));
  TELLS("others hold the memory of device 0", GIVES(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc(&p, 64)));  // the second
  OK(cuMemAlloc(&p, 64));
  Vector v{a.alloc(64), a.alloc(64), 1, 1.0f};
  OK(a.run("axpy", 1, 32, v));
  GIVES(CUDA_ERROR_ILLEGAL_ADDRESS, a.run("axpy", 1, 32, v));  // the second
  GIVES(CUDA_ERROR_ILLEGAL_ADDRESS, cuCtxSynchronize());
  a.restart();
  Vector w{a.alloc(64), a.alloc(64), 1, 1.0f};
  OK(a.run("axpy", 1, 32, w));

  Gpu b(1);
  Vector x{b.alloc(64), b.alloc(64), 1, 1.0f};
  OK(b.run("axpy", 1, 32, x));
  OK(b.run("axpy", 1, 32, x));
  GIVES(CUDA_ERROR_DEVICE_UNAVAILABLE, b.run("axpy", 1, 32, x));  // the third
  GIVES(CUDA_ERROR_DEVICE_UNAVAILABLE, cuMemAlloc(&p, 64));
  CUcontext c;
  TELLS("device 1 is lost", GIVES(CUDA_ERROR_DEVICE_UNAVAILABLE, cuCtxCreate_v2(&c, 0, 1)));
  OK(cuDevicePrimaryCtxRelease(1));
  TELLS("device 1 is lost", GIVES(CUDA_ERROR_DEVICE_UNAVAILABLE, cuDevicePrimaryCtxRetain(&c, 1)));
  a.use();
  OK(a.run("axpy", 1, 32, w));  // the other one works on

  char line[100];
  int launches = -1, kernels = -1;
  FILE *f = fopen(getenv("LOCKSTEP_EMU_CALLS"), "r");
  CHECK(f);
  while (fgets(line, sizeof line, f)) {
    sscanf(line, "cuLaunchKernel %d", &launches);
    sscanf(line, "kernels@1 %d", &kernels);
  }
  fclose(f);
  CHECK(launches == 6 && kernels == 3);
  return 0;
}

int main() {
  char file[] = "/tmp/emu-calls-XXXXXX";
  close(mkstemp(file));
  setenv("LOCKSTEP_EMU_DEVICES", "2", 1);
  setenv("LOCKSTEP_EMU_CALLS", file, 1);
  CHECK(with("LOCKSTEP_EMU_FAIL", "memory@0:2,kernel@0:2,lost@1:3", with_failures) == 0);
  unlink(file);
  for (const char *bad : {"memory", "memory@0", "fire@0:1", "memory@0:1;lost@0:2"}) {  // what it cannot read ends the process
    pid_t child = fork();
    if (!child) {
      setenv("LOCKSTEP_EMU_FAIL", bad, 1);
      Gpu g;
      g.alloc(4);
      _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
  }
  puts("failures: ok");
}
