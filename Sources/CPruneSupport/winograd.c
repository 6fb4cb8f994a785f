// The Winograd convolution F(4x4, 3x3) or F(3x3, 4x4) with stride 1, for vectors of 16 numbers. oneDNN's takes two to
// three times as long.

#include "winograd.h"

#include "prune_support.h"

WIDE_INLINE void input_transform(const vector d[SIDE], vector r[SIDE]) {
  const vector e = d[4] - B2 * d[2], f = d[3] - B2 * d[1], g = d[4] - A2 * d[2], h = d[3] - A2 * d[1];
  r[0] = (d[4] - SUM * d[2]) + PRODUCT * d[0];
  r[1] = e + A * f;
  r[2] = e - A * f;
  r[3] = g + B * h;
  r[4] = g - B * h;
  r[5] = (d[5] - SUM * d[3]) + PRODUCT * d[1];
}

/// Four results of windows of three, or three of windows of four: `last` is 1 where the third is the last, else 0.
WIDE_INLINE void output_transform(const vector m[SIDE], float last, vector r[4]) {
  const vector s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], e = m[3] - m[4];
  r[0] = m[0] + s + t;
  r[1] = A * d + B * e;
  r[2] = A2 * s + B2 * t + last * m[5];
  r[3] = m[5] + A3 * d + B3 * e;
}

WIDE static void transform_input_tile(const float *x, int64_t row, float *v, int64_t stride) {
  vector half[SIDE][SIDE];
  UNROLLED for (int j = 0; j < SIDE; j++) {
    vector d[SIDE], r[SIDE];
    UNROLLED for (int i = 0; i < SIDE; i++) d[i] = load(x + i * row + j * LANES);
    input_transform(d, r);
    UNROLLED for (int i = 0; i < SIDE; i++) half[i][j] = r[i];
  }
  UNROLLED for (int i = 0; i < SIDE; i++) {
    vector r[SIDE];
    input_transform(half[i], r);
    UNROLLED for (int j = 0; j < SIDE; j++) store(v + (i * SIDE + j) * stride, r[j]);
  }
}

WIDE void winograd_input_transform(const ps_winograd_args *a, int64_t first, int64_t count, int64_t block, float *v) {
  const int64_t stride = distance(count), row = a->width * LANES;
  for (int64_t t = 0; t < count; t++, v += LANES) {
    const struct tile at = tile_at(a, first + t);
    const int64_t top = at.row - a->before[0], left = at.column - a->before[1];
    const float *x = a->x + (at.image * a->inputs + block) * a->height * row;
    if (top >= 0 && left >= 0 && top + SIDE <= a->height && left + SIDE <= a->width) {
      transform_input_tile(x + top * row + left * LANES, row, v, stride);
      continue;
    }
    vector patch[TILE_ELEMENTS];
    for (int i = 0; i < SIDE; i++) {
      for (int j = 0; j < SIDE; j++) {
        const int is_inside = top + i >= 0 && top + i < a->height && left + j >= 0 && left + j < a->width;
        patch[i * SIDE + j] = is_inside ? load(x + (top + i) * row + (left + j) * LANES) : (vector){0};
      }
    }
    transform_input_tile((const float *)patch, SIDE * LANES, v, stride);
  }
}

/// The output transform of a block of channels of some tiles, and the fused operations after the convolution.
WIDE static void transform_output(const ps_winograd_args *a, int64_t first, int64_t count, int64_t block,
                                  const float *m) {
  const int64_t stride = distance(count);
  const float last = a->step == 3 ? 1 : 0;
  const vector zero = {0}, bias = a->bias ? load(a->bias + block * LANES) : zero, low = a->low + zero,
               high = a->high + zero;
  for (int64_t t = 0; t < count; t++, m += LANES) {
    const struct tile at = tile_at(a, first + t);
    const int64_t rows = a->rows - at.row < a->step ? a->rows - at.row : a->step;
    const int64_t columns = a->columns - at.column < a->step ? a->columns - at.column : a->step;
    const int64_t pixel = a->innermost ? a->outputs * LANES : LANES;
    float *y = a->y + at.image * a->outputs * a->rows * a->columns * LANES + (at.row * a->columns + at.column) * pixel;
    y += block * (a->innermost ? LANES : a->rows * a->columns * LANES);
    vector half[4][SIDE];
    UNROLLED for (int j = 0; j < SIDE; j++) {
      vector d[SIDE], r[4];
      UNROLLED for (int i = 0; i < SIDE; i++) d[i] = load(m + (i * SIDE + j) * stride);
      output_transform(d, last, r);
      UNROLLED for (int i = 0; i < 4; i++) half[i][j] = r[i];
    }
    UNROLLED for (int i = 0; i < 4; i++) {
      if (i >= rows) break;
      vector r[4];
      output_transform(half[i], last, r);
      UNROLLED for (int j = 0; j < 4; j++) {
        if (j >= columns) break;
        float *to = y + (i * a->columns + j) * pixel;
        vector value = r[j] + bias;
        if (a->adds) value += load(to);
        if (a->slope != 1) value = choose(value < 0, a->slope * value, value);
        value = choose(value < low, low, value);
        store(to, choose(value > high, high, value));
      }
    }
  }
}

