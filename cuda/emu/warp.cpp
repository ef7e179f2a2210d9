// Lanes of a warp that meet: shuffles, votes, reductions, warp barriers, and the matrix product of a whole warp. Those of one
// mask wait until the last has come; it works out what each gets.
#include "fiber.h"

namespace emu {

// Meetings under way, by the lowest lane of their mask: two masks of one warp that meet at a time have no lane in common.
struct Meeting {
  uint32_t mask, here;
  unsigned count;      // of meetings held in this place
  Ties ties;           // ThreadSanitizer: of this one and the one before
};
struct Warp {
  Meeting meetings[32];
  uint32_t open;       // the lowest lanes of those under way
  uint32_t present;    // lanes that have not left
};
static Warp warps[THREADS_MOST / 32];

static const char *const names[] = {"__syncwarp", "__shfl_*_sync", "__ballot_sync", "__any_sync", "__all_sync", "__reduce_add_sync", "__reduce_min_sync", "__reduce_max_sync",
                                    "__reduce_min_sync", "__reduce_max_sync", "__reduce_and_sync", "__reduce_or_sync", "__reduce_xor_sync", "__match_any_sync", "mma"};

void describe_meeting(const Thread *t, char *text, size_t size) {
  if (t->state == State::at_barrier) snprintf(text, size, "__syncthreads");
  else if (t->state == State::at_cluster_barrier) snprintf(text, size, "the cluster's barrier");
  else snprintf(text, size, "%s of mask 0x%08x", names[int(t->op)], t->mask);
}

void warps_begin() {
  for (unsigned w = 0; w * 32 < crew_size; w++) {
    unsigned lanes = crew_size - w * 32;
    warps[w].open = 0;
    warps[w].present = lanes >= 32 ? 0xffffffffu : (1u << lanes) - 1;
  }
}

void lane_left(Thread *t) {
  Warp &w = warps[t->warp];
  w.present &= ~(1u << t->lane);
  for (uint32_t open = w.open; open; open &= open - 1) {
    Meeting &m = w.meetings[__builtin_ctz(open)];
    if (!(m.mask >> t->lane & 1)) continue;
    describe_waiting();
    fail(719, "lane %u of warp %u leaves the kernel while others of mask 0x%08x wait for it", t->lane, t->warp, m.mask);
  }
}

unsigned shuffle_source(const char *name, int form, unsigned argument, int width) {
  if (width < 1 || width > 32 || (width & (width - 1))) fail(719, "%s of width %d: not a power of two up to 32", name, width);
  unsigned lane = self()->lane, n = unsigned(width), first = lane & ~(n - 1), last = first + n - 1, from;
  switch (form) {
    case 0: return first + (argument & (n - 1));
    case 1: return lane - first >= argument ? lane - argument : lane;
    case 2: return argument <= last - lane ? lane + argument : lane;
    default: from = lane ^ argument; return from <= last ? from : lane;
  }
}

uint32_t active() {
  // The lanes that happen to run together may be all or this one alone; a kernel may rely on neither.
  return options().order == Order::forward ? warps[now->warp].present : 1u << now->lane;
}

// d += a * b, m16n8k32, rows of a times columns of b, in the fragments of PTX: a lane has four rows-of-four-bytes of a, two of b.
struct Fragments {
  int *d;
  const uint32_t *a, *b;
};
void multiply(const Fragments *const lanes[32]) {
  int8_t a[16][32], b[32][8];
  for (unsigned lane = 0; lane < 32; lane++) {
    unsigned g = lane / 4, k = lane % 4 * 4;
    for (unsigned i = 0; i < 4; i++) {
      for (unsigned r = 0; r < 4; r++) a[g + r % 2 * 8][k + r / 2 * 16 + i] = int8_t(lanes[lane]->a[r] >> 8 * i);
      for (unsigned r = 0; r < 2; r++) b[k + r * 16 + i][g] = int8_t(lanes[lane]->b[r] >> 8 * i);
    }
  }
  for (unsigned lane = 0; lane < 32; lane++)
    for (unsigned r = 0; r < 4; r++) {
      unsigned row = lane / 4 + r / 2 * 8, column = lane % 4 * 2 + r % 2, sum = unsigned(lanes[lane]->d[r]);
      for (unsigned k = 0; k < 32; k++) sum += unsigned(int(a[row][k]) * int(b[k][column]));
      lanes[lane]->d[r] = int(sum);  // wraps
    }
}

// Works out each lane's result once all are here.
static void conclude(Meet op, uint32_t mask, Thread *warp) {
  unsigned first = unsigned(__builtin_ctz(mask));
  uint32_t total = uint32_t(warp[first].value), votes = 0;
  const Fragments *all[32] = {};
  for (uint32_t rest = mask; rest; rest &= rest - 1) {
    unsigned i = unsigned(__builtin_ctz(rest));
    uint32_t v = uint32_t(warp[i].value);
    if (v) votes |= 1u << i;
    if (op == Meet::mma) all[i] = reinterpret_cast<const Fragments *>(warp[i].value);
    if (i == first) continue;
    switch (op) {
      case Meet::add: total += v; break;
      case Meet::min: total = v < total ? v : total; break;
      case Meet::max: total = v > total ? v : total; break;
      case Meet::min_signed: total = int(v) < int(total) ? v : total; break;
      case Meet::max_signed: total = int(v) > int(total) ? v : total; break;
      case Meet::bit_and: total &= v; break;
      case Meet::bit_or: total |= v; break;
      case Meet::bit_xor: total ^= v; break;
      default: break;
    }
  }
  if (op == Meet::mma) multiply(all);
  for (uint32_t rest = mask; rest; rest &= rest - 1) {
    Thread &t = warp[__builtin_ctz(rest)];
    switch (op) {
      case Meet::sync: case Meet::mma: t.result = 0; break;
      // The word of a lane that does not take part is undefined.
      case Meet::shuffle: t.result = mask >> t.wants & 1 ? warp[t.wants].value : ~0ull; break;
      case Meet::ballot: t.result = votes; break;
      case Meet::any: t.result = votes != 0; break;
      case Meet::all: t.result = votes == mask; break;
      case Meet::match:
        t.result = 0;
        for (uint32_t r = mask; r; r &= r - 1) t.result |= uint64_t(warp[__builtin_ctz(r)].value == t.value) << __builtin_ctz(r);
        break;
      default: t.result = total;
    }
  }
}

uint64_t meet(Meet op, uint32_t mask, uint64_t value, unsigned lane, const char *file, int line) {
  Thread *t = self();
  Warp &w = warps[t->warp];
  const char *name = names[int(op)];
  if (!(mask >> t->lane & 1)) fail(719, "lane %u calls %s with mask 0x%08x, which does not name it, at %s:%d", t->lane, name, mask, file, line);
  if (mask & ~w.present) fail(719, "%s with mask 0x%08x at %s:%d: lane %d has left the kernel or was never there", name, mask, file, line, __builtin_ctz(mask & ~w.present));
  t->site = {file, line};
  t->op = op;
  t->mask = mask;
  t->value = value;
  t->wants = lane;
  for (uint32_t open = w.open; open; open &= open - 1) {
    Meeting &m = w.meetings[__builtin_ctz(open)];
    if (!(m.mask & mask)) continue;
    Thread &other = crew[t->warp * 32 + unsigned(__builtin_ctz(m.here))];
    if (m.mask == mask && other.op == op && other.site == t->site) continue;
    t->state = State::at_meeting;
    describe_waiting();
    fail(719, "lane %u of warp %u calls %s with mask 0x%08x at %s:%d while lanes of it wait at another place", t->lane, t->warp, name, mask, file, line);
  }
  unsigned place = unsigned(__builtin_ctz(mask));
  Meeting &m = w.meetings[place];
  if (!(w.open >> place & 1)) {
    w.open |= 1u << place;
    m.mask = mask;
    m.here = 0;
    m.count++;
  }
  char *tie = &m.ties.of[turn][m.count & 1];
  release(tie);
  m.here |= 1u << t->lane;
  t->state = State::at_meeting;
  if (m.here == mask) {
    w.open &= ~(1u << place);
    conclude(op, mask, &crew[t->warp * 32]);
    // In the order of the run; permuted: from any lane on, in any odd stride.
    unsigned start = 0, stride = 1;
    if (options().order == Order::permuted) start = unsigned(chance.below(32)), stride = unsigned(chance.below(16)) * 2 + 1;
    for (unsigned k = 0; k < 32; k++) {
      unsigned i = options().order == Order::reverse ? 31 - k : (start + stride * k) % 32;
      if (mask >> i & 1) ready(&crew[t->warp * 32 + i]);
    }
  }
  wait(t->state == State::ready ? State::ready : State::at_meeting);
  acquire(tie);
  return t->result;
}

void mma_s8(int *d, const uint32_t *a, const uint32_t *b, const char *file, int line) {
  Fragments f{d, a, b};
  meet(Meet::mma, 0xffffffffu, reinterpret_cast<uint64_t>(&f), 0, file, line);
}

}  // namespace emu
