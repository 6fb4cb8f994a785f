// Products with a matrix of few columns, whose number is no multiple of what vectors hold.
#include <string.h>

#include "prune_kernels.h"
#include "prune_support.h"

#define UNROLL _Pragma("clang loop unroll(full)")
#define INLINE __attribute__((always_inline)) static inline

enum { LANES = 8, WIDEST = PS_NARROW_COLUMNS / LANES, MOST_ROWS = 8 };

typedef float vector __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int32_t mask __attribute__((vector_size(4 * LANES), aligned(4)));

// A function would take vectors that machines without AVX have no registers for.
#define CHOOSE(which, x, y) ((vector)(((mask)(x) & (which)) | ((mask)(y) & ~(which))))

/// Some rows of the result. Their vectors end in the next row, which comes later and overwrites that; in the last rows
/// they must not.
INLINE void tile(int rows, int vectors, const ps_narrow_product_args *p, int64_t row, int is_last) {
  vector sums[MOST_ROWS][WIDEST];
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = (vector){0};
  const float *a = p->a + row * p->k, *b = p->b;
  for (int64_t k = 0; k < p->k; k++, b += vectors * LANES) {
    vector line[WIDEST];
    UNROLL for (int v = 0; v < vectors; v++) line[v] = *(const vector *)(b + v * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
      const float factor = a[r * p->k + k];
      UNROLL for (int v = 0; v < vectors; v++) sums[r][v] += factor * line[v];
    }
  }
  const vector zero = {0}, low = p->low + zero, high = p->high + zero;
  UNROLL for (int r = 0; r < rows; r++) {
    UNROLL for (int v = 0; v < vectors; v++) {
      const int64_t at = (row + r) * p->n + v * LANES, left = p->n - v * LANES;
      const size_t bytes = sizeof(float) * (size_t)(left < LANES ? left : LANES);
      vector sum = sums[r][v];
      if (p->bias) {
        vector bias = zero;
        if (v + 1 < vectors) bias = *(const vector *)(p->bias + v * LANES);
        else memcpy(&bias, p->bias + v * LANES, bytes);
        sum += p->bias_scale * bias;
      }
      if (p->residual) {
        vector other = zero;
        if (!is_last || v + 1 < vectors) other = *(const vector *)(p->residual + at);
        else memcpy(&other, p->residual + at, bytes);
        sum += other;
      }
      sum = CHOOSE(sum < low, low, sum);
      sum = CHOOSE(sum > high, high, sum);
      if (!is_last || v + 1 < vectors) *(vector *)(p->c + at) = sum;
      else memcpy(p->c + at, &sum, bytes);
    }
  }
}

/// As many rows at a time as have their sums in registers.
INLINE void some(int rows, int vectors, const ps_narrow_product_args *p, int64_t first, int64_t last) {
  int64_t row = first;
  for (; row + rows < last; row += rows) tile(rows, vectors, p, row, 0);
  for (; row < last; row++) tile(1, vectors, p, row, 1);
}

INLINE void all(const ps_narrow_product_args *p, int64_t first, int64_t last) {
  switch ((p->n + LANES - 1) / LANES) {
  case 1: some(8, 1, p, first, last); break;
  case 2: some(5, 2, p, first, last); break;
  case 3: some(3, 3, p, first, last); break;
  default: some(2, 4, p, first, last);
  }
}

static void base_rows(int64_t first, int64_t last, void *user) { all(user, first, last); }

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void avx2_rows(int64_t first, int64_t last, void *user) {
  all(user, first, last);
}
#endif

int32_t ps_narrow_product(void *args) {
  const ps_narrow_product_args *p = args;
  void (*rows)(int64_t, int64_t, void *) = base_rows;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) rows = avx2_rows;
#endif
  ps_parallel_for(p->m, 1 + (1 << 19) / (p->n * p->k + 1), rows, args);
  return 0;
}

void ps_narrow_pack(const void *b, int64_t k, int64_t n, int64_t row, int64_t column, float *packed) {
  const int64_t columns = (n + LANES - 1) / LANES * LANES;
  memset(packed, 0, sizeof(float) * (size_t)(k * columns));
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j < n; j++)
      memcpy(packed + i * columns + j, (const char *)b + (i * row + j * column) * (int64_t)sizeof(float),
             sizeof(float));
}
