// Strided copies.
#include "prune_kernels.h"
#include "prune_support.h"
#include "vector_math.h"

#define COPY(type)                                               \
  {                                                              \
    const type *from = (const type *)args->x + at_x;             \
    type *to = (type *)args->y + at_y;                           \
    if (sx == 0)                                                 \
      for (int64_t i = 0; i < n; i++) to[i * sy] = from[0];      \
    else                                                         \
      for (int64_t i = 0; i < n; i++) to[i * sy] = from[i * sx]; \
  }                                                              \
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
