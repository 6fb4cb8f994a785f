// Interpolation along one axis.
#include "prune_kernels.h"
#include "prune_support.h"
#include "vector_math.h"

CLONES static void add_scaled(float *y, const float *x, float factor, int64_t n) {
  COMPACT for (int64_t i = 0; i < n; i++) y[i] += factor * x[i];
}

CLONES static void set_scaled(float *y, const float *x, float factor, int64_t n) {
  COMPACT for (int64_t i = 0; i < n; i++) y[i] = factor * x[i];
}

/// Results `at`..<`end` along an axis whose elements lie side by side.
CLONES static void resample_line(const ps_resample_args *args, const float *x, float *y, int64_t at, int64_t end) {
  const int64_t taps = args->taps;
  const float *weights = args->weights;
  const int32_t *positions = args->positions;
  if (taps == 1) {
    COMPACT for (int64_t i = at; i < end; i++) y[i] = weights[i] * x[positions[i]];
  } else if (taps == 2) {
    COMPACT for (int64_t i = at; i < end; i++) y[i] =
        weights[2 * i] * x[positions[2 * i]] + weights[2 * i + 1] * x[positions[2 * i + 1]];
  } else {
    for (int64_t i = at; i < end; i++) {
      float sum = 0;
      for (int64_t tap = 0; tap < taps; tap++) sum += weights[i * taps + tap] * x[positions[i * taps + tap]];
      y[i] = sum;
    }
  }
}

static void resample_row(const ps_resample_args *args, const float *x, float *y, int64_t at) {
  const int64_t inner = args->inner, taps = args->taps;
  const float *weights = args->weights + at * taps;
  const int32_t *positions = args->positions + at * taps;
  if (taps == 1 && weights[0] == 1) {
    memcpy(y, x + positions[0] * inner, (size_t)inner * sizeof(float));
    return;
  }
  set_scaled(y, x + positions[0] * inner, weights[0], inner);
  for (int64_t tap = 1; tap < taps; tap++)
    if (weights[tap] != 0) add_scaled(y, x + positions[tap] * inner, weights[tap], inner);
}

/// The range is of outer rows times positions.
static void resample_range(int64_t first, int64_t last, void *user) {
  const ps_resample_args *args = user;
  const int64_t inner = args->inner, count = args->count;
  for (int64_t item = first; item < last;) {
    const int64_t row = item / count, at = item % count, end = count - at < last - item ? count : at + last - item;
    const float *x = args->x + row * args->extent * inner;
    float *y = args->y + row * count * inner;
    if (inner == 1) {
      resample_line(args, x, y, at, end);
    } else {
      for (int64_t place = at; place < end; place++) resample_row(args, x, y + place * inner, place);
    }
    item += end - at;
  }
}

int32_t ps_resample(void *user) {
  const ps_resample_args *args = user;
  int64_t each = args->inner * args->taps;
  ps_parallel_for(args->outer * args->count, ELEMENTWISE_GRAIN / (each > 0 ? each : 1) + 1, resample_range, user);
  return 0;
}
