// Reductions along axes, and the place of the largest.
#include <math.h>

#include "prune_kernels.h"
#include "prune_support.h"
#include "vector_math.h"

#define SUM(name, expression)                                    \
  CLONES static float name(const float *x, int64_t n) {          \
    _Pragma("clang fp reassociate(on)") float sum = 0;           \
    COMPACT for (int64_t i = 0; i < n; i++) sum += (expression); \
    return sum;                                                  \
  }
SUM(sum_row, x[i])
SUM(square_row, x[i] * x[i])
SUM(absolute_row, fabsf(x[i]))

CLONES static float max_row(const float *x, int64_t n) { return vector_max(x, n); }
CLONES static int has_nan(const float *x, int64_t n) {
  int any = 0;
  COMPACT for (int64_t i = 0; i < n; i++) any |= x[i] != x[i];
  return any;
}

/// One number of a row, joined with what is there.
static float fold_row(int32_t kind, const float *x, int64_t n, float y) {
  switch (kind) {
  case PS_REDUCE_SQUARES: return y + square_row(x, n);
  case PS_REDUCE_ABSOLUTE: return y + absolute_row(x, n);
  case PS_REDUCE_MAX: {
    if (y != y || has_nan(x, n)) return NAN;
    float peak = max_row(x, n);
    return peak > y ? peak : y;
  }
  case PS_REDUCE_MIN:
    for (int64_t i = 0; i < n; i++) y = x[i] < y || x[i] != x[i] ? x[i] : y;
    return y;
  case PS_REDUCE_PRODUCT:
    for (int64_t i = 0; i < n; i++) y *= x[i];
    return y;
  default: return y + sum_row(x, n);
  }
}

#define JOIN(expression)                    \
  COMPACT for (int64_t i = 0; i < n; i++) { \
    float u = y[i], v = x[i];               \
    y[i] = (expression);                    \
  }                                         \
  break

/// A row of numbers, each joined with its own.
CLONES static void join_row(int32_t kind, const float *x, float *y, int64_t n) {
  switch (kind) {
  case PS_REDUCE_SQUARES: JOIN(u + v * v);
  case PS_REDUCE_ABSOLUTE: JOIN(u + fabsf(v));
  // NaN stays on either side.
  case PS_REDUCE_MAX: JOIN(v > u || v != v ? v : u);
  case PS_REDUCE_MIN: JOIN(v < u || v != v ? v : u);
  case PS_REDUCE_PRODUCT: JOIN(u * v);
  default: JOIN(u + v);
  }
}

CLONES static void finish(float *y, float scale, int32_t takes_root, int64_t n) {
  if (takes_root) COMPACT for (int64_t i = 0; i < n; i++) y[i] = __builtin_elementwise_sqrt(y[i]);
  if (scale != 1) COMPACT for (int64_t i = 0; i < n; i++) y[i] *= scale;
}

/// The range is of the outermost axis, which the result keeps unless the range is all of it.
static void reduce_range(int64_t first, int64_t last, void *user) {
  const ps_reduce_args *args = user;
  int32_t inner = args->rank - 1;
  int64_t n = args->dims[inner], rows = 1, index[PS_MAX_RANK] = {0};
  for (int32_t axis = 0; axis < inner; axis++) rows *= axis == 0 ? last - first : args->dims[axis];
  int64_t in_outer = n;
  for (int32_t axis = 1; axis < inner; axis++) in_outer *= args->dims[axis];
  const float *x = args->x + (inner > 0 ? first * in_outer : first);
  int64_t at = first * args->y_strides[0];
  if (inner == 0) {
    n = last - first;
    rows = 1;
  }
  for (int64_t row = 0; row < rows; row++, x += n) {
    if (args->y_strides[inner]) join_row(args->kind, x, args->y + at, n);
    else args->y[at] = fold_row(args->kind, x, n, args->y[at]);
    for (int32_t axis = inner - 1; axis >= 0; axis--) {
      at += args->y_strides[axis];
      if (++index[axis] < (axis == 0 ? last - first : args->dims[axis])) break;
      at -= args->y_strides[axis] * (axis == 0 ? last - first : args->dims[axis]);
      index[axis] = 0;
    }
  }
}

