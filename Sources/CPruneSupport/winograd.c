// The weights of a 3x3 convolution in Winograd's domain (Lavin and Gray 2015), in the layouts of oneDNN's kernels.

#include <string.h>

#include "clones.h"
#include "prune_kernels.h"
#include "prune_support.h"

// With the scaling of the transforms that oneDNN's kernels apply to images and results.
static const float two_by_three[4][3] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
static const float four_by_three[6][3] = {
    {1.13777777777778f, 0, 0},
    {-0.688403361344538f, -0.430252100840336f, -0.26890756302521f},
    {-0.688403361344538f, 0.430252100840336f, -0.26890756302521f},
    {0.119514472455649f, 0.179271708683473f, 0.26890756302521f},
    {0.119514472455649f, -0.179271708683473f, 0.26890756302521f},
    {0, 0, 1},
};

enum { TILE = PS_WINOGRAD_TILE, TAPS = 9 };

struct work {
  const char *weights;
  float *result;
  const ps_winograd *shape;
};

// A tile of kernels, [taps][inputs][outputs]; nothing where there are no such channels. A file may leave any offset.
static void gather(const struct work *w, int64_t output, int64_t input, float kernels[TAPS][TILE]) {
  const ps_winograd *s = w->shape;
  memset(kernels, 0, sizeof(float) * TAPS * TILE);
  for (int64_t o = 0; o < s->output_block && output + o < s->outputs; o++) {
    for (int64_t i = 0; i < s->input_block && input + i < s->inputs; i++) {
      float taps[TAPS];
      memcpy(taps, w->weights + ((output + o) * s->inputs + input + i) * (int64_t)sizeof taps, sizeof taps);
      for (int tap = 0; tap < TAPS; tap++) kernels[tap][i * s->output_block + o] = taps[tap];
    }
  }
}

// result = a x + b y + c z
CLONES static void combine(
    const float g[3], const float *x, const float *y, const float *z, float *result, int64_t count) {
  for (int64_t n = 0; n < count; n++) result[n] = g[0] * x[n] + g[1] * y[n] + g[2] * z[n];
}

static void transform(int64_t first, int64_t last, void *user) {
  const struct work *w = user;
  const ps_winograd *s = w->shape;
  const float(*g)[3] = s->alpha == 4 ? two_by_three : four_by_three;
  const int64_t tile = s->input_block * s->output_block;
  const int64_t input_tiles = s->padded_inputs / s->input_block, output_tiles = s->padded_outputs / s->output_block;
  const int64_t input_chunks = input_tiles / s->input_chunk, output_chunks = output_tiles / s->output_chunk;
  const int64_t places = s->alpha * s->alpha;
  float kernels[TAPS][TILE], rows[6 * 3][TILE], made[TILE];
  for (int64_t task = first; task < last; task++) {
    const int64_t ob = task / input_tiles, ib = task % input_tiles;
    const int64_t oc = ob / s->output_chunk, o2 = ob % s->output_chunk, ic = ib / s->input_chunk, i2 = ib % s->input_chunk;
    gather(w, ob * s->output_block, ib * s->input_block, kernels);
    for (int64_t j = 0; j < s->alpha; j++) {
      for (int k = 0; k < 3; k++) combine(g[j], kernels[3 * k], kernels[3 * k + 1], kernels[3 * k + 2], rows[3 * j + k], tile);
    }
    for (int64_t u = 0; u < places; u++) {
      const int64_t i = u / s->alpha, j = u % s->alpha;
      if (s->order == PS_WINOGRAD_INTERLEAVED) {
        float *to = w->result + ((u * output_chunks + oc) * input_tiles + ib) * s->output_chunk * tile + o2 * s->output_block;
        combine(g[i], rows[3 * j], rows[3 * j + 1], rows[3 * j + 2], made, tile);
        for (int64_t row = 0; row < s->input_block; row++) {
          memcpy(
              to + row * s->output_chunk * s->output_block, made + row * s->output_block, sizeof(float) * (size_t)s->output_block);
        }
        continue;
      }
      const int64_t position =
          s->order == PS_WINOGRAD_BY_PLACE
              ? (u * output_tiles + ob) * input_tiles + ib
              : (((oc * places + u) * input_chunks + ic) * s->output_chunk + o2) * s->input_chunk + i2;
      combine(g[i], rows[3 * j], rows[3 * j + 1], rows[3 * j + 2], w->result + position * tile, tile);
    }
  }
}

void ps_winograd_weights(const void *weights, float *result, const ps_winograd *shape) {
  struct work w = {weights, result, shape};
  const int64_t tasks = shape->padded_inputs / shape->input_block * (shape->padded_outputs / shape->output_block);
  ps_parallel_for(tasks, 16, transform, &w);
}
