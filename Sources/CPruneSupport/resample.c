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

/// The range is of outer rows times positions.
static void resample_range(int64_t first, int64_t last, void *user) {
  const ps_resample_args *args = user;
  int64_t inner = args->inner, taps = args->taps;
  for (int64_t item = first; item < last; item++) {
    int64_t row = item / args->count, at = item % args->count;
    const float *x = args->x + row * args->extent * inner, *weights = args->weights + at * taps;
    const int32_t *positions = args->positions + at * taps;
    float *y = args->y + item * inner;
    if (taps == 1 && weights[0] == 1) {
      if (inner == 1) y[0] = x[positions[0]];
      else memcpy(y, x + positions[0] * inner, (size_t)inner * sizeof(float));
    } else if (inner == 1) {
      float sum = 0;
      for (int64_t tap = 0; tap < taps; tap++) sum += weights[tap] * x[positions[tap]];
      y[0] = sum;
    } else {
      set_scaled(y, x + positions[0] * inner, weights[0], inner);
      for (int64_t tap = 1; tap < taps; tap++)
        if (weights[tap] != 0) add_scaled(y, x + positions[tap] * inner, weights[tap], inner);
    }
  }
}

int32_t ps_resample(void *user) {
  const ps_resample_args *args = user;
  int64_t each = args->inner * args->taps;
  ps_parallel_for(args->outer * args->count, ELEMENTWISE_GRAIN / (each > 0 ? each : 1) + 1, resample_range, user);
  return 0;
}
