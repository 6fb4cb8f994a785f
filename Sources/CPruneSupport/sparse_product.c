// Products with weights that are mostly zeros. After Elsen, Dukhan, Gale and Simonyan, "Fast Sparse ConvNets" (CVPR
// 2020): places of the result lie in vectors, and each weight that is not zero multiplies all of a tile. Kernels of
// more than one pixel and steps apart are the same product: a tap is a place in a padded image, whatever its row and
// column.
#include <string.h>

#include "prune_kernels.h"
#include "prune_sparse.h"
#include "prune_support.h"
#include "store_part.h"

#define INLINE __attribute__((always_inline)) static inline
#define UNROLL _Pragma("clang loop unroll(full)")
#define ROLLED _Pragma("clang loop unroll(disable)")

enum {
  /// Vectors of the largest tile, and of one of rows that go together.
  MOST = 12,
  MOST_TOGETHER = 6,
  TOGETHER = PS_SPARSE_TOGETHER,
  /// Rows that go through one block of taps after the other, and whose results wait in memory of their own until they
  /// are written where they belong.
  WAITING = PS_SPARSE_CHUNK,
  /// Bytes of inputs that stay in the first cache while rows are made of them, and weights that a row has at least of a
  /// block: fewer are not worth taking its sums up again.
  CACHED = 20 << 10,
  FEWEST = 20,
};

/// Rows `first` to `last` for some places: those of their weights that are from `begins` to `ends`.
struct tile {
  const float *values;
  const uint16_t *taps;
  const uint32_t *begins, *ends, *order;
  const int32_t *offsets;
  const float *x, *bias, *residual;
  float *y;
  int64_t first, last, y_row, part;
  float slope, low, high;
  /// Whether sums begin here, rather than with what y holds, and whether nothing more is added to them.
  int starts, finishes;
};

typedef void rows_function(const struct tile *);

struct machine {
  int lanes, most_together;
  rows_function *rows[MOST], *part[MOST], *together[MOST_TOGETHER], *together_part[MOST_TOGETHER];
  void (*finish)(const struct tile *, const float *from, const float *residual, float *y, int64_t n);
};

/// Keeps the compiler from working on several rows at once, for which there are not enough registers.
#define KEEP_ORDER __asm__ volatile("" ::: "memory")

#define NAME(x) base_##x
#define TARGET
#define LANES 4
typedef float four __attribute__((vector_size(16), aligned(4)));
INLINE four base_load_part(const float *from, int count) {
  four result = {0};
  memcpy(&result, from, (size_t)count * sizeof(float));
  return result;
}
#define LOAD_PART(from, count) base_load_part(from, count)
#define STORE_PART(to, count, value) memcpy(to, &(value), (size_t)(count) * sizeof(float))
#define LIMITED(x, low, high) base_choose((x) > (high), high, base_choose((x) < (low), low, x))
#include "sparse_tile.h"

