// Products of activations that are rounded to uint8 while the model runs with weights in int8. Activations are kept as
// int16 with their zero point taken off, so that pairs of products are summed in int32 without saturation on every
// machine.
#include <math.h>
#include <string.h>

#include "prune_codes.h"
#include "prune_support.h"
#include "vector_math.h"

/// Outputs a panel: for each pair of inputs the 2 x PANEL weights lie together, those of one output side by side.
enum { PANEL = 16, ROWS = 6 };

int64_t ps_code_panel_bytes(int64_t n, int64_t k) { return (n + PANEL - 1) / PANEL * PANEL * ((k + 1) / 2 * 2); }

void ps_pack_codes(const int8_t *w, int64_t n, int64_t k, int8_t *packed) {
  for (int64_t first = 0; first < n; first += PANEL)
    for (int64_t i = 0; i < k; i += 2)
      for (int64_t j = 0; j < PANEL; j++)
        for (int64_t part = 0; part < 2; part++)
          *packed++ = first + j < n && i + part < k ? w[(i + part) * n + first + j] : 0;
}

/// Sums of one panel for up to ROWS rows of x, `pairs` pairs long.
typedef void (*tile)(const int16_t *x, int64_t pairs, int64_t rows, const int8_t *w, int32_t *sums);

static void tile_plain(const int16_t *x, int64_t pairs, int64_t rows, const int8_t *w, int32_t *sums) {
  memset(sums, 0, (size_t)(rows * PANEL) * sizeof *sums);
  for (int64_t pair = 0; pair < pairs; pair++, w += 2 * PANEL)
    for (int64_t row = 0; row < rows; row++) {
      const int16_t *a = x + (row * pairs + pair) * 2;
      for (int j = 0; j < PANEL; j++) sums[row * PANEL + j] += a[0] * w[2 * j] + a[1] * w[2 * j + 1];
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2_DOT(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
#define VNNI_DOT(sum, a, b) _mm256_dpwssd_epi32(sum, a, b)

/// A tile of COUNT rows, which the compiler keeps in registers.
#define TILE_ROWS(COUNT, DOT)                                                            \
  case COUNT: {                                                                          \
    __m256i low[COUNT], high[COUNT];                                                     \
    for (int row = 0; row < COUNT; row++) low[row] = high[row] = _mm256_setzero_si256(); \
    for (int64_t pair = 0; pair < pairs; pair++, w += 2 * PANEL) {                       \
      __m256i w0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w));            \
      __m256i w1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(w + PANEL)));  \
      _Pragma("clang loop unroll(full)") for (int row = 0; row < COUNT; row++) {         \
        int32_t both;                                                                    \
        memcpy(&both, x + (row * pairs + pair) * 2, sizeof both);                        \
        __m256i a = _mm256_set1_epi32(both);                                             \
        low[row] = DOT(low[row], a, w0);                                                 \
        high[row] = DOT(high[row], a, w1);                                               \
      }                                                                                  \
    }                                                                                    \
    for (int row = 0; row < COUNT; row++) {                                              \
      _mm256_storeu_si256((__m256i *)(sums + row * PANEL), low[row]);                    \
      _mm256_storeu_si256((__m256i *)(sums + row * PANEL + 8), high[row]);               \
    }                                                                                    \
    break;                                                                               \
  }
#define TILE(NAME, TARGET, DOT)                                                                                    \
  __attribute__((target(TARGET))) static void NAME(const int16_t *x, int64_t pairs, int64_t rows, const int8_t *w, \
                                                   int32_t *sums) {                                                \
    switch (rows) {                                                                                                \
      TILE_ROWS(1, DOT)                                                                                            \
      TILE_ROWS(2, DOT) TILE_ROWS(3, DOT) TILE_ROWS(4, DOT) TILE_ROWS(5, DOT) TILE_ROWS(6, DOT) default : break;   \
    }                                                                                                              \
  }
