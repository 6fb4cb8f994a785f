// The gradient of a 3x3 convolution with respect to its weights, by the Winograd transform: the
// gradient multiplies transformed tiles, as the convolution does.

#include <string.h>

#include "prune_support.h"
#include "winograd.h"

enum { TILE = LANES * LANES, TAPS = 9 };

/// The transpose of `output_transform`, for the gradient of four results.
WIDE_INLINE void gradient_transform(const vector d[4], vector r[SIDE]) {
  const vector s = d[0] + A2 * d[2], q = A * d[1] + A3 * d[3], t = d[0] + B2 * d[2], e = B * d[1] + B3 * d[3];
  r[0] = d[0];
  r[1] = s + q;
  r[2] = s - q;
  r[3] = t + e;
  r[4] = t - e;
  r[5] = d[3];
}

/// Transforms the results' gradient of a block of channels of some tiles; adds the gradient's sums to `sums`.
WIDE static void transform_gradient(const ps_winograd_args *a, int64_t first, int64_t count, int64_t block, float *m,
                                    float *sums) {
  const int64_t stride = distance(count);
  vector sum = load(sums);
  for (int64_t t = 0; t < count; t++, m += LANES) {
    const struct tile at = tile_at(a, first + t);
    const float *y = a->y + (((at.image * a->outputs + block) * a->rows + at.row) * a->columns + at.column) * LANES;
    vector half[SIDE][4];
    UNROLLED for (int j = 0; j < 4; j++) {
      vector d[4], r[SIDE];
      UNROLLED for (int i = 0; i < 4; i++) {
        const int is_inside = at.row + i < a->rows && at.column + j < a->columns;
        d[i] = is_inside ? load(y + (i * a->columns + j) * LANES) : (vector){0};
        sum += d[i];
      }
      gradient_transform(d, r);
      UNROLLED for (int i = 0; i < SIDE; i++) half[i][j] = r[i];
    }
    UNROLLED for (int i = 0; i < SIDE; i++) {
      vector r[SIDE];
      gradient_transform(half[i], r);
      UNROLLED for (int j = 0; j < SIDE; j++) store(m + (i * SIDE + j) * stride, r[j]);
    }
  }
  store(sums, sum);
}

/// u += v m over some tiles, for a block of inputs, 16 / `width` at a time, and `width` blocks of results.
WIDE_INLINE void product(int width, const float *v, const float *m, int64_t block, int64_t tiles, float *u) {
  const int inputs = LANES / width;
  for (int64_t first = 0; first < LANES; first += inputs, v += inputs, u += inputs * width * LANES) {
    vector sum[LANES][4];
    UNROLLED for (int i = 0; i < inputs; i++) {
      UNROLLED for (int n = 0; n < width; n++) sum[i][n] = load(u + (i * width + n) * LANES);
    }
    ROLLED for (int64_t t = 0; t < tiles; t++) {
      vector w[4];
      UNROLLED for (int n = 0; n < width; n++) w[n] = load(m + n * block + t * LANES);
      UNROLLED for (int i = 0; i < inputs; i++) {
        UNROLLED for (int n = 0; n < width; n++) sum[i][n] += v[t * LANES + i] * w[n];
      }
    }
    UNROLLED for (int i = 0; i < inputs; i++) {
      UNROLLED for (int n = 0; n < width; n++) store(u + (i * width + n) * LANES, sum[i][n]);
    }
  }
}

WIDE static void product_1(const float *v, const float *m, int64_t block, int64_t tiles, float *u) {
  product(1, v, m, block, tiles, u);
}
WIDE static void product_2(const float *v, const float *m, int64_t block, int64_t tiles, float *u) {
  product(2, v, m, block, tiles, u);
}
WIDE static void product_4(const float *v, const float *m, int64_t block, int64_t tiles, float *u) {
  product(4, v, m, block, tiles, u);
}

