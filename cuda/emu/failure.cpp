// What happens to a card without any program's mistake: LOCKSTEP_EMU_FAIL=WHAT@DEVICE:N, several separated by commas, of
//   memory@0:12   the 12th allocation on device 0 finds no memory; once, as if another program had held it
//   kernel@1:500  the 500th kernel that device 1 runs follows a wild pointer
//   lost@1:500    before that kernel the device is gone: every call says so, and it cannot be opened again
// And what the driver was asked for: LOCKSTEP_EMU_CALLS=FILE gets a line for each function of the driver when a primary context is given back,
// its name and how often it was called so far, and kernels@DEVICE, how many the device ran. (A Go program ends without telling its libraries.)
#include "driver.h"

#include <cstdlib>

namespace emu {

namespace {

struct Failure {
  std::string what;
  int device;
  uint64_t at;
};

[[noreturn]] void bad(const char *text) {
  say("LOCKSTEP_EMU_FAIL=%s: want memory@DEVICE:N, kernel@DEVICE:N or lost@DEVICE:N, several separated by commas", text);
  abort();
}

std::vector<Failure> read_failures() {
  std::vector<Failure> all;
  const char *text = getenv("LOCKSTEP_EMU_FAIL");
  for (const char *s = text; s && *s;) {
    char what[8];
    Failure f;
    unsigned long long at;
    int used = 0;
    if (sscanf(s, "%7[a-z]@%d:%llu%n", what, &f.device, &at, &used) != 3 || (s[used] && s[used] != ',')) bad(text);
    f.what = what;
    f.at = at;
    if (f.what != "memory" && f.what != "kernel" && f.what != "lost") bad(text);
    all.push_back(f);
    s += used + (s[used] == ',');
  }
  return all;
}

bool fails(const char *what, const Device *d, uint64_t n) {
  static const std::vector<Failure> failures = read_failures();
  for (const Failure &f : failures)
    if (f.what == what && f.device == d->index && f.at == n) {
      say("device %d: %s fails, as LOCKSTEP_EMU_FAIL wants", d->index, what);
      return true;
    }
  return false;
}

const char *calls_file() {
  static const char *const file = getenv("LOCKSTEP_EMU_CALLS");
  return file;
}
std::map<std::string, uint64_t> calls;

}  // namespace

void count_call(const char *name) {
  if (calls_file()) calls[name]++;
}

void write_calls() {
  FILE *f = calls_file() ? fopen(calls_file(), "w") : nullptr;
  if (!f) return;
  for (auto &c : calls) fprintf(f, "%s %lu\n", c.first.c_str(), c.second);
  fclose(f);
}

bool no_memory(Device *d) { return fails("memory", d, ++d->allocations); }

CUresult before_kernel(Device *d) {
  d->kernels++;
  if (calls_file()) calls["kernels@" + std::to_string(d->index)]++;
  if (fails("lost", d, d->kernels)) d->lost = true;
  if (d->lost) return CUDA_ERROR_DEVICE_UNAVAILABLE;
  return fails("kernel", d, d->kernels) ? CUDA_ERROR_ILLEGAL_ADDRESS : CUDA_SUCCESS;
}

}  // namespace emu
