// Kernels compute what they say, in every order; those with a mistake do not in some.
#include "test.h"

static std::vector<float> ramp(size_t n) {
  std::vector<float> v(n);
  for (size_t i = 0; i < n; i++) v[i] = float(i) + 0.5f;
  return v;
}

static bool turns(Gpu &g, const char *kernel) {
  const unsigned n = 1000;
  std::vector<float> in = ramp(n);
  Vector a{g.alloc(4 * n), g.put(in), n, 3.0f};
  OK(g.run(kernel, 4, 256, a));
  std::vector<float> out = g.get<float>(a.out, n);
  for (unsigned i = 0; i < n; i++) {
    unsigned j = i / 256 * 256 + 255 - i % 256;
    if (out[i] != (j < n ? in[j] : 0) * 3.0f) return false;
  }
  return true;
}

static void lanes(Gpu &g) {
  const unsigned n = 64;
  std::vector<uint32_t> in(n);
  for (unsigned i = 0; i < n; i++) in[i] = i * 2654435761u;
  Words a{g.alloc(n * 24 * 4), g.put(in)};
  OK(g.run("lanes", 1, n, a));
  std::vector<uint32_t> out = g.get<uint32_t>(a.out, n * 24);
  for (unsigned t = 0; t < n; t++) {
    const uint32_t *o = &out[24 * t], *w = &in[t / 32 * 32];
    unsigned l = t % 32, h = l / 16 * 16;
    CHECK(o[0] == w[5] && o[1] == w[l < 3 ? l : l - 3] && o[2] == w[l > 28 ? l : l + 3] && o[3] == w[l ^ 9]);
    CHECK(o[4] == w[l / 8 * 8 + 3] && o[5] == w[l % 8 < 3 ? l : l - 3] && o[6] == w[l % 8 > 4 ? l : l + 3]);
    unsigned x = l ^ 9;  // within a width of 8: an earlier part may be read, a later one may not
    CHECK(o[7] == w[x / 8 > l / 8 ? l : x]);
    CHECK(o[8] == (t ^ 1) && o[9] == w[l ^ 1]);
    uint32_t odd = 0, any = 0, all = 1, sum = 0, most = 0, least = 0x7fffffff, mix = 0, same = 0;
    for (unsigned i = 0; i < 32; i++) {
      odd |= (w[i] & 1) << i;
      if (i / 16 == l / 16) any |= w[i] == w[0], all &= w[i] < 0x80000000u, sum += w[i];
      most = w[i] > most ? w[i] : most;
      if (int32_t(w[i]) < int32_t(least)) least = w[i];
      mix ^= w[i];
      same |= uint32_t((w[i] & 3) == (w[l] & 3)) << i;
    }
    CHECK(o[10] == odd && o[11] == any && o[12] == all && o[13] == sum && o[14] == most && o[15] == least && o[16] == mix && o[17] == same && o[18] == w[l ^ 16]);
    (void)h;
  }
}

static void atomics(Gpu &g) {
  Words a{g.put(std::vector<uint32_t>{0, 0, 100, 0, 0, 0}), 0};
  OK(g.run("count", 3, 1024, a));
  std::vector<uint32_t> out = g.get<uint32_t>(a.out, 6);
  CHECK(out[0] == 3072 && out[1] == 3023 && out[2] == 7 && out[4] == 3072 && out[5] == 3072);
}

static bool staged(Gpu &g, const char *kernel) {
  std::vector<uint32_t> in(128);
  for (unsigned i = 0; i < 128; i++) in[i] = i + 1;
  Words a{g.alloc(512), g.put(in)};
  OK(g.run(kernel, 1, 64, a));
  std::vector<uint32_t> out = g.get<uint32_t>(a.out, 128);
  bool right = true, poison = true;
  for (unsigned i = 0; i < 128; i++) {
    right &= out[i] == in[i / 64 * 64 + 63 - i % 64];
    poison &= out[i] == 0xffffffffu;
  }
  CHECK(right || poison);
  return right;
}

static void product(Gpu &g) {
  std::vector<int8_t> a(16 * 32), b(32 * 8);
  std::vector<int32_t> d(16 * 8);
  uint32_t x = 1;
  auto next = [&] { return x = x * 1664525u + 1013904223u; };
  for (auto &v : a) v = int8_t(next() >> 24);
  for (auto &v : b) v = int8_t(next() >> 24);
  for (auto &v : d) v = int32_t(next());
  struct {
    CUdeviceptr d, a, b;
  } p{g.put(d), g.put(a), g.put(b)};
  OK(g.run("product", 1, 32, p));
  std::vector<int32_t> out = g.get<int32_t>(p.d, d.size());
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 8; j++) {
      uint32_t sum = uint32_t(d[size_t(i * 8 + j)]);
      for (int k = 0; k < 32; k++) sum += uint32_t(int(a[size_t(i * 32 + k)]) * int(b[size_t(j * 32 + k)]));
      CHECK(out[size_t(i * 8 + j)] == int32_t(sum));
    }
}

