#include <math.h>

#include "prune_codes.h"
#include "prune_support.h"
#include "vector_math.h"

CLONES static void quantize_row_u8(const float *x, uint8_t *y, float scale, float zero, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    float v = rintf(x[i] / scale) + zero;
    y[i] = (uint8_t)(int32_t)(v < 255 ? v > 0 ? v : 0 : v >= 255 ? 255 : 0);
  }
}

CLONES static void quantize_row_s8(const float *x, int8_t *y, float scale, float zero, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    float v = rintf(x[i] / scale) + zero;
    y[i] = (int8_t)(int32_t)(v < 127 ? v > -128 ? v : -128 : v >= 127 ? 127 : 0);
  }
}

/// One scale for all: the range is of elements.
static void quantize_flat(int64_t first, int64_t last, void *user) {
  const ps_quantize_args *args = user;
  float zero = args->zeros ? (float)args->zeros[0] : 0;
  if (args->is_signed) quantize_row_s8(args->x + first, (int8_t *)args->y + first, args->scales[0], zero, last - first);
  else quantize_row_u8(args->x + first, (uint8_t *)args->y + first, args->scales[0], zero, last - first);
}

static void quantize_range(int64_t first, int64_t last, void *user) {
  const ps_quantize_args *args = user;
  for (int64_t row = first; row < last; row++) {
    int64_t c = row % args->extent;
    const float *x = args->x + row * args->inner;
    float zero = args->zeros ? (float)args->zeros[c] : 0;
    if (args->is_signed) quantize_row_s8(x, (int8_t *)args->y + row * args->inner, args->scales[c], zero, args->inner);
    else quantize_row_u8(x, (uint8_t *)args->y + row * args->inner, args->scales[c], zero, args->inner);
  }
}

int32_t ps_quantize(void *user) {
  const ps_quantize_args *args = user;
  int64_t n = args->inner > 0 ? args->inner : 1;
  if (args->extent == 1) ps_parallel_for(args->outer * args->inner, ELEMENTWISE_GRAIN, quantize_flat, user);
  else ps_parallel_for(args->outer * args->extent, ELEMENTWISE_GRAIN / n + 1, quantize_range, user);
  return 0;
}

CLONES static void dequantize_row_u8(const uint8_t *x, float *y, float scale, int32_t zero, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = (float)((int32_t)x[i] - zero) * scale;
}

CLONES static void dequantize_row_s8(const int8_t *x, float *y, float scale, int32_t zero, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = (float)((int32_t)x[i] - zero) * scale;
}

static void dequantize_flat(int64_t first, int64_t last, void *user) {
  const ps_dequantize_args *args = user;
  int32_t zero = args->zeros ? args->zeros[0] : 0;
  if (args->is_signed)
    dequantize_row_s8((const int8_t *)args->x + first, args->y + first, args->scales[0], zero, last - first);
  else dequantize_row_u8((const uint8_t *)args->x + first, args->y + first, args->scales[0], zero, last - first);
}

static void dequantize_range(int64_t first, int64_t last, void *user) {
  const ps_dequantize_args *args = user;
  for (int64_t row = first; row < last; row++) {
    int64_t c = row % args->extent;
    float *y = args->y + row * args->inner;
    int32_t zero = args->zeros ? args->zeros[c] : 0;
    if (args->is_signed)
      dequantize_row_s8((const int8_t *)args->x + row * args->inner, y, args->scales[c], zero, args->inner);
    else dequantize_row_u8((const uint8_t *)args->x + row * args->inner, y, args->scales[c], zero, args->inner);
  }
}

int32_t ps_dequantize(void *user) {
  const ps_dequantize_args *args = user;
  int64_t n = args->inner > 0 ? args->inner : 1;
  if (args->extent == 1) ps_parallel_for(args->outer * args->inner, ELEMENTWISE_GRAIN, dequantize_flat, user);
  else ps_parallel_for(args->outer * args->extent, ELEMENTWISE_GRAIN / n + 1, dequantize_range, user);
  return 0;
}