TILE(tile_avx2, "avx2", AVX2_DOT)
TILE(tile_vnni, "avx2,avx512f,avx512vl,avx512vnni", VNNI_DOT)

static tile chosen_tile(void) {
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl")) return tile_vnni;
  return __builtin_cpu_supports("avx2") ? tile_avx2 : tile_plain;
}
#else
static tile chosen_tile(void) { return tile_plain; }
#endif

/// Whether all are finite numbers, and the range that they and zero span.
CLONES static int extremes(const float *x, int64_t n, float *out_low, float *out_high) {
  float low[16] = {0}, high[16] = {0}, none[16] = {0};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 16; j++) {
      low[j] = x[i + j] < low[j] ? x[i + j] : low[j];
      high[j] = x[i + j] > high[j] ? x[i + j] : high[j];
      none[j] += x[i + j] * 0;
    }
  for (; i < n; i++) {
    low[0] = x[i] < low[0] ? x[i] : low[0];
    high[0] = x[i] > high[0] ? x[i] : high[0];
    none[0] += x[i] * 0;
  }
  for (int j = 1; j < 16; j++) {
    low[0] = low[j] < low[0] ? low[j] : low[0];
    high[0] = high[j] > high[0] ? high[j] : high[0];
    none[0] += none[j];
  }
  *out_low = low[0];
  *out_high = high[0];
  return none[0] == 0;
}

CLONES static void round_row(const float *x, int16_t *y, float scale, float zero, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    float v = rintf(x[i] / scale) + zero;
    y[i] = (int16_t)((v < 255 ? v > 0 ? v : 0 : 255) - zero);
  }
}

typedef struct {
  const ps_dynamic_args *args;
  tile tile;
  float scale;
} product;

static void product_range(int64_t first, int64_t last, void *user) {
  const product *p = user;
  const ps_dynamic_args *args = p->args;
  int64_t pairs = (args->k + 1) / 2, row_tiles = (args->m + ROWS - 1) / ROWS;
  int32_t sums[ROWS * PANEL];
  for (int64_t place = first; place < last; place++) {
    int64_t panel = place / row_tiles, row = place % row_tiles * ROWS, column = panel * PANEL;
    int64_t rows = args->m - row < ROWS ? args->m - row : ROWS,
            columns = args->n - column < PANEL ? args->n - column : PANEL;
    p->tile(args->scratch + row * pairs * 2, pairs, rows, args->w + panel * PANEL * pairs * 2, sums);
    for (int64_t r = 0; r < rows; r++) {
      float *y = args->y + (row + r) * args->n + column;
      for (int64_t j = 0; j < columns; j++) {
        float step = p->scale * args->scales[args->scale_count == 1 ? 0 : column + j];
        float value = (float)sums[r * PANEL + j] * step;
        y[j] = args->bias ? value + args->bias[column + j] : value;
      }
    }
  }
}

int32_t ps_dynamic_product(void *user) {
  const ps_dynamic_args *args = user;
  float low, high;
  if (!extremes(args->x, args->m * args->k, &low, &high)) {
    for (int64_t i = 0; i < args->m * args->n; i++) args->y[i] = NAN;
    return 0;
  }
  float scale = (high - low) / 255;
  // Nothing but zeros: any scale stands for them.
  if (scale == 0) scale = 1;
  float zero = rintf(-low / scale);
  zero = zero < 0 ? 0 : zero > 255 ? 255 : zero;
  int64_t width = (args->k + 1) / 2 * 2;
  for (int64_t row = 0; row < args->m; row++) {
    args->scratch[row * width + width - 1] = 0;
    round_row(args->x + row * args->k, args->scratch + row * width, scale, zero, args->k);
  }
  product p = {args, chosen_tile(), scale};
  int64_t row_tiles = (args->m + ROWS - 1) / ROWS, panels = (args->n + PANEL - 1) / PANEL;
  int64_t grain = 100000 / (args->k * ROWS * PANEL + 1) + 1;
  ps_parallel_for(panels * row_tiles, grain, product_range, &p);
  return 0;
}
