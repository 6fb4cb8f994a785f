// The weight transform of the Winograd convolution, and images whose pixels are folded in fours.

#include <string.h>

#include "prune_support.h"
#include "vector_math.h"
#include "winograd.h"

enum { MOST = 4, TILE = LANES * LANES };

/// For each number of a kernel: its tap of the window, and its lane after the first lane of its input.
struct tap_map {
  int32_t tap[PS_WINOGRAD_SIDE * PS_WINOGRAD_SIDE], lane[PS_WINOGRAD_SIDE * PS_WINOGRAD_SIDE];
};

static struct tap_map tap_map_of(const ps_winograd_weights_args *a) {
  struct tap_map result;
  for (int64_t n = 0; n < a->side * a->side; n++) {
    const int64_t row = n / a->side, column = n % a->side;
    result.tap[n] = (int32_t)(a->is_folded    ? row / 2 * a->taps + column / 2
                              : a->is_rotated ? a->taps * a->taps - 1 - n
                                              : n);
    result.lane[n] = (int32_t)(a->is_folded ? row % 2 * 2 + column % 2 : 0);
  }
  return result;
}

// A tile of kernels, [taps][inputs][outputs]; nothing where there are no such channels. A file may leave any offset.
static void gather(const ps_winograd_weights_args *a, const struct tap_map *map, int64_t output, int64_t input,
                   float kernels[][TILE]) {
  const int64_t size = a->side * a->side, lanes = a->is_folded ? 4 : 1;
  memset(kernels, 0, sizeof(float) * (size_t)(a->taps * a->taps) * TILE);
  for (int64_t o = 0; o < LANES && output + o < a->outputs; o++) {
    for (int64_t i = 0; i * lanes < LANES && (input + i) * lanes < a->inputs; i++) {
      float kernel[PS_WINOGRAD_SIDE * PS_WINOGRAD_SIDE];
      const int64_t number = (output + o) * a->output_stride + (input + i) * a->input_stride;
      memcpy(kernel, (const char *)a->weights + number * size * (int64_t)sizeof *kernel, sizeof *kernel * (size_t)size);
      for (int64_t n = 0; n < size; n++) kernels[map->tap[n]][(i * lanes + map->lane[n]) * LANES + o] = kernel[n];
    }
  }
}

// result = a sum of kernels `stride` tiles apart.
CLONES static void combine(int point, int64_t taps, const float *kernels, int64_t stride, float *result) {
  if (point == SIDE - 1) {
    memcpy(result, kernels + (taps - 1) * stride * TILE, sizeof(float) * TILE);
    return;
  }
  const float *g = winograd_points[point], *x = kernels, *y = x + stride * TILE, *z = y + stride * TILE;
  COMPACT for (int64_t n = 0; n < TILE; n++) result[n] = g[0] * x[n] + g[1] * y[n] + g[2] * z[n];
  if (taps < MOST) return;
  const float *last = z + stride * TILE;
  COMPACT for (int64_t n = 0; n < TILE; n++) result[n] += g[3] * last[n];
}

static void transform(int64_t first, int64_t last, void *user) {
  const ps_winograd_weights_args *a = user;
  const int64_t taps = a->taps, inputs = (a->inputs + LANES - 1) / LANES, outputs = (a->outputs + LANES - 1) / LANES;
  const struct tap_map map = tap_map_of(a);
  float kernels[MOST * MOST][TILE], rows[MOST][TILE], result[TILE];
  for (int64_t task = first; task < last; task++) {
    const int64_t block = task / inputs, input = task % inputs;
    int64_t start = 0, width;
    while (width = winograd_width(outputs - start), block >= start + width) start += width;
    gather(a, &map, block * LANES, input * LANES, kernels);
    for (int u = 0; u < TILE_ELEMENTS; u++) {
      const int i = u / SIDE, j = u % SIDE;
      for (int64_t k = 0; j == 0 && k < taps; k++) combine(i, taps, kernels[k], taps, rows[k]);
      combine(j, taps, rows[0], 1, result);
      float *to = a->result + (u * outputs + start) * inputs * TILE + (input * LANES * width + block - start) * LANES;
      for (int row = 0; row < LANES; row++)
        memcpy(to + row * width * LANES, result + row * LANES, sizeof(float) * LANES);
    }
  }
}

int64_t ps_winograd_weight_count(int64_t outputs, int64_t inputs) {
  return TILE_ELEMENTS * TILE * ((inputs + LANES - 1) / LANES) * ((outputs + LANES - 1) / LANES);
}

int32_t ps_winograd_weights(void *args) {
  const ps_winograd_weights_args *a = args;
  ps_parallel_for((a->inputs + LANES - 1) / LANES * ((a->outputs + LANES - 1) / LANES), 16, transform, args);
  return 0;
}

static void fold_rows(int64_t first, int64_t last, void *user) {
  const ps_fold_args *a = user;
  for (int64_t task = first; task < last; task++) {
    const int64_t image = task / a->rows, top = task % a->rows * 2 - a->shift[0];
    float *y = a->y + task * a->columns * LANES;
    memset(y, 0, sizeof(float) * LANES * (size_t)a->columns);
    for (int64_t c = 0; c < a->channels; c++) {
      for (int64_t row = 0; row < 2; row++) {
        if (top + row < 0 || top + row >= a->height) continue;
        const float *x = a->x + ((image * a->channels + c) * a->height + top + row) * a->width;
        for (int64_t column = 0; column < a->width; column++) {
          const int64_t at = column + a->shift[1];
          y[at / 2 * LANES + 4 * c + 2 * row + at % 2] = x[column];
        }
      }
    }
  }
}

int32_t ps_fold(void *args) {
  const ps_fold_args *a = args;
  ps_parallel_for(a->images * a->rows, 1 + (1 << 14) / (a->columns * LANES + 1), fold_rows, args);
  return 0;
}
