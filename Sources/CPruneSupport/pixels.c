// A convolution whose vectors hold pixels of one channel, not channels of one pixel: no count of channels, of inputs or
// results, is rounded up. Windows of any extents, strides, dilations, pads and groups.
//
// Images go into scratch memory some rows at a time, with their pads and, where windows are several pixels apart,
// columns in the order that they are read. Then each number of a window is at a fixed distance from its first, whatever
// the pixel.
#include "prune_pixels.h"

#include "prune_support.h"
#include "vector_math.h"

#define UNROLL _Pragma("clang loop unroll(full)")

enum {
  /// Of the largest tile.
  MOST_CHANNELS = 6,
  MOST_PIXELS = 4,
  /// Numbers of images in scratch memory at a time: half of a small second-level cache.
  MOST_SCRATCH = 1 << 15,
  MOST_LANES = 16,
};

/// A vector of pixels: where its windows begin, where its results go in a channel, and how many it has.
struct place {
  const float *x;
  int64_t y, count;
};

/// Some results of all pixels of the tile.
struct tile {
  const ps_pixel_convolution_args *args;
  const float *weights, *bias;
  const int64_t *offsets;  // of the numbers of a window from its first
  float *y;
  int64_t k, plane;
};

struct machine {
  int lanes;
  void (*tiles)(int channels, const struct tile *tile, const struct place *places, int64_t count);
  void (*rows)(const float *from, int64_t width, int64_t rows, float *to, int64_t before, int64_t step);
  void (*seconds)(const float *from, int64_t vectors, float *to);
};

#define NAME(x) base_##x
#define TARGET
#define LANES 4
#define EVEN 0, 2, 4, 6
#define SUMS 12
#include "pixel_tile.h"

#ifdef __x86_64__
#define NAME(x) avx2_##x
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define SUMS 12
#include "pixel_tile.h"

#define NAME(x) avx512_##x
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define LANES 16
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define SUMS 24
#include "pixel_tile.h"
#endif

