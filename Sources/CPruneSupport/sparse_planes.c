// Depthwise convolutions of row-major images. Sparse convolutions before and after want images so: a layout that is
// fast for windows of one channel alone, but not for them, would have to be changed twice.
#include <string.h>

#include "prune_kernels.h"
#include "prune_sparse.h"
#include "prune_support.h"
#include "store_part.h"

#define INLINE __attribute__((always_inline)) static inline
#define UNROLL _Pragma("clang loop unroll(full)")
#define ROLLED _Pragma("clang loop unroll(disable)")

enum {
  /// Rows of a tile.
  PLANE_ROWS = 4,
  /// Rows of results that are made of one padded band, and numbers behind a phase of one that may be touched.
  BAND = 16,
  BEHIND = 32,
};

/// Results of some rows of one channel, from a padded band.
struct plane {
  const float *x, *weights;
  const int32_t *offsets;
  float *y, *end;
  int64_t taps, rows, columns, pitch;
  float bias, slope, low, high;
  int is_three;
};

/// Rows of an image that are laid out, `step` numbers apart, and how many numbers there are from the first on.
struct rows {
  const float *from;
  int64_t count, step, room, pitch;
};

/// Where a phase's numbers lie in a row of the image, and how many zeros stand before them.
struct phase {
  int64_t left, start, count;
};

struct machine {
  int lanes;
  void (*copy)(const struct rows *rows, struct phase phase, float *to);
  void (*separate)(const struct rows *rows, struct phase e, struct phase o, float *even, float *odd);
  void (*band)(const struct plane *);
};

#define NAME(x) base_##x
#define TARGET
#define LANES 4
#define EVEN(first) first, first + 2, first + 4, first + 6
#define STORE_PART(to, count, value) memcpy(to, &(value), (size_t)(count) * sizeof(float))
INLINE __attribute__((vector_size(16))) float plane_limited(__attribute__((vector_size(16))) float x, float low,
                                                            float high) {
  for (int i = 0; i < 4; i++) x[i] = x[i] > high ? high : x[i] < low ? low : x[i];
  return x;
}
#define LIMITED(x, low, high) ((NAME(vector))plane_limited(x, (low)[0], (high)[0]))
#include "plane_tile.h"

#ifdef __x86_64__
#define NAME(x) avx2_##x
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define EVEN(first) first, first + 2, first + 4, first + 6, first + 8, first + 10, first + 12, first + 14
#define STORE_PART(to, count, value) avx2_store_part(to, count, (__m256)(value))
// Of a number and NaN, the second operand is taken.
#define LIMITED(x, low, high) ((NAME(vector))_mm256_min_ps((__m256)(high), _mm256_max_ps((__m256)(low), (__m256)(x))))
#include "plane_tile.h"

#define NAME(x) avx512_##x
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define LANES 16
#define EVEN(first)                                                                                              \
  first, first + 2, first + 4, first + 6, first + 8, first + 10, first + 12, first + 14, first + 16, first + 18, \
      first + 20, first + 22, first + 24, first + 26, first + 28, first + 30
#define STORE_PART(to, count, value) _mm512_mask_storeu_ps(to, (__mmask16)((1u << (count)) - 1), (__m512)(value))
#define LIMITED(x, low, high) ((NAME(vector))_mm512_min_ps((__m512)(high), _mm512_max_ps((__m512)(low), (__m512)(x))))
#include "plane_tile.h"
#endif

