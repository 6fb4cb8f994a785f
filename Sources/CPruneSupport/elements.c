// Gathering, casting, comparing and choosing, and arithmetic on integers.
#include <math.h>

#include "prune_kernels.h"
#include "prune_support.h"
#include "vector_math.h"

// MARK: - Gather

static void gather_range(int64_t first, int64_t last, void *user) {
  const ps_gather_args *args = user;
  size_t bytes = (size_t)(args->inner * args->width);
  for (int64_t item = first; item < last; item++) {
    int64_t outer = args->outer > 1 ? item / args->count : 0, at = item - outer * args->count;
    int64_t index = args->wide_indices ? ((const int64_t *)args->indices)[at] : ((const int32_t *)args->indices)[at];
    if (index < 0) index += args->extent;
    const char *from = (const char *)args->x + (size_t)(outer * args->extent + index) * bytes;
    char *to = (char *)args->y + (size_t)item * bytes;
    switch (bytes) {
    case 4: memcpy(to, from, 4); break;
    case 8: memcpy(to, from, 8); break;
    default: memcpy(to, from, bytes);
    }
  }
}

int32_t ps_gather(void *user) {
  const ps_gather_args *args = user;
  for (int64_t i = 0; i < args->count; i++) {
    int64_t index = args->wide_indices ? ((const int64_t *)args->indices)[i] : ((const int32_t *)args->indices)[i];
    if (index < -args->extent || index >= args->extent) return PS_STATUS_BAD_INDEX;
  }
  int64_t each = args->inner > 0 ? args->inner : 1;
  ps_parallel_for(args->outer * args->count, ELEMENTWISE_GRAIN / each + 1, gather_range, user);
  return 0;
}

// MARK: - Cast

static inline int64_t whole(double value) {
  if (value != value) return 0;
  if (value >= 0x1p63) return INT64_MAX;
  return value <= -0x1p63 ? INT64_MIN : (int64_t)value;
}
static inline int64_t whole_f(float value) { return whole((double)value); }

#define CAST(from_type, to_type, expression)         \
  {                                                  \
    const from_type *x = (const from_type *)args->x; \
    to_type *y = (to_type *)args->y;                 \
    COMPACT for (int64_t i = first; i < last; i++) { \
      from_type v = x[i];                            \
      y[i] = (to_type)(expression);                  \
    }                                                \
    break;                                           \
  }

// Floats become integers by way of int64, as the reference does.
#define CAST_FROM(from_type, integer)              \
  switch (args->to) {                              \
  case PS_FLOAT32: CAST(from_type, float, v)       \
  case PS_FLOAT64: CAST(from_type, double, v)      \
  case PS_INT8: CAST(from_type, int8_t, integer)   \
  case PS_UINT8: CAST(from_type, uint8_t, integer) \
  case PS_INT32: CAST(from_type, int32_t, integer) \
  case PS_INT64: CAST(from_type, int64_t, integer) \
  case PS_BOOL: CAST(from_type, uint8_t, v != 0)   \
  default: break;                                  \
  }                                                \
  break

static void cast_range(int64_t first, int64_t last, void *user) {
  const ps_cast_args *args = user;
  switch (args->from) {
  case PS_FLOAT32: CAST_FROM(float, whole_f(v));
  case PS_FLOAT64: CAST_FROM(double, whole(v));
  case PS_INT8: CAST_FROM(int8_t, v);
  case PS_UINT8: CAST_FROM(uint8_t, v);
  case PS_INT32: CAST_FROM(int32_t, v);
  case PS_INT64: CAST_FROM(int64_t, v);
  case PS_BOOL: CAST_FROM(uint8_t, (v != 0));
  default: break;
  }
}

int32_t ps_casts(int32_t type) {
  switch (type) {
  case PS_FLOAT32:
  case PS_FLOAT64:
  case PS_INT8:
  case PS_UINT8:
  case PS_INT32:
  case PS_INT64:
  case PS_BOOL: return 1;
  default: return 0;
  }
}