static void places(Gpu &g) {
  const unsigned n = 24, grid = 3 * 2 * 5;
  Words a{g.alloc(4 * n * grid), 0};
  void *params[] = {&a};
  OK(cuLaunchKernel(g.function("place"), 3, 2, 5, 4, 3, 2, 0, nullptr, params, nullptr));
  std::vector<uint32_t> out = g.get<uint32_t>(a.out, n * grid);
  for (unsigned b = 0; b < grid; b++)
    for (unsigned t = 0; t < n; t++) CHECK(out[b * n + t] == (b << 16 | t / 12 << 8 | t / 4 % 3 << 4 | t % 4));
}

static void shared(Gpu &g) {
  Words a{g.put(std::vector<uint32_t>(32, 1)), 0};
  OK(g.run("read_unset", 5, 32, a));
  for (uint32_t w : g.get<uint32_t>(a.out, 32)) CHECK(w == 0xffffffffu);
  std::vector<uint32_t> in(128);
  for (unsigned i = 0; i < 128; i++) in[i] = 1000 * i;
  Words b{g.alloc(512), g.put(in)};
  OK(cuFuncSetAttribute(g.function("shared_big"), CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 200 << 10));
  OK(g.run("shared_big", 2, 128, b, 200 << 10));
  std::vector<uint32_t> out = g.get<uint32_t>(b.out, 128);
  for (unsigned i = 0; i < 128; i++) CHECK(out[i] == 1000 * (127 - i) + i % 64);
  int bytes;
  OK(cuFuncGetAttribute(&bytes, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, g.function("shared_big")));
  CHECK(bytes == 256);
}

static void arguments(Gpu &g) {
  CUdeviceptr out = g.alloc(12);
  struct {
    uint8_t a;
    double b;
    CUdeviceptr out;
    float c;
  } p{7, 8, out, 9};
  size_t bytes = 28, offset, size;
  void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &p, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CU_LAUNCH_PARAM_END};
  CUfunction f = g.function("several");
  OK(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, extra));
  CHECK((g.get<uint32_t>(out, 3) == std::vector<uint32_t>{7, 8, 9}));
  void *params[] = {&p.a, &p.b, &p.out, &p.c};
  p.c = 10;
  OK(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, nullptr, params, nullptr));
  CHECK((g.get<uint32_t>(out, 3) == std::vector<uint32_t>{7, 8, 10}));
  const size_t offsets[] = {0, 8, 16, 24}, sizes[] = {1, 8, 8, 4};
  for (size_t i = 0; i < 4; i++) {
    OK(cuFuncGetParamInfo(f, i, &offset, &size));
    CHECK(offset == offsets[i] && size == sizes[i]);
  }
  GIVES(CUDA_ERROR_INVALID_VALUE, cuFuncGetParamInfo(f, 4, &offset, &size));
  bytes = 32;
  TELLS("takes 28 bytes of arguments, and 32 are given", GIVES(CUDA_ERROR_INVALID_VALUE, cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, extra)));
  bytes = 24;
  GIVES(CUDA_ERROR_INVALID_VALUE, cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, extra));
  GIVES(CUDA_ERROR_INVALID_VALUE, cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr));
}

static bool hands_on(Gpu &g, const char *kernel) {
  std::vector<float> in = ramp(1024);
  for (unsigned size : {1u, 2u, 4u}) {
    const unsigned n = 1024 / 4;
    Vector a{g.alloc(4096), g.put(in), 1024, 3.0f};
    OK(g.clusters(size, kernel, 4, n, a, 4 * n));
    std::vector<float> out = g.get<float>(a.out, 1024);
    for (unsigned i = 0; i < 1024; i++) {
      unsigned b = i / n, next = b / size * size + (b + 1) % size;
      if (out[i] != in[next * n + n - 1 - i % n] * 3.0f) return false;
    }
  }
  return true;
}

static void early(Gpu &g) {
  Vector a{g.alloc(256), 0, 0, 0};
  OK(g.run("leave_early", 3, 64, a));
  std::vector<float> out = g.get<float>(a.out, 50);
  for (float v : out) CHECK(v == 2);
}

int main() {
  int racy = 0, stable = 0, strangers = 0, ended = 0;
  for (const char *order : orders) {
    CHECK(with("LOCKSTEP_EMU_ORDER", order, [] {
            Gpu g;
            CHECK(turns(g, "turn"));
            lanes(g);
            atomics(g);
            CHECK(staged(g, "staged_right"));
            product(g);
            places(g);
            shared(g);
            arguments(g);
            early(g);
            CHECK(hands_on(g, "hand_on_right"));
            return 0;
          }) == 0);
#ifndef SANITIZED
    racy += with("LOCKSTEP_EMU_ORDER", order, [] { Gpu g; return !turns(g, "turn_racy"); });
    strangers += with("LOCKSTEP_EMU_ORDER", order, [] { Gpu g; return !hands_on(g, "hand_on_racy"); });
    ended += with("LOCKSTEP_EMU_ORDER", order, [] { Gpu g; return !hands_on(g, "hand_on_early"); });
    stable += with("LOCKSTEP_EMU_ORDER", order, [] { Gpu g; return int(staged(g, "staged_early")); });
#endif
  }
#ifndef SANITIZED
  CHECK(racy > 0);     // a missing barrier shows in some order
  CHECK(strangers > 0);  // nor is one of a cluster
  CHECK(ended > 0);    // what has ended has no shared memory
  CHECK(stable == 0);  // and copies that nobody waited for show in each
#endif
  (void)racy, (void)stable, (void)strangers, (void)ended;
  puts("kernels: ok");
}
