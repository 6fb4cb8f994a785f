// Gradients of activations, softmax, layer normalization and gathers.
#include <math.h>
#include <string.h>

#include "prune_training.h"
#include "prune_support.h"
#include "vector_math.h"

enum { LANES = 16 };

// MARK: - Activations

#define LOOP(slope)                                \
  COMPACT for (int64_t i = first; i < last; i++) { \
    float v = x[i];                                \
    dx[i] = dy[i] * (slope);                       \
  }                                                \
  break

FEW_CLONES static void slope_range(int64_t first, int64_t last, void *user) {
  const ps_slope_args *args = user;
  const float *dy = args->dy, *x = args->x;
  float *dx = args->dx;
  const float alpha = args->alpha, beta = args->beta;
  switch (args->kind) {
  case PS_SLOPE_CLIP: LOOP(v >= alpha && v <= beta ? 1.0f : 0.0f);
  case PS_SLOPE_LEAKY_RELU: LOOP(v >= 0 ? 1.0f : alpha);
  case PS_SLOPE_ELU: LOOP(v >= 0 ? beta : beta * alpha * vector_exp(v));
  case PS_SLOPE_SOFTPLUS: LOOP(1 / (1 + vector_exp(-v)));
  case PS_SLOPE_HARD_SIGMOID: LOOP(alpha * v + beta > 0 && alpha * v + beta < 1 ? alpha : 0.0f);
  case PS_SLOPE_HARD_SWISH: LOOP(v <= -3 ? 0.0f : v >= 3 ? 1.0f : (2 * v + 3) / 6);
  case PS_SLOPE_ERF: LOOP(1.1283791671f * vector_exp(-v * v));
  case PS_SLOPE_GELU:
    LOOP(0.5f * (1 + vector_erf(v * 0.70710678119f)) + v * 0.39894228040f * vector_exp(-0.5f * v * v));
  case PS_SLOPE_GELU_TANH:
    COMPACT for (int64_t i = first; i < last; i++) {
      float v = x[i], t = vector_tanh(0.79788456080f * (v + 0.044715f * v * v * v));
      dx[i] = dy[i] * (0.5f * (1 + t) + 0.5f * v * (1 - t * t) * 0.79788456080f * (1 + 0.134145f * v * v));
    }
    break;
  case PS_SLOPE_MISH:
    COMPACT for (int64_t i = first; i < last; i++) {
      float v = x[i], t = vector_tanh_softplus(v);
      dx[i] = dy[i] * (t + v * (1 - t * t) / (1 + vector_exp(-v)));
    }
    break;
  default: break;
  }
}

int32_t ps_slope(void *user) {
  const ps_slope_args *args = user;
  ps_parallel_for(args->count, ELEMENTWISE_GRAIN, slope_range, user);
  return 0;
}

// MARK: - Softmax

/// Σ a·b, in lanes so that it vectorizes.
CLONES static float product(const float *a, const float *b, int64_t count) {
  float lanes[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int lane = 0; lane < LANES; lane++) lanes[lane] += a[i + lane] * b[i + lane];
  float sum = 0;
  for (int lane = 0; lane < LANES; lane++) sum += lanes[lane];
  for (; i < count; i++) sum += a[i] * b[i];
  return sum;
}

CLONES static float total(const float *a, int64_t count) {
  float lanes[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int lane = 0; lane < LANES; lane++) lanes[lane] += a[i + lane];
  float sum = 0;
  for (int lane = 0; lane < LANES; lane++) sum += lanes[lane];
  for (; i < count; i++) sum += a[i];
  return sum;
}

CLONES static void softmax_rows(int64_t first, int64_t last, void *user) {
  const ps_softmax_grad_args *args = user;
  for (int64_t row = first; row < last; row++) {
    const float *dy = args->dy + row * args->extent, *y = args->y + row * args->extent;
    float *dx = args->dx + row * args->extent;
    if (args->is_log) {
      const float sum = total(dy, args->extent);
      COMPACT for (int64_t i = 0; i < args->extent; i++) dx[i] = dy[i] - vector_exp(y[i]) * sum;
    } else {
      const float sum = product(dy, y, args->extent);
      COMPACT for (int64_t i = 0; i < args->extent; i++) dx[i] = y[i] * (dy[i] - sum);
    }
  }
}

int32_t ps_softmax_grad(void *user) {
  const ps_softmax_grad_args *args = user;
  ps_parallel_for(args->rows, 1 + ELEMENTWISE_GRAIN / (args->extent + 1), softmax_rows, user);
  return 0;
}

// MARK: - Layer normalization