int32_t ps_cast(void *user) {
  const ps_cast_args *args = user;
  ps_parallel_for(args->count, ELEMENTWISE_GRAIN, cast_range, user);
  return 0;
}

// MARK: - Two operands of any type

#define ROW(in, out, expression)                     \
  {                                                  \
    const in *p = (const in *)a, *q = (const in *)b; \
    out *r = (out *)y;                               \
    SCALAR for (int64_t i = 0; i < n; i++) {         \
      in u = p[i * sa], v = q[i * sb];               \
      r[i] = (out)(expression);                      \
    }                                                \
    break;                                           \
  }

#define COMPARE(type)                                       \
  switch (kind) {                                           \
  case PS_ELEMENT_EQUAL: ROW(type, uint8_t, u == v)         \
  case PS_ELEMENT_GREATER: ROW(type, uint8_t, u > v)        \
  case PS_ELEMENT_LESS: ROW(type, uint8_t, u < v)           \
  case PS_ELEMENT_GREATER_EQUAL: ROW(type, uint8_t, u >= v) \
  case PS_ELEMENT_LESS_EQUAL: ROW(type, uint8_t, u <= v)    \
  default: break;                                           \
  }

// Unsigned, so that they wrap around.
#define COMPUTE(type, wrapping, lowest)                                                          \
  switch (kind) {                                                                                \
  case PS_ELEMENT_ADD: ROW(type, type, (wrapping)u + (wrapping)v)                                \
  case PS_ELEMENT_SUB: ROW(type, type, (wrapping)u - (wrapping)v)                                \
  case PS_ELEMENT_MUL: ROW(type, type, (wrapping)u *(wrapping)v)                                 \
  case PS_ELEMENT_DIV: ROW(type, type, v == -1 ? (type)(0 - (wrapping)u) : u / (v == 0 ? 1 : v)) \
  case PS_ELEMENT_MAX: ROW(type, type, u > v ? u : v)                                            \
  case PS_ELEMENT_MIN: ROW(type, type, u < v ? u : v)                                            \
  default: break;                                                                                \
  }

static void element_row(int32_t kind, int32_t type, const char *a, int64_t sa, const char *b, int64_t sb, char *y,
                        int64_t n) {
  switch (kind) {
  case PS_ELEMENT_AND: ROW(uint8_t, uint8_t, u != 0 && v != 0)
  case PS_ELEMENT_OR: ROW(uint8_t, uint8_t, u != 0 || v != 0)
  case PS_ELEMENT_XOR: ROW(uint8_t, uint8_t, (u != 0) != (v != 0))
  default: break;
  }
  switch (type) {
  case PS_FLOAT32: COMPARE(float) break;
  case PS_FLOAT64: COMPARE(double) break;
  case PS_UINT8:
  case PS_BOOL: COMPARE(uint8_t) break;
  case PS_INT8: COMPARE(int8_t) break;
  case PS_INT32: COMPARE(int32_t) COMPUTE(int32_t, uint32_t, INT32_MIN) break;
  case PS_INT64: COMPARE(int64_t) COMPUTE(int64_t, uint64_t, INT64_MIN) break;
  default: break;
  }
}

static int64_t width_of(int32_t type) {
  switch (type) {
  case PS_FLOAT32:
  case PS_INT32: return 4;
  case PS_FLOAT64:
  case PS_INT64: return 8;
  default: return 1;
  }
}

/// Steps to the next row of arrays whose offsets count elements.
static void next_row(int32_t outer, const int64_t *dims, int64_t *index, int32_t arrays, const int64_t *const *strides,
                     int64_t *at) {
  for (int32_t axis = outer - 1; axis >= 0; axis--) {
    for (int32_t k = 0; k < arrays; k++) at[k] += strides[k][axis];
    if (++index[axis] < dims[axis]) return;
    for (int32_t k = 0; k < arrays; k++) at[k] -= strides[k][axis] * dims[axis];
    index[axis] = 0;
  }
}

