// Strided copies and reductions.
#include "prune_kernels.h"
#include "prune_support.h"
#include "vector_math.h"

#define COPY(type)                                                            \
  {                                                                           \
    const type *from = (const type *)args->x + at_x;                          \
    type *to = (type *)args->y + at_y;                                        \
    if (sx == 0)                                                              \
      for (int64_t i = 0; i < n; i++) to[i * sy] = from[0];                   \
    else                                                                      \
      for (int64_t i = 0; i < n; i++) to[i * sy] = from[i * sx];              \
  }                                                                           \
  break

static void copy_rows(int64_t first, int64_t last, void *user) {
  const ps_copy_args *args = user;
  int32_t inner = args->rank - 1;
  int64_t n = args->dims[inner], sx = args->x_strides[inner], sy = args->y_strides[inner];
  int64_t index[PS_MAX_RANK] = {0}, at_x = 0, at_y = 0, rest = first;
  for (int32_t axis = inner - 1; axis >= 0; axis--) {
    index[axis] = rest % args->dims[axis];
    rest /= args->dims[axis];
    at_x += index[axis] * args->x_strides[axis];
    at_y += index[axis] * args->y_strides[axis];
  }
  for (int64_t row = first; row < last; row++) {
    if (sx == 1 && sy == 1) {
      memcpy((char *)args->y + at_y * args->width, (const char *)args->x + at_x * args->width,
             (size_t)(n * args->width));
    } else {
      switch (args->width) {
        case 1: COPY(uint8_t);
        case 2: COPY(uint16_t);
        case 4: COPY(uint32_t);
        case 8: COPY(uint64_t);
        default: break;
      }
    }
    for (int32_t axis = inner - 1; axis >= 0; axis--) {
      at_x += args->x_strides[axis];
      at_y += args->y_strides[axis];
      if (++index[axis] < args->dims[axis]) break;
      at_x -= args->x_strides[axis] * args->dims[axis];
      at_y -= args->y_strides[axis] * args->dims[axis];
      index[axis] = 0;
    }
  }
}

int32_t ps_copy(void *user) {
  const ps_copy_args *args = user;
  int64_t rows = 1, n = args->dims[args->rank - 1];
  for (int32_t axis = 0; axis < args->rank - 1; axis++) rows *= args->dims[axis];
  if (n > 0) ps_parallel_for(rows, ELEMENTWISE_GRAIN / n + 1, copy_rows, user);
  return 0;
}

CLONES static float sum_row(const float *x, int64_t n) {
#pragma clang fp reassociate(on)
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i];
  return sum;
}

CLONES static void add_row(const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

CLONES static void scale_all(float *y, float scale, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] *= scale;
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
    if (args->y_strides[inner]) add_row(x, args->y + at, n);
    else args->y[at] += sum_row(x, n);
    for (int32_t axis = inner - 1; axis >= 0; axis--) {
      at += args->y_strides[axis];
      if (++index[axis] < (axis == 0 ? last - first : args->dims[axis])) break;
      at -= args->y_strides[axis] * (axis == 0 ? last - first : args->dims[axis]);
      index[axis] = 0;
    }
  }
}

int32_t ps_reduce(void *user) {
  const ps_reduce_args *args = user;
  memset(args->y, 0, (size_t)args->count * sizeof(float));
  int64_t below = 1;
  for (int32_t axis = 1; axis < args->rank; axis++) below *= args->dims[axis];
  // Threads share the result's outermost axis; a sum along it stays on one, so that its order never changes.
  if (args->y_strides[0])
    ps_parallel_for(args->dims[0], ELEMENTWISE_GRAIN / (below > 0 ? below : 1) + 1, reduce_range, user);
  else reduce_range(0, args->dims[0], user);
  if (args->scale != 1) scale_all(args->y, args->scale, args->count);
  return 0;
}
