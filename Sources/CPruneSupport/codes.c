// Loops over 8-bit codes. Signed codes are read as unsigned ones by turning their top bit, `flip` 0x80, which adds 128;
// zero points here are those of the unsigned codes.

#include <math.h>

#include "prune_codes.h"
#include "prune_support.h"
#include "vector_math.h"

/// The code of `v`, which is in units of the result's scale.
static inline uint8_t code(float v, float zero, uint8_t flip) {
  v = rintf(v) + zero;
  return (uint8_t)((uint8_t)(int32_t)(v > 0 ? v < 255 ? v : 255 : 0) ^ flip);
}

CLONES static void add_run(const ps_codes_add_args *p, int64_t first, int64_t last) {
  const uint8_t *a = p->a, *b = p->b;
  uint8_t *y = p->y, a_flip = p->a_flip, b_flip = p->b_flip, flip = p->y_flip;
  float a_scale = p->a_scale, b_scale = p->b_scale, a_zero = p->a_zero, b_zero = p->b_zero, low = p->low,
        high = p->high;
  float factor = p->factor, zero = p->y_zero;
  for (int64_t i = first; i < last; i++) {
    float v = ((float)(a[i] ^ a_flip) - a_zero) * a_scale + ((float)(b[i] ^ b_flip) - b_zero) * b_scale;
    v = v > low ? v : low;
    v = v < high ? v : high;
    y[i] = code(v * factor, zero, flip);
  }
}

static void add_range(int64_t first, int64_t last, void *user) { add_run(user, first, last); }

int32_t ps_codes_add(void *user) {
  const ps_codes_add_args *args = user;
  ps_parallel_for(args->count, ELEMENTWISE_GRAIN, add_range, user);
  return 0;
}

CLONES static void affine_run(const ps_codes_affine_args *p, int64_t first, int64_t last) {
  const float *scales = p->scales, *offsets = p->offsets;
  uint8_t x_flip = p->x_flip, flip = p->y_flip;
  float low = p->low, high = p->high, zero = p->y_zero;
  int64_t channels = p->channels;
  for (int64_t row = first; row < last; row++) {
    const uint8_t *x = p->x + row * p->x_stride;
    uint8_t *y = p->y + row * p->y_stride;
    for (int64_t c = 0; c < channels; c++) {
      float v = (float)(x[c] ^ x_flip) * scales[c] + offsets[c];
      v = v > low ? v : low;
      v = v < high ? v : high;
      y[c] = code(v, zero, flip);
    }
  }
}

static void affine_range(int64_t first, int64_t last, void *user) { affine_run(user, first, last); }

int32_t ps_codes_affine(void *user) {
  const ps_codes_affine_args *args = user;
  int64_t width = args->channels > 0 ? args->channels : 1;
  ps_parallel_for(args->rows, ELEMENTWISE_GRAIN / width + 1, affine_range, user);
  return 0;
}

static void table_range(int64_t first, int64_t last, void *user) {
  const ps_codes_table_args *p = user;
  for (int64_t i = first; i < last; i++) p->y[i] = p->table[p->x[i]];
}

int32_t ps_codes_table(void *user) {
  const ps_codes_table_args *args = user;
  ps_parallel_for(args->count, ELEMENTWISE_GRAIN, table_range, user);
  return 0;
}

/// Channels whose sums are kept on the stack at a time.
enum { SUM_BLOCK = 256 };

CLONES static void add_codes(const uint8_t *x, int32_t *sums, uint8_t flip, int64_t n) {
  for (int64_t c = 0; c < n; c++) sums[c] += x[c] ^ flip;
}

CLONES static void finish_sums(const int32_t *sums, uint8_t *y, float shift, float factor, float zero, uint8_t flip,
                               int64_t n) {
  for (int64_t c = 0; c < n; c++) y[c] = code(((float)sums[c] - shift) * factor, zero, flip);
}

/// The range is of output rows.
static void average_range(int64_t first, int64_t last, void *user) {
  const ps_codes_average_args *p = user;
  for (int64_t row = first; row < last; row++) {
    int64_t image = row / p->oh, top = row % p->oh * p->stride_h - p->pad_h;
    int64_t h0 = top < 0 ? 0 : top, h1 = top + p->kh > p->ih ? p->ih : top + p->kh;
    for (int64_t column = 0; column < p->ow; column++) {
      int64_t left = column * p->stride_w - p->pad_w;
      int64_t w0 = left < 0 ? 0 : left, w1 = left + p->kw > p->iw ? p->iw : left + p->kw;
      float count = (float)((h1 - h0) * (w1 - w0));
      float factor = p->factor / (p->counts_padding ? (float)(p->kh * p->kw) : count);
      for (int64_t c = 0; c < p->channels; c += SUM_BLOCK) {
        int64_t n = p->channels - c < SUM_BLOCK ? p->channels - c : SUM_BLOCK;
        int32_t sums[SUM_BLOCK] = {0};
        for (int64_t h = h0; h < h1; h++)
          for (int64_t w = w0; w < w1; w++)
            add_codes(p->x + ((image * p->ih + h) * p->iw + w) * p->channels + c, sums, p->x_flip, n);
        finish_sums(sums, p->y + (row * p->ow + column) * p->channels + c, p->x_zero * count, factor, p->y_zero,
                    p->y_flip, n);
      }
    }
  }
}

int32_t ps_codes_average(void *user) {
  const ps_codes_average_args *args = user;
  int64_t work = args->ow * args->kh * args->kw * args->channels;
  ps_parallel_for(args->n * args->oh, ELEMENTWISE_GRAIN / (work > 0 ? work : 1) + 1, average_range, user);
  return 0;
}
