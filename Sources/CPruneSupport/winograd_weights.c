// The weights of a 3x3 convolution in Winograd's domain.

#include <string.h>

#include "clones.h"
#include "prune_kernels.h"
#include "prune_support.h"
#include "winograd.h"

enum { TAPS = 9, TILE = LANES * LANES };

static const float points[SIDE][3] = {
    {1.13777777777778f, 0, 0},
    {-0.688403361344538f, -0.430252100840336f, -0.26890756302521f},
    {-0.688403361344538f, 0.430252100840336f, -0.26890756302521f},
    {0.119514472455649f, 0.179271708683473f, 0.26890756302521f},
    {0.119514472455649f, -0.179271708683473f, 0.26890756302521f},
    {0, 0, 1},
};

// A tile of kernels, [taps][inputs][outputs]; nothing where there are no such channels. A file may leave any offset.
static void gather(const ps_winograd_weights_args *a, int64_t output, int64_t input, float kernels[TAPS][TILE]) {
  memset(kernels, 0, sizeof(float) * TAPS * TILE);
  for (int64_t o = 0; o < LANES && output + o < a->outputs; o++) {
    for (int64_t i = 0; i < LANES && input + i < a->inputs; i++) {
      float taps[TAPS];
      const int64_t kernel = (output + o) * a->output_stride + (input + i) * a->input_stride;
      memcpy(taps, (const char *)a->weights + kernel * (int64_t)sizeof taps, sizeof taps);
      for (int tap = 0; tap < TAPS; tap++) kernels[a->is_turned ? TAPS - 1 - tap : tap][i * LANES + o] = taps[tap];
    }
  }
}

// result = a x + b y + c z
CLONES static void combine(const float g[3], const float *x, const float *y, const float *z, float *result) {
  for (int64_t n = 0; n < TILE; n++) result[n] = g[0] * x[n] + g[1] * y[n] + g[2] * z[n];
}

static void transform(int64_t first, int64_t last, void *user) {
  const ps_winograd_weights_args *a = user;
  const int64_t inputs = (a->inputs + LANES - 1) / LANES, outputs = (a->outputs + LANES - 1) / LANES;
  float kernels[TAPS][TILE], rows[SIDE * 3][TILE], made[TILE];
  for (int64_t task = first; task < last; task++) {
    const int64_t block = task / inputs, input = task % inputs;
    int64_t start = 0, width;
    while (width = winograd_width(outputs - start), block >= start + width) start += width;
    gather(a, block * LANES, input * LANES, kernels);
    for (int j = 0; j < SIDE; j++) {
      for (int k = 0; k < 3; k++) combine(points[j], kernels[3 * k], kernels[3 * k + 1], kernels[3 * k + 2], rows[3 * j + k]);
    }
    for (int u = 0; u < PLACES; u++) {
      const int i = u / SIDE, j = u % SIDE;
      combine(points[i], rows[3 * j], rows[3 * j + 1], rows[3 * j + 2], made);
      float *to = a->result + (u * outputs + start) * inputs * TILE + (input * LANES * width + block - start) * LANES;
      for (int row = 0; row < LANES; row++) memcpy(to + row * width * LANES, made + row * LANES, sizeof(float) * LANES);
    }
  }
}

int64_t ps_winograd_weight_count(int64_t outputs, int64_t inputs) {
  return PLACES * TILE * ((inputs + LANES - 1) / LANES) * ((outputs + LANES - 1) / LANES);
}

int32_t ps_winograd_weights(void *args) {
  const ps_winograd_weights_args *a = args;
  ps_parallel_for((a->inputs + LANES - 1) / LANES * ((a->outputs + LANES - 1) / LANES), 16, transform, args);
  return 0;
}
