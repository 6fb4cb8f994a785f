// Slices of tensors: their norms, and copies of some of them.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clones.h"
#include "prune_support.h"

enum { LANES = 16 };

struct slices {
  const float *values;
  int64_t outer, count, inner;
  int32_t squares;
  double *sums;
};

CLONES static double row_sum(const float *row, int64_t count, int32_t squares) {
  float lanes[LANES] = {0};
  int64_t i = 0;
  if (squares) {
    for (; i + LANES <= count; i += LANES)
      for (int k = 0; k < LANES; k++) lanes[k] += row[i + k] * row[i + k];
    for (; i < count; i++) lanes[0] += row[i] * row[i];
  } else {
    for (; i + LANES <= count; i += LANES)
      for (int k = 0; k < LANES; k++) lanes[k] += fabsf(row[i + k]);
    for (; i < count; i++) lanes[0] += fabsf(row[i]);
  }
  double sum = 0;
  for (int k = 0; k < LANES; k++) sum += lanes[k];
  return sum;
}

CLONES static void add_row(float *restrict columns, const float *restrict row, int64_t count, int32_t squares) {
  if (squares) {
    for (int64_t i = 0; i < count; i++) columns[i] += row[i] * row[i];
  } else {
    for (int64_t i = 0; i < count; i++) columns[i] += fabsf(row[i]);
  }
}

static void sum_slices(int64_t first, int64_t last, void *user) {
  const struct slices *s = user;
  enum { CHUNK = 4096 };
  if (s->inner >= LANES || s->outer == 1) {
    for (int64_t i = first; i < last; i++) {
      double sum = 0;
      for (int64_t o = 0; o < s->outer; o++)
        sum += row_sum(s->values + (o * s->count + i) * s->inner, s->inner, s->squares);
      s->sums[i] += sum;
    }
    return;
  }
  // Short slices side by side: whole columns are summed, then the columns of a slice.
  float columns[CHUNK];
  int64_t step = CHUNK / s->inner;
  for (int64_t start = first; start < last; start += step) {
    int64_t end = start + step < last ? start + step : last, width = (end - start) * s->inner;
    memset(columns, 0, (size_t)width * sizeof *columns);
    for (int64_t o = 0; o < s->outer; o++)
      add_row(columns, s->values + (o * s->count + start) * s->inner, width, s->squares);
    for (int64_t i = start; i < end; i++) {
      double sum = 0;
      for (int64_t k = 0; k < s->inner; k++) sum += columns[(i - start) * s->inner + k];
      s->sums[i] += sum;
    }
  }
}

void ps_slice_sums(const float *values, int64_t outer, int64_t count, int64_t inner, int32_t squares, double *sums) {
  struct slices s = {values, outer, count, inner, squares, sums};
  int64_t work = outer * inner;
  ps_parallel_for(count, work > 0 ? (1 << 16) / work + 1 : count, sum_slices, &s);
}

void ps_gather_blocks(void *to, const void *from, const int64_t *offsets, int64_t count, int64_t block) {
  char *target = to;
  const char *source = from;
  if (block == 4) {
    for (int64_t i = 0; i < count; i++) memcpy(target + i * 4, source + offsets[i], 4);
    return;
  }
  // Neighbours move together.
  for (int64_t i = 0; i < count;) {
    int64_t end = i + 1;
    while (end < count && offsets[end] == offsets[end - 1] + block) end++;
    memcpy(target + i * block, source + offsets[i], (size_t)((end - i) * block));
    i = end;
  }
}
