// Counting the elements of a tensor that are not zero, at the speed of memory.

#include <string.h>

#include "clones.h"
#include "prune_support.h"

// Mapped files need not be aligned.
typedef uint16_t __attribute__((aligned(1), may_alias)) loose16;
typedef uint32_t __attribute__((aligned(1), may_alias)) loose32;
typedef uint64_t __attribute__((aligned(1), may_alias)) loose64;

FEW_CLONES static int64_t count8(const uint8_t *values, int64_t count, uint8_t mask, uint8_t zero) {
  int64_t total = 0;
  while (count > 0) {
    // Short runs, so that the counters of a vector stay narrow.
    int64_t run = count < 1 << 15 ? count : 1 << 15;
    uint32_t part = 0;
    for (int64_t i = 0; i < run; i++) part += (values[i] & mask) != zero;
    total += part;
    values += run;
    count -= run;
  }
  return total;
}

FEW_CLONES static int64_t count16(const loose16 *values, int64_t count, uint16_t mask) {
  int64_t total = 0;
  for (int64_t i = 0; i < count; i++) total += (values[i] & mask) != 0;
  return total;
}

FEW_CLONES static int64_t count32(const loose32 *values, int64_t count, uint32_t mask) {
  int64_t total = 0;
  while (count > 0) {
    int64_t run = count < 1 << 24 ? count : 1 << 24;
    uint32_t part = 0;
    for (int64_t i = 0; i < run; i++) part += (values[i] & mask) != 0;
    total += part;
    values += run;
    count -= run;
  }
  return total;
}

FEW_CLONES static int64_t count64(const loose64 *values, int64_t count, uint64_t mask) {
  int64_t total = 0;
  for (int64_t i = 0; i < count; i++) total += (values[i] & mask) != 0;
  return total;
}

FEW_CLONES static int64_t count4(const uint8_t *values, int64_t count, uint8_t mask) {
  int64_t total = 0;
  for (int64_t i = 0; i < count / 2; i++) total += ((values[i] & mask) != 0) + (((values[i] >> 4) & mask) != 0);
  if (count % 2) total += (values[count / 2] & mask) != 0;
  return total;
}

int64_t ps_count_nonzero(const void *values, int64_t count, int32_t bits, uint64_t mask) {
  switch (bits) {
  case 4: return count4(values, count, (uint8_t)mask);
  case 8: return count8(values, count, (uint8_t)mask, 0);
  case 16: return count16(values, count, (uint16_t)mask);
  case 32: return count32(values, count, (uint32_t)mask);
  case 64: return count64(values, count, mask);
  default: return 0;
  }
}

int64_t ps_count_unequal(const uint8_t *values, int64_t outer, int64_t channels, int64_t inner, const uint8_t *zeros) {
  int64_t total = 0;
  for (int64_t row = 0; row < outer; row++)
    for (int64_t channel = 0; channel < channels; channel++, values += inner)
      total += count8(values, inner, 0xFF, zeros[channel]);
  return total;
}

// MARK: - Infinite numbers and NaN

struct finite {
  const float *x;
  int32_t is_wild;
};

/// Whether one has all bits of its exponent.
CLONES static uint32_t has_wild(const float *x, int64_t n) {
  uint32_t is_wild = 0;
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    is_wild |= (bits & 0x7f800000u) == 0x7f800000u;
  }
  return is_wild;
}

static void look(int64_t first, int64_t last, void *user) {
  struct finite *args = user;
  if (has_wild(args->x + first, last - first)) __atomic_store_n(&args->is_wild, 1, __ATOMIC_RELAXED);
}

int32_t ps_is_finite(const float *x, int64_t n) {
  struct finite args = {x, 0};
  ps_parallel_for(n, 1 << 18, look, &args);
  return !args.is_wild;
}
