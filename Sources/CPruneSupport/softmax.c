#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "prune_kernels.h"
#include "prune_support.h"
#include "vector_math.h"

CLONES static float row_max(const float *x, int64_t n) { return vector_max(x, n); }

CLONES static float row_exp(const float *x, float peak, float *y, int64_t n) { return vector_exp_sum(x, peak, y, n); }

CLONES static void row_scale(float *y, float factor, int64_t n) {
  COMPACT for (int64_t i = 0; i < n; i++) y[i] *= factor;
}

CLONES static float row_exp_sum(const float *x, float peak, int64_t n) { return vector_exp_sum(x, peak, NULL, n); }

CLONES static void row_shift(const float *x, float *y, float shift, int64_t n) {
  COMPACT for (int64_t i = 0; i < n; i++) y[i] = x[i] - shift;
}

enum { COLUMNS = 256 };

/// Columns of a softmax that is not along the innermost axis, side by side.
CLONES static void columns(const ps_softmax_args *args, const float *x, float *y, int64_t count) {
  float peak[COLUMNS], sum[COLUMNS];
  const int64_t n = args->extent, step = args->inner;
  COMPACT for (int64_t j = 0; j < count; j++) peak[j] = x[j], sum[j] = 0;
  for (int64_t i = 1; i < n; i++)
    COMPACT for (int64_t j = 0; j < count; j++) peak[j] = x[i * step + j] > peak[j] ? x[i * step + j] : peak[j];
  for (int64_t i = 0; i < n; i++)
    COMPACT for (int64_t j = 0; j < count; j++) sum[j] += vector_exp(x[i * step + j] - peak[j]);
  if (args->is_log) {
    for (int64_t j = 0; j < count; j++) peak[j] += logf(sum[j]);
    for (int64_t i = 0; i < n; i++)
      COMPACT for (int64_t j = 0; j < count; j++) y[i * step + j] = x[i * step + j] - peak[j];
  } else {
    COMPACT for (int64_t j = 0; j < count; j++) sum[j] = 1 / sum[j];
    for (int64_t i = 0; i < n; i++)
      COMPACT for (int64_t j = 0; j < count; j++) y[i * step + j] = vector_exp(x[i * step + j] - peak[j]) * sum[j];
  }
}

static void softmax_range(int64_t first, int64_t last, void *user) {
  const ps_softmax_args *args = user;
  int64_t n = args->extent;
  for (int64_t row = first; row < last; row++) {
    const float *x = args->x + row * n * args->inner;
    float *y = args->y + row * n * args->inner;
    if (args->inner > 1) {
      for (int64_t first = 0; first < args->inner; first += COLUMNS) {
        int64_t count = args->inner - first < COLUMNS ? args->inner - first : COLUMNS;
        columns(args, x + first, y + first, count);
      }
      continue;
    }
    float peak = row_max(x, n);
    if (args->is_log) {
      row_shift(x, y, peak + logf(row_exp_sum(x, peak, n)), n);
    } else {
      row_scale(y, 1 / row_exp(x, peak, y, n), n);
    }
  }
}

int32_t ps_softmax(void *user) {
  const ps_softmax_args *args = user;
  int64_t each = args->extent * args->inner;
  if (each > 0) ps_parallel_for(args->outer, ELEMENTWISE_GRAIN / 4 / each + 1, softmax_range, user);
  return 0;
}

int32_t ps_softmax_cross_entropy(void *user) {
  const ps_cross_entropy_args *args = user;
  int64_t n = args->classes;
  int64_t counted = args->rows;
  if (args->labels) {
    for (int64_t row = 0; row < args->rows; row++) {
      if (args->labels[row] == args->ignored) {
        counted--;
      } else if (args->labels[row] < 0 || args->labels[row] >= n) {
        return PS_STATUS_BAD_LABEL;
      }
    }
  }
  double loss = 0;
  const float smoothing = args->smoothing, floor = smoothing / (float)n, share = 1 / (float)(counted > 0 ? counted : 1);
  for (int64_t row = 0; row < args->rows; row++) {
    const float *x = args->logits + row * n;
    float *g = args->gradient + row * n;
    const int64_t label = args->labels ? args->labels[row] : -1;
    if (args->labels && label == args->ignored) {
      memset(g, 0, (size_t)n * sizeof *g);
      continue;
    }
    const float *row_targets = args->targets ? args->targets + row * n : NULL;
    float peak = row_max(x, n), mass = 0;
    double log_sum = (double)peak + log((double)row_exp_sum(x, peak, n)), row_loss = 0;
    for (int64_t i = 0; i < n; i++) {
      float target = row_targets ? row_targets[i] : i == label;
      if (smoothing != 0) target = target * (1 - smoothing) + floor;
      mass += target;
      if (target != 0) row_loss -= (double)target * ((double)x[i] - log_sum);
    }
    loss += row_loss;
    // The gradient may lie over the logits, so it comes last.
    for (int64_t i = 0; i < n; i++) {
      float target = row_targets ? row_targets[i] : i == label;
      if (smoothing != 0) target = target * (1 - smoothing) + floor;
      g[i] = (vector_exp((float)((double)x[i] - log_sum)) * mass - target) * share;
    }
  }
  *args->loss = (float)(loss / (double)(counted > 0 ? counted : 1));
  return 0;
}
