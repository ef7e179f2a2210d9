// Mistakes in kernels end the launch with a message that names kernel, block and thread; the error stays.
#include "test.h"

template <class A>
static void fails(Gpu &g, const char *kernel, unsigned threads, const A &argument, CUresult code, std::initializer_list<const char *> texts) {
  CUresult rc = CUDA_SUCCESS;
  std::string t = told([&] { rc = g.run(kernel, 2, threads, argument); });
  if (rc != code) printf("FAIL %s gives %d, not %d\n", kernel, int(rc), int(code));
  CHECK(rc == code);
  for (const char *text : texts)
    if (t.find(text) == std::string::npos) {
      printf("FAIL %s: not told \"%s\" but: %s\n", kernel, text, t.c_str());
      fflush(stdout);
      _exit(1);
    }
  GIVES(code, cuCtxSynchronize());
  g.restart();
  Vector a{g.alloc(4), g.alloc(4), 1, 1.0f};
  OK(g.run("axpy", 1, 128, a));
}

static void all() {
  Gpu g;
  auto vector = [&] { return Vector{g.alloc(4096), g.alloc(4096), 0, 0}; };
  fails(g, "barrier_skipped", 64, vector(), CUDA_ERROR_LAUNCH_FAILED, {"kernel barrier_skipped, block (", "barriers do not match", "threads 0-39 wait at ", "kernels.cu:", "(__syncthreads)", "threads 40-63 wait at ", "(__syncwarp of mask 0xffffffff)"});
  fails(g, "barrier_elsewhere", 64, vector(), CUDA_ERROR_LAUNCH_FAILED, {"threads of one block wait at different __syncthreads", "kernels.cu:"});
  fails(g, "mask_not_mine", 32, vector(), CUDA_ERROR_LAUNCH_FAILED, {"which does not name it", "mask 0x0000ffff"});
  fails(g, "lane_missing", 32, vector(), CUDA_ERROR_LAUNCH_FAILED, {"lane"});
  fails(g, "masks_differ", 32, vector(), CUDA_ERROR_LAUNCH_FAILED, {"kernel masks_differ, block ("});
  TELLS("threads of one cluster wait at different barriers", GIVES(CUDA_ERROR_LAUNCH_FAILED, g.clusters(2, "cluster_elsewhere", 2, 32, vector())));
  g.restart();
#ifndef SANITIZED
  Vector wild{0x10, 0x20, 5, 1.0f};
  fails(g, "axpy", 32, wild, CUDA_ERROR_ILLEGAL_ADDRESS, {"kernel axpy, block (", "thread (", "an access to memory that is not there"});
  fails(g, "divide", 32, Words{g.alloc(256), g.put(std::vector<uint32_t>(32, 0))}, CUDA_ERROR_LAUNCH_FAILED, {"an integer division by zero"});
#endif
}

int main() {
  for (const char *order : orders) CHECK(with("LOCKSTEP_EMU_ORDER", order, [] { all(); return 0; }) == 0);
  puts("faults: ok");
}