#ifdef __x86_64__
static const int32_t lanes_before[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
__attribute__((target("avx2"))) INLINE __m256i avx2_lanes(int count) {
  return _mm256_loadu_si256((const __m256i_u *)(lanes_before + 8 - count));
}
#define NAME(x) avx2_##x
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define LOAD_PART(from, count) ((NAME(vector))_mm256_maskload_ps(from, avx2_lanes(count)))
#define STORE_PART(to, count, value) avx2_store_part(to, count, (__m256)(value))
// Of a number and NaN, the second operand is taken.
#define LIMITED(x, low, high) ((NAME(vector))_mm256_min_ps((__m256)(high), _mm256_max_ps((__m256)(low), (__m256)(x))))
#include "sparse_tile.h"

#define NAME(x) avx512_##x
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define LANES 16
#define LOAD_PART(from, count) ((NAME(vector))_mm512_maskz_loadu_ps((__mmask16)((1u << (count)) - 1), from))
#define STORE_PART(to, count, value) _mm512_mask_storeu_ps(to, (__mmask16)((1u << (count)) - 1), (__m512)(value))
#define LIMITED(x, low, high) ((NAME(vector))_mm512_min_ps((__m512)(high), _mm512_max_ps((__m512)(low), (__m512)(x))))
#include "sparse_tile.h"
#endif

/// That with vectors of so many numbers, or the widest.
static const struct machine *this_machine(int64_t lanes) {
  if (lanes == base_machine.lanes) return &base_machine;
#ifdef __x86_64__
  if (lanes != avx2_machine.lanes && __builtin_cpu_supports("avx512f")) return &avx512_machine;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2_machine;
#endif
  return &base_machine;
}

int64_t ps_sparse_lanes(void) { return this_machine(0)->lanes; }

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

struct work {
  const ps_sparse_args *args;
  const struct machine *machine;
  /// Tiles of an image, vectors of the larger and of all of them, parts of the rows, and blocks of taps.
  int64_t tiles, vectors, parts, blocks;
  /// Rows, or so many that go together, as `starts` counts them.
  int64_t groups;
};

static struct work work(const ps_sparse_args *a) {
  struct work w = {a, this_machine(a->lanes), 0, 0, 1, 1, 0};
  w.vectors = (a->places + w.machine->lanes - 1) / w.machine->lanes;
  const int64_t widest = a->weights.together > 1 ? w.machine->most_together : MOST;
  const int64_t most = a->vectors > 0 && a->vectors < widest ? a->vectors : widest;
  w.tiles = (w.vectors + most - 1) / most;
  if (a->threads > 1 && a->images * w.tiles < 4 * a->threads)
    w.parts = least(4 * a->threads, (a->weights.rows + 7) / 8);
  w.groups = a->weights.rows / (a->weights.together > 1 ? TOGETHER : 1);
  return w;
}

int64_t ps_sparse_block(const ps_sparse_args *a, int64_t taps, int64_t nonzeros) {
  const struct work w = work(a);
  if (w.tiles <= 0 || taps <= 0 || a->weights.rows <= 0) return taps > 0 ? taps : 1;
  // What the taps of a channel read for one tile.
  const int64_t tile = (w.vectors + w.tiles - 1) / w.tiles * w.machine->lanes, window = a->window > 0 ? a->window : 1;
  const int64_t reach = a->reach > 0 ? least(tile + a->reach, a->channel > 0 ? a->channel : tile + a->reach) : tile;
  int64_t channels = CACHED / 4 / reach;
  const int64_t each = nonzeros / (w.groups > 0 ? w.groups : 1) + 1;
  // So that rows have FEWEST weights in a block.
  const int64_t fewest = FEWEST * taps / each / window + 1;
  if (channels < fewest) channels = fewest;
  const int64_t all = (taps + window - 1) / window, blocks = (all + channels - 1) / channels;
  return (all + blocks - 1) / blocks * window;
}

static int64_t scratch_each(const struct work *w) {
  return w->args->target == PS_SPARSE_PLANES ? 0 : (int64_t)WAITING * MOST * w->machine->lanes;
}

static void apply(const ps_sparse_args *a, float *y, int64_t count) {
  if (a->function < 0) return;
  const ps_unary_args unary = {y, y, count, a->function, a->alpha, a->beta};
  ps_unary_serial(&unary);
}

/// Writes rows of results that waited in `from`, for `count` places from the first on.
static void place_rows(const struct work *w, const struct tile *tile, const float *from, int64_t image, int64_t place,
                       int64_t count) {
  const ps_sparse_args *a = w->args;
  const int64_t width = tile->y_row;
  if (a->target == PS_SPARSE_IMAGES) {
    for (int64_t r = tile->first; r < tile->last; r++, from += width) {
      const int64_t row = r, base = image * a->y_image + row * a->y_row;
      for (int64_t p = 0; p < count;) {
        const int64_t line = (place + p) / a->pitch, column = (place + p) % a->pitch;
        const int64_t left = least(a->pitch - column, count - p), valid = least(a->columns - column, left);
        const int64_t to = base + line * a->columns + column;
        if (valid > 0) {
          w->machine->finish(tile, from + p, a->residual ? a->residual + to : NULL, a->y + to, valid);
          apply(a, a->y + to, valid);
        }
        p += left;
      }
    }
    return;
  }
  // Rows become columns, some places at a time.
  enum { TOGETHER = 8 };
  float lines[TOGETHER * WAITING];
  const int64_t rows = tile->last - tile->first;
  for (int64_t p = 0; p < count; p += TOGETHER) {
    const int64_t some = least(TOGETHER, count - p);
    ps_sparse_turn(from + p, width, rows, some, lines, WAITING);
    for (int64_t i = 0; i < some; i++) {
      const int64_t to = image * a->y_image + (place + p + i) * a->y_place + tile->first;
      w->machine->finish(tile, lines + i * WAITING, a->residual ? a->residual + to : NULL, a->y + to, rows);
      apply(a, a->y + to, rows);
    }
  }
}

/// The rows `first` to `last` of one tile of one image.
static void make_tile(const struct work *w, int64_t image, int64_t index, int64_t first, int64_t last, float *scratch) {
  const ps_sparse_args *a = w->args;
  const int64_t lanes = w->machine->lanes, start = w->vectors * index / w->tiles,
                end = w->vectors * (index + 1) / w->tiles;
  const int64_t place = start * lanes, count = least(end * lanes, a->places) - place, vectors = end - start;
  const int is_direct = a->target == PS_SPARSE_PLANES;
  struct tile tile = {.values = a->weights.values,
                      .taps = a->weights.taps,
                      .order = a->weights.order,
                      .offsets = a->offsets,
                      .bias = a->bias,
                      .slope = a->slope,
                      .low = a->low,
                      .high = a->high,
                      .part = count - (vectors - 1) * lanes};
  // What waits may be longer than what counts, and padded images are read beyond their last place.
  const int is_part = tile.part < lanes && (is_direct || !a->is_padded);
  const int is_together = a->weights.together > 1;
  rows_function *function = is_together ? (is_part ? w->machine->together_part : w->machine->together)[vectors - 1]
                                        : (is_part ? w->machine->part : w->machine->rows)[vectors - 1];
  if (is_direct && a->residual) tile.residual = a->residual + image * a->y_image + place;
  while (first < last) {
    const int64_t group = first / a->weights.group_rows, group_end = least((group + 1) * a->weights.group_rows, last);
    tile.x = a->x + image * a->x_image + group * a->x_group + place;
    tile.first = first;
    tile.last = least((first / WAITING + 1) * WAITING, group_end);
    tile.y_row = is_direct ? a->y_row : vectors * lanes;
    tile.y = is_direct ? a->y + image * a->y_image + place : scratch - first / WAITING * WAITING * tile.y_row;
    for (int64_t block = 0; block < w->blocks; block++) {
      tile.begins = block == 0 ? a->weights.starts : a->cuts + (block - 1) * w->groups;
      tile.ends = block == w->blocks - 1 ? a->weights.starts + 1 : a->cuts + block * w->groups;
      tile.starts = block == 0;
      tile.finishes = is_direct && block == w->blocks - 1;
      function(&tile);
    }
    if (!is_direct) place_rows(w, &tile, scratch + first % WAITING * tile.y_row, image, place, count);
    else if (a->function >= 0) {
      for (int64_t r = first; r < tile.last; r++) {
        const int64_t row =
            is_together ? a->weights.order[r / TOGETHER] * TOGETHER + r % TOGETHER : a->weights.order[r];
        apply(a, tile.y + row * a->y_row, count);
      }
    }
    first = tile.last;
  }
}

static void make_shares(int64_t first, int64_t last, void *user) {
  const struct work *w = user;
  const int64_t each = scratch_each(w), total = w->args->images * w->tiles * w->parts;
  // What waits is written once all outputs of a chunk are there, whatever the order of its rows.
  const int64_t together = w->args->weights.together > 1 ? TOGETHER : 1, rows = w->args->weights.rows;
  const int64_t unit = w->args->target == PS_SPARSE_PLANES ? together : WAITING, units = (rows + unit - 1) / unit;
  for (int64_t worker = first; worker < last; worker++) {
    const int64_t begin = total * worker / w->args->threads, end = total * (worker + 1) / w->args->threads;
    for (int64_t index = begin; index < end; index++) {
      const int64_t part = index % w->parts, tile = index / w->parts % w->tiles, image = index / w->parts / w->tiles;
      const int64_t from = least(units * part / w->parts * unit, rows),
                    to = least(units * (part + 1) / w->parts * unit, rows);
      make_tile(w, image, tile, from, to, w->args->scratch + worker * each);
    }
  }
}

void ps_sparse_finish(const ps_sparse_args *a, const float *sums, const float *residual, float *y, int64_t count) {
  const struct tile tile = {.slope = a->slope, .low = a->low, .high = a->high};
  this_machine(a->lanes)->finish(&tile, sums, residual, y, count);
  apply(a, y, count);
}

int64_t ps_sparse_scratch(const ps_sparse_args *a) {
  const struct work w = work(a);
  return scratch_each(&w) * a->threads;
}

int32_t ps_sparse(void *user) {
  const ps_sparse_args *a = user;
  if (a->places <= 0 || a->weights.rows <= 0) return 0;
  struct work w = work(a);
  if (a->cuts && a->blocks > 1) w.blocks = a->blocks;
  ps_parallel_for(a->threads, 1, make_shares, &w);
  return 0;
}
