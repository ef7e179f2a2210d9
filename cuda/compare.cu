// compare_F_T: y[i] = a[i] ? b[i] as 0 or 1, for float32 (false with a NaN), u32 and i32; compare_same compares bits.
// Launch: see elementwise.cuh. Memory-bound: 12 bytes a word.
#include "elementwise.cuh"

struct CompareArgs {
  View out, a, b;
  uint64_t words;
};

#define COMPARE(NAME, T, OP)                                                                                            \
  KERNEL(256) compare_##NAME(const CompareArgs p) {                                                                     \
    elementwise(                                                                                                        \
        p.words, [](T a, T b) { return a OP b ? 1u : 0u; }, slot_of(p.out, blockIdx.y),                                 \
        reinterpret_cast<const T *>(slot_of(p.a, blockIdx.y)), reinterpret_cast<const T *>(slot_of(p.b, blockIdx.y)));  \
  }

COMPARE(gt_f32, float, >)
COMPARE(ge_f32, float, >=)
COMPARE(lt_f32, float, <)
COMPARE(le_f32, float, <=)
COMPARE(eq_f32, float, ==)
COMPARE(gt_u32, uint32_t, >)
COMPARE(ge_u32, uint32_t, >=)
COMPARE(lt_u32, uint32_t, <)
COMPARE(le_u32, uint32_t, <=)
COMPARE(gt_i32, int32_t, >)
COMPARE(ge_i32, int32_t, >=)
COMPARE(lt_i32, int32_t, <)
COMPARE(le_i32, int32_t, <=)
COMPARE(same, uint32_t, ==)
