// Normalization along rows.
#include <math.h>

#include "prune_kernels.h"
#include "prune_support.h"
#include "vector_math.h"

CLONES static float row_sum(const float *x, int64_t n) {
#pragma clang fp reassociate(on)
  float sum = 0;
  COMPACT for (int64_t i = 0; i < n; i++) sum += x[i];
  return sum;
}

CLONES static float row_squares(const float *x, float mean, int64_t n) {
#pragma clang fp reassociate(on)
  float sum = 0;
  COMPACT for (int64_t i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
  return sum;
}

CLONES static void row_normalize(const float *x, float mean, float inverse, const float *scale, const float *bias,
                                 float *y, int64_t n) {
  if (bias) COMPACT for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * inverse * scale[i] + bias[i];
  else COMPACT for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * inverse * scale[i];
}

static void normalize_rows(int64_t first, int64_t last, void *user) {
  const ps_layer_norm_args *args = user;
  int64_t n = args->columns;
  for (int64_t row = first; row < last; row++) {
    const float *x = args->x + row * n;
    float mean = args->is_centred ? row_sum(x, n) / (float)n : 0;
    float inverse = 1 / sqrtf(row_squares(x, mean, n) / (float)n + args->epsilon);
    row_normalize(x, mean, inverse, args->scale, args->bias, args->y + row * n, n);
    if (args->mean) args->mean[row] = mean;
    if (args->inverse) args->inverse[row] = inverse;
  }
}

int32_t ps_layer_norm(void *user) {
  const ps_layer_norm_args *args = user;
  int64_t n = args->columns > 0 ? args->columns : 1;
  ps_parallel_for(args->rows, ELEMENTWISE_GRAIN / 2 / n + 1, normalize_rows, user);
  return 0;
}

CLONES static void scale_row(const float *x, const float *scale, const float *shift, float low, float *y, int64_t n) {
  COMPACT for (int64_t i = 0; i < n; i++) {
    float v = x[i] * scale[i] + shift[i];
    y[i] = v < low ? low : v;
  }
}

CLONES static void scale_channel(const float *x, float scale, float shift, float low, float *y, int64_t n) {
  COMPACT for (int64_t i = 0; i < n; i++) {
    float v = x[i] * scale + shift;
    y[i] = v < low ? low : v;
  }
}

static void scale_range(int64_t first, int64_t last, void *user) {
  const ps_channels_args *args = user;
  int64_t n = args->pixels > 0 ? args->pixels : args->channels;
  for (int64_t row = first; row < last; row++) {
    const float *x = args->x + row * n;
    float *y = args->y + row * n;
    int64_t channel = row % args->channels;
    if (args->pixels > 0) scale_channel(x, args->scale[channel], args->shift[channel], args->low, y, n);
    else scale_row(x, args->scale, args->shift, args->low, y, n);
  }
}

int32_t ps_scale_channels(void *user) {
  const ps_channels_args *args = user;
  int64_t n = args->pixels > 0 ? args->pixels : args->channels;
  if (n > 0 && args->channels > 0) ps_parallel_for(args->rows, ELEMENTWISE_GRAIN / n + 1, scale_range, user);
  return 0;
}

static void clear_range(int64_t first, int64_t last, void *user) {
  const ps_tail_args *args = user;
  for (int64_t image = first; image < last; image++) {
    float *x = args->x + ((image + 1) * args->blocks - 1) * args->pixels * args->block;
    for (int64_t pixel = 0; pixel < args->pixels; pixel++, x += args->block) {
      for (int64_t lane = args->used; lane < args->block; lane++) x[lane] = 0;
    }
  }
}

int32_t ps_clear_tail(void *user) {
  const ps_tail_args *args = user;
  if (args->pixels > 0) ps_parallel_for(args->images, ELEMENTWISE_GRAIN / args->pixels + 1, clear_range, user);
  return 0;
}

/// One scale and bias a channel: the row is channels of `inner` elements each.
static void normalize_groups(int64_t first, int64_t last, void *user) {
  const ps_group_norm_args *args = user;
  int64_t n = args->channels * args->inner;
  for (int64_t row = first; row < last; row++) {
    const float *x = args->x + row * n;
    float *y = args->y + row * n;
    int64_t channel = row % args->groups * args->channels;
    float mean = row_sum(x, n) / (float)n;
    float inverse = 1 / sqrtf(row_squares(x, mean, n) / (float)n + args->epsilon);
    for (int64_t c = 0; c < args->channels; c++, channel++, x += args->inner, y += args->inner) {
      float scale = args->scale[channel] * inverse, shift = args->bias[channel];
      for (int64_t i = 0; i < args->inner; i++) y[i] = (x[i] - mean) * scale + shift;
    }
  }
}

int32_t ps_group_norm(void *user) {
  const ps_group_norm_args *args = user;
  int64_t n = args->channels * args->inner > 0 ? args->channels * args->inner : 1;
  ps_parallel_for(args->rows, ELEMENTWISE_GRAIN / 2 / n + 1, normalize_groups, user);
  return 0;
}