/// m = v u for one stride of some tiles and `width` blocks of results, all in registers.
WIDE_INLINE void product(int width, int tiles, const ps_winograd_args *a, const float *v, const float *u, float *m,
                         int64_t block) {
  enum { MOST = 12 };
  vector sum[MOST][4];
  UNROLLED for (int t = 0; t < tiles; t++) { UNROLLED for (int n = 0; n < width; n++) sum[t][n] = (vector){0}; }
  for (int64_t b = 0; b < a->inputs; b++, v += block) {
    ROLLED for (int k = 0; k < a->lanes; k++, u += width * LANES) {
      vector w[4];
      UNROLLED for (int n = 0; n < width; n++) w[n] = load(u + n * LANES);
      UNROLLED for (int t = 0; t < tiles; t++) {
        UNROLLED for (int n = 0; n < width; n++) sum[t][n] += v[t * LANES + k] * w[n];
      }
    }
  }
  UNROLLED for (int t = 0; t < tiles; t++) {
    UNROLLED for (int n = 0; n < width; n++) store(m + n * block + t * LANES, sum[t][n]);
  }
}

typedef void product_function(const ps_winograd_args *, const float *, const float *, float *, int64_t);
#define MADE(W, T)                                                                                        \
  WIDE static void product_##W##_##T(const ps_winograd_args *a, const float *v, const float *u, float *m, \
                                     int64_t block) {                                                     \
    product(W, T, a, v, u, m, block);                                                                     \
  }
#define UP_TO_6(W) MADE(W, 1) MADE(W, 2) MADE(W, 3) MADE(W, 4) MADE(W, 5) MADE(W, 6)
#define UP_TO_12(W) UP_TO_6(W) MADE(W, 7) MADE(W, 8) MADE(W, 9) MADE(W, 10) MADE(W, 11) MADE(W, 12)
UP_TO_12(1)
UP_TO_12(2)
UP_TO_6(4)
#define LIST_6(W) product_##W##_1, product_##W##_2, product_##W##_3, product_##W##_4, product_##W##_5, product_##W##_6
#define LIST_12(W) \
  LIST_6(W), product_##W##_7, product_##W##_8, product_##W##_9, product_##W##_10, product_##W##_11, product_##W##_12
static product_function *const ones[] = {LIST_12(1)}, *const twos[] = {LIST_12(2)}, *const fours[] = {LIST_6(4)};

/// The products of one tile element of some tiles.
static void multiply(const ps_winograd_args *a, int64_t count, int64_t element, const float *v, float *m) {
  const int64_t block = TILE_ELEMENTS * distance(count);
  const float *u = a->weights + element * a->inputs * a->outputs * LANES * LANES;
  for (int64_t o = 0, width; o < a->outputs; o += width) {
    width = winograd_width(a->outputs - o);
    product_function *const *functions = width == 4 ? fours : width == 2 ? twos : ones;
    const int64_t most = width == 4 ? 6 : 12, calls = (count + most - 1) / most;
    for (int64_t call = 0, t = 0; call < calls; call++) {
      const int64_t tiles = count / calls + (call < count % calls), at = element * distance(count) + t * LANES;
      functions[tiles - 1](a, v + at, u, m + o * block + at, block);
      t += tiles;
    }
    u += width * LANES * a->inputs * LANES;
  }
}

int64_t ps_winograd_tiles(const ps_winograd_args *a) { return a->images * steps(a, a->rows) * steps(a, a->columns); }

/// Some tiles of all channels, and their transformed inputs and outputs.
struct part {
  const ps_winograd_args *args;
  int64_t first, count;
  float *v, *m;
};

static struct part part_at(const ps_winograd_args *a, int64_t index, float *scratch) {
  const struct span span = span_at(a, index);
  return (struct part){a, span.first, span.count, scratch, scratch + a->inputs * TILE_ELEMENTS * distance(span.count)};
}

static void transform_inputs(int64_t first, int64_t last, void *user) {
  const struct part *p = user;
  for (int64_t b = first; b < last; b++)
    winograd_input_transform(p->args, p->first, p->count, b, p->v + b * TILE_ELEMENTS * distance(p->count));
}

static void multiply_elements(int64_t first, int64_t last, void *user) {
  const struct part *p = user;
  for (int64_t element = first; element < last; element++) multiply(p->args, p->count, element, p->v, p->m);
}

static void transform_outputs(int64_t first, int64_t last, void *user) {
  const struct part *p = user;
  for (int64_t b = first; b < last; b++)
    transform_output(p->args, p->first, p->count, b, p->m + b * TILE_ELEMENTS * distance(p->count));
}

/// Each worker has its own scratch memory and takes every workers-th part.
static void work(int64_t first, int64_t last, void *user) {
  const ps_winograd_args *a = user;
  for (int64_t worker = first; worker < last; worker++) {
    for (int64_t index = worker; index < a->parts; index += a->workers) {
      struct part p = part_at(a, index, a->scratch + worker * ps_winograd_scratch(a));
      transform_inputs(0, a->inputs, &p);
      multiply_elements(0, TILE_ELEMENTS, &p);
      transform_outputs(0, a->outputs, &p);
    }
  }
}

int64_t ps_winograd_scratch(const ps_winograd_args *a) {
  const int64_t most = (ps_winograd_tiles(a) + a->parts - 1) / a->parts;
  return TILE_ELEMENTS * distance(most) * (a->inputs + a->outputs);
}

int32_t ps_winograd(void *args) {
  const ps_winograd_args *a = args;
  if (a->parts > 1 || a->workers == 1) {
    ps_parallel_for(a->workers, 1, work, args);
    return 0;
  }
  // Too few tiles to divide: all workers share one part.
  struct part p = part_at(a, 0, a->scratch);
  ps_parallel_for(a->inputs, 1, transform_inputs, &p);
  ps_parallel_for(TILE_ELEMENTS, 1, multiply_elements, &p);
  ps_parallel_for(a->outputs, 1, transform_outputs, &p);
  return 0;
}
