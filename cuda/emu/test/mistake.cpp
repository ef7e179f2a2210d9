// mistake KERNEL: runs one kernel of those that a sanitizer must report, or must not. See test.sh.
#include "test.h"

int main(int, char **argv) {
  Gpu g;
  std::string k = argv[1];
  CUdeviceptr in = g.put(std::vector<float>(1024, 1.0f)), out = g.put(std::vector<float>(1024, 0.0f));
  if (k == "write_at") OK(g.run("write_at", 1, 32, Vector{g.alloc(400), 0, 100, 0}));
  else if (k == "after_free") {
    Vector a{g.alloc(400), 0, 1, 0};
    OK(cuMemFree(a.out));
    OK(g.run("write_at", 1, 32, a));
  } else if (k == "shared_past_end") OK(g.run(argv[1], 1, 32, Words{out, g.put(std::vector<uint32_t>(1, 1))}));
  else if (k == "overflow") OK(g.run(argv[1], 1, 32, Words{out, g.put(std::vector<uint32_t>(32, 5))}));
  else if (k.substr(0, 6) == "staged") OK(g.run(argv[1], 1, 64, Words{out, in}));
  else if (k.substr(0, 7) == "hand_on") OK(g.clusters(2, argv[1], 4, 256, Vector{out, in, 1024, 1.0f}, 1024));
  else if (k == "turn_blocks") OK(g.run("turn", 4, 256, Vector{out, in, 1024, 1.0f}));
  else OK(g.run(argv[1], k == "turn" || k == "turn_racy" ? 1 : 4, k.substr(0, 4) == "turn" ? 256 : 32, Vector{out, in, 256, 1.0f}));
  puts("done");
}