/// Narrow images leave most of a wide vector empty.
static const struct machine *machine_for(int64_t columns) {
#ifdef __x86_64__
  const int fits = columns % 16 == 0 || columns % 16 > 8;
  if (__builtin_cpu_supports("avx512f") && (fits || columns > 64)) return &avx512_machine;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2_machine;
#endif
  return &base_machine;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t up(int64_t count, int64_t step) { return (count + step - 1) / step; }

/// How results come in tiles: as even as they can be.
static int64_t tile_count(int64_t outputs) { return up(outputs, MOST_CHANNELS); }
static int64_t tile_start(int64_t outputs, int64_t tile) {
  const int64_t tiles = tile_count(outputs), size = outputs / tiles, rest = outputs % tiles;
  return tile * size + least(tile, rest);
}

/// How the work is divided, and what scratch memory looks like.
struct plan {
  ps_pixel_convolution_args args;
  const struct machine *machine;
  /// Whether windows are single pixels that follow each other: images are read where they are, as one long row.
  int is_flat;
  int64_t vectors;         // of a row of results
  int64_t phases, phase;   // of a row in scratch memory: columns of one remainder each, and numbers of one
  int64_t row, plane;      // numbers of a row, and of a channel
  int64_t band, bands;     // rows of results at a time
  int64_t some, parts;     // images at a time
  int64_t shares;          // of the tiles of results
  int64_t places, images;  // at a time, and numbers of their scratch memory
};

static int64_t input_rows(const ps_pixel_convolution_args *a, int64_t rows) {
  return (rows - 1) * a->strides[0] + (a->kernel[0] - 1) * a->dilations[0] + 1;
}

static struct plan plan_of(const ps_pixel_convolution_args *args) {
  struct plan p = {.args = *args};
  ps_pixel_convolution_args *a = &p.args;
  p.is_flat = a->kernel[0] * a->kernel[1] * a->strides[0] * a->strides[1] == 1 && a->before[0] + a->before[1] == 0 &&
              a->rows == a->height && a->columns == a->width;
  if (p.is_flat) {
    a->columns = a->width = a->rows * a->columns;
    a->rows = a->height = 1;
  }
  p.machine = machine_for(a->columns);
  const int64_t lanes = p.machine->lanes;
  p.vectors = up(a->columns, lanes);
  const int64_t reach = (a->kernel[1] - 1) * a->dilations[1];
  p.phases = least(a->strides[1], reach + 1);
  p.phase = p.vectors * lanes + reach / a->strides[1];
  p.row = p.phases * p.phase;
  const int64_t budget = MOST_SCRATCH / (a->inputs * p.row);
  p.band = p.is_flat ? 1 : (budget - input_rows(a, 1)) / a->strides[0] + 1;
  if (p.band < 1) p.band = 1;
  p.bands = up(a->rows, p.band);
  // As many tasks as workers, or a multiple of that.
  if (a->images * a->groups * p.bands < 4 * a->workers)
    p.bands = least(a->rows, up(4 * a->workers, a->images * a->groups));
  if (a->workers == 1) p.bands = up(a->rows, p.band);
  p.band = up(a->rows, p.bands);
  p.bands = up(a->rows, p.band);
  p.plane = p.is_flat ? a->width : input_rows(a, p.band) * p.row;
  p.some = 1;
  if (p.bands == 1 && a->images > 1) {
    p.some = MOST_SCRATCH / (a->inputs * p.plane);
    p.some = least(p.some < 1 ? 1 : p.some, up(a->images, a->workers));
  }
  p.parts = up(a->images, p.some);
  const int64_t tasks = p.parts * p.bands * a->groups;
  p.shares = tasks >= a->workers ? 1 : least(up(a->workers, tasks), tile_count(a->outputs));
  p.places = p.some * p.band * p.vectors;
  p.images = p.some * a->inputs * (p.is_flat ? lanes : p.plane);
  return p;
}

/// Numbers of a window.
static int64_t window(const ps_pixel_convolution_args *a) { return a->inputs * a->kernel[0] * a->kernel[1]; }

/// Numbers of images, with a vector behind them that a last row may be rounded up to.
static int64_t room_of(const struct plan *p) { return up(p->images, MOST_LANES) * MOST_LANES + MOST_LANES; }

/// Bytes of one worker: images, places, two lists of offsets.
static int64_t scratch_of(const struct plan *p) {
  const int64_t images = room_of(p);
  const int64_t bytes = 4 * images + (int64_t)sizeof(struct place) * p->places + 16 * window(&p->args);
  return up(bytes, 64) * 64;
}

int64_t ps_pixel_scratch(const ps_pixel_convolution_args *args) {
  const struct plan p = plan_of(args);
  return scratch_of(&p) * args->workers;
}

/// Columns of one remainder of some rows, with pads: numbers `phase`, `phase` + stride, ... of each, zeros beyond the
/// image.
static void put_phase(const struct plan *p, const float *x, int64_t rows, int64_t phase, float *to) {
  const ps_pixel_convolution_args *a = &p->args;
  const int64_t stride = a->strides[1], lanes = p->machine->lanes;
  // Column k * stride + shift of the image.
  const int64_t shift = phase - a->before[1];
  const int64_t first = least(shift >= 0 ? 0 : up(-shift, stride), p->phase);
  const int64_t end = least(up(a->width - shift, stride), p->phase), last = end < first ? first : end;
  // Whole vectors within the row.
  int64_t vectors = stride == 2 ? (a->width - first * 2 - shift) / (2 * lanes) : 0;
  vectors = vectors < 0 ? 0 : least(vectors, (last - first) / lanes);
  for (int64_t r = 0; r < rows; r++, x += a->width, to += p->row) {
    const float *at = x + first * stride + shift;
    int64_t k = first + vectors * lanes;
    SCALAR for (int64_t zero = 0; zero < first; zero++) to[zero] = 0;
    if (vectors) p->machine->seconds(at, vectors, to + first);
    if (k < last && last - first >= lanes && vectors && at + (last - first - lanes) * 2 + 2 * lanes <= x + a->width) {
      // The last vector again where it fits.
      p->machine->seconds(at + (last - first - lanes) * 2, 1, to + last - lanes);
      k = last;
    }
    SCALAR for (; k < last; k++) to[k] = at[(k - first) * stride];
    SCALAR for (; k < p->phase; k++) to[k] = 0;
  }
}

/// Rows of one channel, from `top` on, which may be before the first.
static void put_rows(const struct plan *p, const float *x, int64_t top, int64_t rows, float *to) {
  const ps_pixel_convolution_args *a = &p->args;
  const int64_t first = top < 0 ? least(-top, rows) : 0, inside = a->height - top,
                last = inside < first ? first : least(inside, rows);
  memset(to, 0, sizeof(float) * (size_t)(first * p->row));
  x += (top + first) * a->width;
  if (a->strides[1] == 1 && a->before[1] < p->row) {
    p->machine->rows(x, a->width, last - first, to + first * p->row, a->before[1], p->row);
  } else {
    for (int64_t phase = 0; phase < p->phases; phase++)
      put_phase(p, x, last - first, phase, to + first * p->row + phase * p->phase);
  }
  memset(to + last * p->row, 0, sizeof(float) * (size_t)((rows - last) * p->row));
}

/// One worker's memory.
struct memory {
  float *images;
  struct place *places;
  int64_t *offsets, *flat_offsets;
};

static struct memory memory_at(const struct plan *p, int64_t worker) {
  char *base = (char *)p->args.scratch + worker * scratch_of(p);
  struct memory m;
  m.images = (float *)base;
  m.places = (struct place *)(base + room_of(p) * (int64_t)sizeof(float));
  m.offsets = (int64_t *)(m.places + p->places);
  m.flat_offsets = m.offsets + window(&p->args);
  return m;
}

/// Where the numbers of a window are from its first.
static void find_offsets(const struct plan *p, const struct memory *m) {
  const ps_pixel_convolution_args *a = &p->args;
  int64_t *at = m->offsets;
  for (int64_t i = 0; i < a->inputs; i++) {
    m->flat_offsets[i] = i * p->machine->lanes;
    for (int64_t r = 0; r < a->kernel[0]; r++) {
      for (int64_t c = 0; c < a->kernel[1]; c++) {
        const int64_t reach = c * a->dilations[1], stride = a->strides[1];
        *at++ = i * p->plane + r * a->dilations[0] * p->row + reach % stride * p->phase + reach / stride;
      }
    }
  }
}

/// Some rows of some images of one group.
struct part {
  int64_t image, images, group, row, rows, tile, tiles;
};

static void run_tiles(const struct plan *p, const struct part *part, const int64_t *offsets, const struct place *places,
                      int64_t count) {
  const ps_pixel_convolution_args *a = &p->args;
  struct tile tile = {.args = a, .offsets = offsets, .k = window(a), .plane = a->rows * a->columns};
  for (int64_t index = part->tile; index < part->tile + part->tiles && count > 0; index++) {
    const int64_t first = tile_start(a->outputs, index), end = tile_start(a->outputs, index + 1);
    const int64_t channel = part->group * a->outputs + first;
    tile.weights = a->weights + channel * tile.k;
    tile.bias = a->bias ? a->bias + channel : NULL;
    tile.y = a->y + channel * tile.plane;
    p->machine->tiles((int)(end - first), &tile, places, count);
  }
}

/// Single pixels, where they are; of those that fill no vector, copies.
static void run_flat(const struct plan *p, const struct part *part, const struct memory *m) {
  const ps_pixel_convolution_args *a = &p->args;
  const int64_t lanes = p->machine->lanes, whole = a->columns / lanes, rest = a->columns % lanes;
  // As many pixels at a time as stay in the cache.
  int64_t step = MOST_SCRATCH / (a->inputs * lanes);
  if (step < MOST_PIXELS) step = MOST_PIXELS;
  for (int64_t image = part->image; image < part->image + part->images; image++) {
    const float *x = a->x + (image * a->groups + part->group) * a->inputs * a->width;
    const int64_t y = image * a->groups * a->outputs * a->columns;
    for (int64_t first = 0; first < whole; first += step) {
      int64_t count = 0;
      for (int64_t v = first; v < least(first + step, whole); v++)
        m->places[count++] = (struct place){x + v * lanes, y + v * lanes, lanes};
      run_tiles(p, part, m->offsets, m->places, count);
    }
    if (!rest) continue;
    for (int64_t i = 0; i < a->inputs; i++) {
      float *to = m->images + i * lanes;
      memset(to, 0, sizeof(float) * (size_t)lanes);
      memcpy(to, x + i * a->width + whole * lanes, sizeof(float) * (size_t)rest);
    }
    m->places[0] = (struct place){m->images, y + whole * lanes, rest};
    run_tiles(p, part, m->flat_offsets, m->places, 1);
  }
}

static void run_windows(const struct plan *p, const struct part *part, const struct memory *m) {
  const ps_pixel_convolution_args *a = &p->args;
  const int64_t lanes = p->machine->lanes, rows = input_rows(a, part->rows),
                top = part->row * a->strides[0] - a->before[0];
  int64_t count = 0;
  for (int64_t n = 0; n < part->images; n++) {
    const int64_t image = part->image + n;
    float *to = m->images + n * a->inputs * p->plane;
    const float *x = a->x + (image * a->groups + part->group) * a->inputs * a->height * a->width;
    for (int64_t i = 0; i < a->inputs; i++) put_rows(p, x + i * a->height * a->width, top, rows, to + i * p->plane);
    for (int64_t r = 0; r < part->rows; r++) {
      for (int64_t v = 0; v < p->vectors; v++) {
        m->places[count++] =
            (struct place){to + r * a->strides[0] * p->row + v * lanes,
                           (image * a->groups * a->outputs * a->rows + part->row + r) * a->columns + v * lanes,
                           least(lanes, a->columns - v * lanes)};
      }
    }
  }
  run_tiles(p, part, m->offsets, m->places, count);
}

/// Each worker has its own scratch memory and takes every workers-th part.
static void work(int64_t first, int64_t last, void *user) {
  const struct plan *p = user;
  const ps_pixel_convolution_args *a = &p->args;
  const int64_t tasks = p->parts * a->groups * p->bands * p->shares, tiles = tile_count(a->outputs);
  for (int64_t worker = first; worker < last; worker++) {
    const struct memory m = memory_at(p, worker);
    find_offsets(p, &m);
    for (int64_t task = worker; task < tasks; task += a->workers) {
      const int64_t share = task % p->shares, band = task / p->shares % p->bands, rest = task / p->shares / p->bands;
      struct part part = {.group = rest % a->groups, .image = rest / a->groups * p->some, .row = band * p->band};
      part.images = least(p->some, a->images - part.image);
      part.rows = least(p->band, a->rows - part.row);
      part.tile = share * tiles / p->shares;
      part.tiles = (share + 1) * tiles / p->shares - part.tile;
      (p->is_flat ? run_flat : run_windows)(p, &part, &m);
    }
  }
}

int32_t ps_pixel_convolution(void *args) {
  struct plan p = plan_of(args);
  ps_parallel_for(p.args.workers, 1, work, &p);
  return 0;
}

static void pack(int64_t first, int64_t last, void *user) {
  const ps_pixel_weights_args *a = user;
  const int64_t tiles = tile_count(a->outputs), k = a->inputs * a->taps;
  for (int64_t task = first; task < last; task++) {
    const int64_t group = task / tiles, start = tile_start(a->outputs, task % tiles);
    const int64_t width = tile_start(a->outputs, task % tiles + 1) - start;
    float *to = a->result + (group * a->outputs + start) * k;
    for (int64_t o = 0; o < width; o++) {
      for (int64_t i = 0; i < a->inputs; i++) {
        const int64_t number = group * a->group_stride + (start + o) * a->output_stride + i * a->input_stride;
        const char *from = (const char *)a->weights + number * a->taps * (int64_t)sizeof(float);
        for (int64_t tap = 0; tap < a->taps; tap++) {
          memcpy(to + (i * a->taps + (a->is_rotated ? a->taps - 1 - tap : tap)) * width + o,
                 from + tap * (int64_t)sizeof(float), sizeof(float));
        }
      }
    }
  }
}

int32_t ps_pixel_weights(void *args) {
  const ps_pixel_weights_args *a = args;
  ps_parallel_for(a->groups * tile_count(a->outputs), 8, pack, args);
  return 0;
}