CLONES static void layer_statistics(int64_t first, int64_t last, void *user) {
  const ps_layer_norm_grad_args *args = user;
  const int64_t n = args->columns;
  for (int64_t row = first; row < last; row++) {
    const float *x = args->x + row * n;
    const float mean = total(x, n) / (float)n;
    float lanes[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
      for (int lane = 0; lane < LANES; lane++) lanes[lane] += (x[i + lane] - mean) * (x[i + lane] - mean);
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += lanes[lane];
    for (; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    args->statistics[2 * row] = mean;
    args->statistics[2 * row + 1] = 1 / sqrtf(sum / (float)n + args->epsilon);
  }
}

CLONES static void layer_parameters(int64_t first, int64_t last, void *user) {
  const ps_layer_norm_grad_args *args = user;
  for (int64_t c = first; c < last; c++) args->dscale[c] = args->dbias[c] = 0;
  for (int64_t row = 0; row < args->rows; row++) {
    const float mean = args->statistics[2 * row], inverse = args->statistics[2 * row + 1];
    const float *x = args->x + row * args->columns, *dy = args->dy + row * args->columns;
    float *dscale = args->dscale, *dbias = args->dbias;
    for (int64_t c = first; c < last; c++) {
      dscale[c] += dy[c] * (x[c] - mean) * inverse;
      dbias[c] += dy[c];
    }
  }
}

CLONES static void layer_inputs(int64_t first, int64_t last, void *user) {
  const ps_layer_norm_grad_args *args = user;
  const int64_t n = args->columns;
  const float *scale = args->scale;
  for (int64_t row = first; row < last; row++) {
    const float mean = args->statistics[2 * row], inverse = args->statistics[2 * row + 1];
    const float *x = args->x + row * n, *dy = args->dy + row * n;
    float *dx = args->dx + row * n;
    float sums[LANES] = {0}, products[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
      for (int lane = 0; lane < LANES; lane++) {
        float scaled = dy[i + lane] * scale[i + lane];
        sums[lane] += scaled;
        products[lane] += scaled * (x[i + lane] - mean);
      }
    float sum = 0, along = 0;
    for (int lane = 0; lane < LANES; lane++) {
      sum += sums[lane];
      along += products[lane];
    }
    for (; i < n; i++) {
      sum += dy[i] * scale[i];
      along += dy[i] * scale[i] * (x[i] - mean);
    }
    sum /= (float)n;
    along *= inverse * inverse / (float)n;
    for (i = 0; i < n; i++) dx[i] = inverse * (dy[i] * scale[i] - sum - (x[i] - mean) * along);
  }
}

int32_t ps_layer_norm_grad(void *user) {
  const ps_layer_norm_grad_args *args = user;
  const int64_t grain = 1 + ELEMENTWISE_GRAIN / (args->columns + 1);
  ps_parallel_for(args->rows, grain, layer_statistics, user);
  ps_parallel_for(args->columns, 1 + ELEMENTWISE_GRAIN / (args->rows + 1), layer_parameters, user);
  ps_parallel_for(args->rows, grain, layer_inputs, user);
  return 0;
}

// MARK: - Gather

enum { FEW = 256 };

// Sums by index of a few, precise over any number of elements. Two take turns, so that an addition seldom waits for the
// one before it.
static int32_t sums_of_few(const ps_gather_grad_args *args) {
  double sums[2][FEW] = {{0}};
  for (int64_t i = 0; i < args->indices; i++) {
    int64_t index = args->wide ? args->wide[i] : args->narrow[i];
    if (index < -args->extent || index >= args->extent) return PS_STATUS_BAD_LABEL;
    sums[i & 1][index < 0 ? index + args->extent : index] += args->dy[i];
  }
  for (int64_t k = 0; k < args->extent; k++) args->dx[k] = (float)(sums[0][k] + sums[1][k]);
  return 0;
}

int32_t ps_gather_grad(void *user) {
  const ps_gather_grad_args *args = user;
  const int64_t inner = args->inner;
  if (inner == 1 && args->outer == 1 && args->extent <= FEW) return sums_of_few(args);
  memset(args->dx, 0, sizeof(float) * (size_t)(args->outer * args->extent * inner));
  for (int64_t i = 0; i < args->indices; i++) {
    int64_t index = args->wide ? args->wide[i] : args->narrow[i];
    if (index < -args->extent || index >= args->extent) return PS_STATUS_BAD_LABEL;
    if (index < 0) index += args->extent;
    for (int64_t o = 0; o < args->outer; o++) {
      const float *from = args->dy + (o * args->indices + i) * inner;
      float *to = args->dx + (o * args->extent + index) * inner;
      for (int64_t k = 0; k < inner; k++) to[k] += from[k];
    }
  }
  return 0;
}

int32_t ps_zero(void *user) {
  const ps_zero_args *args = user;
  memset(args->y, 0, (size_t)args->bytes);
  return 0;
}