// Columns of a matrix, as gradients of biases are: rows are divided into parts, the same whatever the number of
// threads.
enum { PARTS = 16, LANES = 16 };
struct columns {
  const float *x;
  int64_t rows, width, at[2];
  vector16 sums[PARTS][2];
};

CLONES static void sum_parts(int64_t first, int64_t last, void *user) {
  struct columns *columns = user;
  for (int64_t part = first; part < last; part++) {
    int64_t row = part * columns->rows / PARTS, end = (part + 1) * columns->rows / PARTS;
    vector16 a = {0}, b = {0};
    for (const float *x = columns->x + row * columns->width; row < end; row++, x += columns->width) {
      a += *(const vector16 *)(x + columns->at[0]);
      b += *(const vector16 *)(x + columns->at[1]);
    }
    columns->sums[part][0] = a;
    columns->sums[part][1] = b;
  }
}

CLONES static void sum_columns(const float *x, float *y, int64_t rows, int64_t width) {
  struct columns columns = {.x = x, .rows = rows, .width = width};
  for (int64_t start = 0; start < width; start += 2 * LANES) {
    // The last vectors repeat some columns rather than be less than whole.
    for (int half = 0; half < 2; half++) {
      int64_t at = start + half * LANES;
      columns.at[half] = at + LANES <= width ? at : width - LANES;
    }
    ps_parallel_for(PARTS, ELEMENTWISE_GRAIN * PARTS / (rows * 2 * LANES) + 1, sum_parts, &columns);
    for (int half = 0; half < 2; half++) {
      vector16 sum = columns.sums[0][half];
      for (int part = 1; part < PARTS; part++) sum += columns.sums[part][half];
      *(vector16 *)(y + columns.at[half]) = sum;
    }
  }
}

int32_t ps_reduce(void *user) {
  const ps_reduce_args *args = user;
  if (args->rank == 2 && args->kind == PS_REDUCE_SUM && !args->y_strides[0] && args->y_strides[1] &&
      args->dims[1] >= LANES) {
    sum_columns(args->x, args->y, args->dims[0], args->dims[1]);
    finish(args->y, args->scale, args->takes_root, args->count);
    return 0;
  }
  float start = args->kind == PS_REDUCE_MAX   ? -INFINITY
                : args->kind == PS_REDUCE_MIN ? INFINITY
                                              : args->kind == PS_REDUCE_PRODUCT;
  for (int64_t i = 0; i < args->count; i++) args->y[i] = start;
  int64_t below = 1;
  for (int32_t axis = 1; axis < args->rank; axis++) below *= args->dims[axis];
  // Threads share the result's outermost axis; a sum along it stays on one, so that its order never changes.
  if (args->y_strides[0])
    ps_parallel_for(args->dims[0], ELEMENTWISE_GRAIN / (below > 0 ? below : 1) + 1, reduce_range, user);
  else reduce_range(0, args->dims[0], user);
  finish(args->y, args->scale, args->takes_root, args->count);
  return 0;
}

static void arg_range(int64_t first, int64_t last, void *user) {
  const ps_arg_args *args = user;
  for (int64_t lane = first; lane < last; lane++) {
    const float *x = args->x + lane / args->inner * args->extent * args->inner + lane % args->inner;
    int64_t best = 0;
    float value = args->is_min ? -x[0] : x[0];
    for (int64_t i = 1; i < args->extent; i++) {
      float v = args->is_min ? -x[i * args->inner] : x[i * args->inner];
      if (v > value || (args->takes_last && v == value)) best = i, value = v;
    }
    args->y[lane] = best;
  }
}

int32_t ps_arg(void *user) {
  const ps_arg_args *args = user;
  ps_parallel_for(args->outer * args->inner, ELEMENTWISE_GRAIN / 4 / (args->extent > 0 ? args->extent : 1) + 1,
                  arg_range, user);
  return 0;
}