/// Narrow images leave most of a wide vector empty.
static const struct machine *this_machine(int64_t lanes, int64_t columns) {
  if (lanes == base_machine.lanes) return &base_machine;
#ifdef __x86_64__
  const int fills = columns > 8 && (columns % 16 == 0 || columns % 16 > 8 || columns > 32);
  if (lanes != avx2_machine.lanes && (fills || lanes == avx512_machine.lanes) && __builtin_cpu_supports("avx512f"))
    return &avx512_machine;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2_machine;
#endif
  return &base_machine;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

struct work {
  const ps_sparse_plane_args *args;
  const struct machine *machine;
  /// Rows of results of a band, and rows of a phase of one.
  int64_t band, rows, phase;
};

static struct work work(const ps_sparse_plane_args *a) {
  struct work w = {a, this_machine(a->lanes, a->columns), least(BAND, a->rows), 0, 0};
  w.rows = w.band + (a->kernel[0] - 1) * a->dilations[0] / a->steps[0];
  // Vectors are written and read up to one behind.
  w.phase = w.rows * a->pitch + BEHIND;
  return w;
}

static int64_t band_count(const struct work *w) { return w->phase * w->args->phases[0] * w->args->phases[1]; }

static struct phase phase_of(const ps_sparse_plane_args *a, int64_t number) {
  const int64_t step = a->steps[1], before = a->before[1];
  struct phase p = {before > number ? (before - number + step - 1) / step : 0, 0, 0};
  p.left = least(p.left, a->pitch);
  p.start = p.left * step + number - before;
  if (p.start < a->width) p.count = least((a->width - p.start + step - 1) / step, a->pitch - p.left);
  return p;
}

static void copy_apart(const struct rows *rows, struct phase phase, int64_t step, float *to) {
  const float *from = rows->from + phase.start;
  for (int64_t r = 0; r < rows->count; r++, from += rows->step, to += rows->pitch) {
    for (int64_t i = 0; i < phase.left; i++) to[i] = 0;
    for (int64_t i = 0; i < phase.count; i++) to[phase.left + i] = from[i * step];
    for (int64_t i = phase.left + phase.count; i < rows->pitch; i++) to[i] = 0;
  }
}

/// The band that `count` rows of results from `first` on are made of.
static void fill(const struct work *w, const float *x, int64_t first, int64_t count, float *band) {
  const ps_sparse_plane_args *a = w->args;
  const int64_t used = count + w->rows - w->band, step = a->steps[0], pitch = a->pitch;
  const struct phase both[2] = {phase_of(a, 0), phase_of(a, 1)};
  // An odd number of pads changes which phase the first number belongs to.
  const int is_odd = a->before[1] % 2 != 0;
  const int is_both = a->steps[1] == 2 && a->phases[1] == 2 && both[0].count > 0 && both[1].count > 0;
  for (int64_t i = 0; i < a->phases[0]; i++) {
    const int64_t top = first * step + i - a->before[0];
    // Rows of zeros, of the image, and of zeros.
    const int64_t above = least(top < 0 ? (step - 1 - top) / step : 0, used);
    const int64_t inside = a->height - (top + above * step);
    const struct rows rows = {.from = x + (top + above * step) * a->width,
                              .count = inside > 0 ? least((inside + step - 1) / step, used - above) : 0,
                              .step = step * a->width,
                              .room = inside * a->width,
                              .pitch = pitch};
    for (int64_t j = 0; j < a->phases[1]; j++) {
      float *to = band + (i * a->phases[1] + j) * w->phase;
      if (above > 0) memset(to, 0, (size_t)(above * pitch) * sizeof(float));
      if (rows.count > 0 && is_both) {
        if (j == 0)
          w->machine->separate(&rows, both[is_odd], both[!is_odd], to + above * pitch + (is_odd ? w->phase : 0),
                               to + above * pitch + (is_odd ? 0 : w->phase));
      } else if (rows.count > 0) {
        const struct phase phase = j < 2 ? both[j] : phase_of(a, j);
        if (a->steps[1] == 1) w->machine->copy(&rows, phase, to + above * pitch);
        else copy_apart(&rows, phase, a->steps[1], to + above * pitch);
      }
      const int64_t below = used - above - rows.count;
      if (below > 0) memset(to + (used - below) * pitch, 0, (size_t)(below * pitch) * sizeof(float));
    }
  }
}

static void make_channels(int64_t first, int64_t last, void *user) {
  const struct work *w = user;
  const ps_sparse_plane_args *a = w->args;
  const int64_t taps = a->kernel[0] * a->kernel[1], each = band_count(w), total = a->images * a->channels;
  for (int64_t worker = first; worker < last; worker++) {
    float *band = a->scratch + worker * (each + taps);
    int32_t *offsets = (int32_t *)(band + each);
    for (int64_t i = 0, t = 0; i < a->kernel[0]; i++) {
      for (int64_t j = 0; j < a->kernel[1]; j++, t++) {
        const int64_t down = i * a->dilations[0], across = j * a->dilations[1];
        const int64_t phase = down % a->steps[0] * a->phases[1] + across % a->steps[1];
        offsets[t] = (int32_t)(phase * w->phase + down / a->steps[0] * a->pitch + across / a->steps[1]);
      }
    }
    memset(band, 0, (size_t)each * sizeof(float));
    const int is_three = a->kernel[0] == 3 && a->kernel[1] == 3 && a->steps[0] == 1 && a->steps[1] == 1 &&
                         a->dilations[0] == 1 && a->dilations[1] == 1;
    for (int64_t plane = total * worker / a->threads; plane < total * (worker + 1) / a->threads; plane++) {
      const float *x = a->x + plane * a->height * a->width;
      for (int64_t row = 0; row < a->rows; row += w->band) {
        const int64_t count = least(w->band, a->rows - row);
        fill(w, x, row, count, band);
        for (int64_t o = 0; o < a->multiplier; o++) {
          const int64_t channel = plane % a->channels * a->multiplier + o;
          float *y = a->y + ((plane * a->multiplier + o) * a->rows + row) * a->columns;
          const struct plane p = {.x = band,
                                  .weights = a->weights + channel * taps,
                                  .offsets = offsets,
                                  .y = y,
                                  .end = y + count * a->columns,
                                  .taps = taps,
                                  .rows = count,
                                  .columns = a->columns,
                                  .pitch = a->pitch,
                                  .bias = a->bias ? a->bias[channel] : 0,
                                  .slope = a->slope,
                                  .low = a->low,
                                  .high = a->high,
                                  .is_three = is_three};
          w->machine->band(&p);
          if (a->function >= 0) {
            const ps_unary_args unary = {y, y, count * a->columns, a->function, a->alpha, a->beta};
            ps_unary_serial(&unary);
          }
        }
      }
    }
  }
}

int64_t ps_sparse_plane_scratch(const ps_sparse_plane_args *a) {
  const struct work w = work(a);
  return (band_count(&w) + a->kernel[0] * a->kernel[1]) * a->threads;
}

int32_t ps_sparse_planes(void *user) {
  const ps_sparse_plane_args *a = user;
  if (a->rows <= 0 || a->columns <= 0) return 0;
  struct work w = work(a);
  ps_parallel_for(a->threads, 1, make_channels, &w);
  return 0;
}