static void first_row(int32_t outer, const int64_t *dims, int64_t *index, int32_t arrays, const int64_t *const *strides,
                      int64_t *at, int64_t row) {
  for (int32_t axis = outer - 1; axis >= 0; axis--) {
    index[axis] = row % dims[axis];
    row /= dims[axis];
    for (int32_t k = 0; k < arrays; k++) at[k] += index[axis] * strides[k][axis];
  }
}

static int64_t rows_of(int32_t rank, const int64_t *dims) {
  int64_t rows = 1;
  for (int32_t axis = 0; axis < rank - 1; axis++) rows *= dims[axis];
  return rows;
}

static void element_rows(int64_t first, int64_t last, void *user) {
  const ps_element_args *args = user;
  int32_t outer = args->rank - 1;
  int64_t n = args->dims[outer], index[PS_MAX_RANK] = {0}, at[2] = {0}, in = width_of(args->type);
  int64_t out = args->kind <= PS_ELEMENT_XOR ? 1 : in;
  const int64_t *strides[2] = {args->a_strides, args->b_strides};
  first_row(outer, args->dims, index, 2, strides, at, first);
  for (int64_t row = first; row < last; row++) {
    element_row(args->kind, args->type, (const char *)args->a + at[0] * in, args->a_strides[outer],
                (const char *)args->b + at[1] * in, args->b_strides[outer], (char *)args->y + row * n * out, n);
    next_row(outer, args->dims, index, 2, strides, at);
  }
}

static int has_zero(const ps_element_args *args) {
  int32_t outer = args->rank - 1;
  int64_t n = args->dims[outer], index[PS_MAX_RANK] = {0}, at = 0;
  const int64_t *strides[1] = {args->b_strides};
  for (int64_t row = rows_of(args->rank, args->dims); row > 0; row--) {
    for (int64_t i = 0; i < n; i++) {
      int64_t place = at + i * args->b_strides[outer];
      if (args->type == PS_INT64 ? ((const int64_t *)args->b)[place] == 0 : ((const int32_t *)args->b)[place] == 0)
        return 1;
    }
    next_row(outer, args->dims, index, 1, strides, &at);
  }
  return 0;
}

int32_t ps_element(void *user) {
  const ps_element_args *args = user;
  if (args->kind == PS_ELEMENT_DIV && has_zero(args)) return PS_STATUS_DIVISION;
  int64_t n = args->dims[args->rank - 1];
  ps_parallel_for(rows_of(args->rank, args->dims), ELEMENTWISE_GRAIN / (n > 0 ? n : 1) + 1, element_rows, user);
  return 0;
}

// MARK: - Where

#define CHOOSE(type)                                                                   \
  {                                                                                    \
    const type *p = (const type *)args->a + at[1], *q = (const type *)args->b + at[2]; \
    type *r = (type *)args->y + row * n;                                               \
    SCALAR for (int64_t i = 0; i < n; i++) r[i] = c[i * sc] ? p[i * sa] : q[i * sb];   \
    break;                                                                             \
  }

static void where_rows(int64_t first, int64_t last, void *user) {
  const ps_where_args *args = user;
  int32_t outer = args->rank - 1;
  int64_t n = args->dims[outer], index[PS_MAX_RANK] = {0}, at[3] = {0};
  const int64_t *strides[3] = {args->condition_strides, args->a_strides, args->b_strides};
  const int64_t sc = strides[0][outer], sa = strides[1][outer], sb = strides[2][outer];
  first_row(outer, args->dims, index, 3, strides, at, first);
  for (int64_t row = first; row < last; row++) {
    const uint8_t *c = args->condition + at[0];
    switch (args->width) {
    case 1: CHOOSE(uint8_t)
    case 2: CHOOSE(uint16_t)
    case 4: CHOOSE(uint32_t)
    case 8: CHOOSE(uint64_t)
    default: break;
    }
    next_row(outer, args->dims, index, 3, strides, at);
  }
}

int32_t ps_where(void *user) {
  const ps_where_args *args = user;
  int64_t n = args->dims[args->rank - 1];
  ps_parallel_for(rows_of(args->rank, args->dims), ELEMENTWISE_GRAIN / (n > 0 ? n : 1) + 1, where_rows, user);
  return 0;
}