static void multiply(const ps_winograd_args *a, int64_t count, const float *v, const float *m, float *u) {
  const int64_t block = TILE_ELEMENTS * distance(count);
  for (int64_t element = 0; element < TILE_ELEMENTS; element++, v += distance(count), m += distance(count)) {
    for (int64_t o = 0, width; o < a->outputs; o += width) {
      width = winograd_width(a->outputs - o);
      for (int64_t i = 0; i < a->inputs; i++, u += width * TILE) {
        (width == 4 ? product_4 : width == 2 ? product_2 : product_1)(v + i * block, m + o * block, block, count, u);
      }
    }
  }
}

static int64_t weight_count(const ps_winograd_args *a) { return TILE_ELEMENTS * TILE * a->inputs * a->outputs; }

int64_t ps_winograd_gradient_scratch(const ps_winograd_args *a) {
  return ps_winograd_scratch(a) + weight_count(a) + LANES * a->outputs;
}

/// Each worker has its own scratch memory and sums, and takes every workers-th part.
static void work(int64_t first, int64_t last, void *user) {
  const ps_winograd_gradient_args *g = user;
  const ps_winograd_args *a = &g->convolution;
  for (int64_t worker = first; worker < last; worker++) {
    float *u = a->scratch + worker * ps_winograd_gradient_scratch(a), *sums = u + weight_count(a),
          *v = sums + LANES * a->outputs;
    memset(u, 0, sizeof(float) * (size_t)(weight_count(a) + LANES * a->outputs));
    for (int64_t part = worker; part < a->parts; part += a->workers) {
      const struct span span = span_at(a, part);
      const int64_t block = TILE_ELEMENTS * distance(span.count);
      float *m = v + a->inputs * block;
      for (int64_t i = 0; i < a->inputs; i++) winograd_input_transform(a, span.first, span.count, i, v + i * block);
      for (int64_t o = 0; o < a->outputs; o++)
        transform_gradient(a, span.first, span.count, o, m + o * block, sums + o * LANES);
      multiply(a, span.count, v, m, u);
    }
  }
}

/// The weight transform of the sums of all workers: nine taps for each input of a block and a block of results.
WIDE static void transform_weights(int64_t first, int64_t last, void *user) {
  const ps_winograd_gradient_args *g = user;
  const ps_winograd_args *a = &g->convolution;
  const int64_t size = ps_winograd_gradient_scratch(a);
  for (int64_t task = first; task < last; task++) {
    const int64_t o = task / g->inputs, input = task % g->inputs;
    int64_t start = 0, width;
    while (width = winograd_width(a->outputs - start), o >= start + width) start += width;
    const float *u =
        a->scratch + (start * a->inputs + input / LANES * width) * TILE + (input % LANES * width + o - start) * LANES;
    vector half[SIDE][3] = {0}, taps[TAPS] = {0};
    ROLLED for (int element = 0; element < TILE_ELEMENTS; element++) {
      const int i = element / SIDE, j = element % SIDE;
      vector sum = {0};
      ROLLED for (int64_t worker = 0; worker < a->workers; worker++) {
        sum += load(u + worker * size + element * TILE * a->inputs * a->outputs);
      }
      UNROLLED for (int k = 0; k < 3; k++) half[i][k] += winograd_points[j][k] * sum;
    }
    ROLLED for (int i = 0; i < SIDE; i++) {
      UNROLLED for (int tap = 0; tap < TAPS; tap++) taps[tap] += winograd_points[i][tap / 3] * half[i][tap % 3];
    }
    for (int64_t lane = 0; lane < LANES && o * LANES + lane < g->outputs; lane++) {
      float *dw = g->dw + ((o * LANES + lane) * g->inputs + input) * TAPS;
      for (int tap = 0; tap < TAPS; tap++) dw[tap] = ((const float *)&taps[tap])[lane];
    }
  }
}

int32_t ps_winograd_gradient(void *args) {
  const ps_winograd_gradient_args *g = args;
  const ps_winograd_args *a = &g->convolution;
  ps_parallel_for(a->workers, 1, work, args);
  ps_parallel_for(a->outputs * g->inputs, 64, transform_weights, args);
  for (int64_t o = 0; g->db && o < g->outputs; o++) {
    g->db[o] = 0;
    for (int64_t worker = 0; worker < a->workers; worker++) {
      g->db[o] += a->scratch[worker * ps_winograd_gradient_scratch(a) + weight_count(a) + o];
    }
  }
  return 0;
}
