#include <math.h>

#include "prune_kernels.h"
#include "prune_support.h"
#include "vector_math.h"

// MARK: - One operand

#define LOOP(expression)                           \
  COMPACT for (int64_t i = first; i < last; i++) { \
    float v = x[i];                                \
    y[i] = (expression);                           \
  }                                                \
  break

CLONES static void unary_range(int64_t first, int64_t last, void *user) {
  const ps_unary_args *args = user;
  const float *x = args->x;
  float *y = args->y;
  const float alpha = args->alpha, beta = args->beta;
  switch (args->kind) {
  // Comparisons that are false for NaN leave it as it is.
  case PS_UNARY_CLIP: LOOP(v < alpha ? alpha : v > beta ? beta : v);
  case PS_UNARY_LEAKY_RELU: LOOP(v < 0 ? alpha * v : v);
  case PS_UNARY_ELU: LOOP(v < 0 ? alpha * (vector_exp(v) - 1) : v);
  case PS_UNARY_SIGMOID: LOOP(1 / (1 + vector_exp(-v)));
  case PS_UNARY_TANH: LOOP(vector_tanh(v));
  case PS_UNARY_HARD_SWISH: LOOP(v * ((v < -3 ? 0 : v > 3 ? 6 : v + 3) / 6));
  case PS_UNARY_EXP: LOOP(vector_exp(v));
  case PS_UNARY_SQRT: LOOP(__builtin_elementwise_sqrt(v));
  case PS_UNARY_ABS: LOOP(fabsf(v));
  case PS_UNARY_NEGATE: LOOP(-v);
  case PS_UNARY_RECIPROCAL: LOOP(1 / v);
  case PS_UNARY_ERF: LOOP(vector_erf(v));
  case PS_UNARY_GELU: LOOP(0.5f * v * (1 + vector_erf(v * 0.70710678118654752f)));
  case PS_UNARY_GELU_TANH: LOOP(0.5f * v * (1 + vector_tanh(0.79788456080286536f * (v + 0.044715f * v * v * v))));
  case PS_UNARY_SWISH: LOOP(v / (1 + vector_exp(-alpha * v)));
  // A comparison that is false for NaN comes first.
  case PS_UNARY_HARD_SIGMOID: LOOP(alpha * v + beta < 0 ? 0 : alpha * v + beta > 1 ? 1 : alpha * v + beta);
  case PS_UNARY_SOFTSIGN: LOOP(v / (1 + fabsf(v)));
  case PS_UNARY_SELU: LOOP(v <= 0 ? alpha * beta * (vector_exp(v) - 1) : beta * v);
  case PS_UNARY_THRESHOLD: LOOP(v > alpha ? v : 0);
  case PS_UNARY_FLOOR: LOOP(__builtin_elementwise_floor(v));
  case PS_UNARY_CEIL: LOOP(__builtin_elementwise_ceil(v));
  case PS_UNARY_ROUND: LOOP(__builtin_elementwise_roundeven(v));
  case PS_UNARY_SIGN: LOOP(v > 0 ? 1 : v < 0 ? -1 : v);
  case PS_UNARY_AFFINE: LOOP(alpha * v + beta);
  case PS_UNARY_SQUARE: LOOP(v * v);
  case PS_UNARY_CUBE: LOOP(v * v * v);
  case PS_UNARY_SOFTPLUS: LOOP(vector_softplus(v));
  case PS_UNARY_MISH: LOOP(v * vector_tanh_softplus(v));
  default: break;
  }
}

#define SCALAR_LOOP(expression)            \
  for (int64_t i = first; i < last; i++) { \
    float v = x[i];                        \
    y[i] = (expression);                   \
  }                                        \
  break

/// Functions that the C library computes, one number at a time.
static void scalar_range(int64_t first, int64_t last, void *user) {
  const ps_unary_args *args = user;
  const float *x = args->x;
  float *y = args->y;
  const float alpha = args->alpha;
  switch (args->kind) {
  case PS_UNARY_LOG: SCALAR_LOOP(logf(v));
  case PS_UNARY_SIN: SCALAR_LOOP(sinf(v));
  case PS_UNARY_COS: SCALAR_LOOP(cosf(v));
  case PS_UNARY_POWER: SCALAR_LOOP((float)pow((double)v, (double)alpha));
  default: break;
  }
}

static int calls_library(int32_t kind) {
  return kind == PS_UNARY_LOG || kind == PS_UNARY_SIN || kind == PS_UNARY_COS || kind == PS_UNARY_POWER;
}

int32_t ps_unary(void *user) {
  const ps_unary_args *args = user;
  if (calls_library(args->kind)) ps_parallel_for(args->count, ELEMENTWISE_GRAIN / 8, scalar_range, user);
  else ps_parallel_for(args->count, ELEMENTWISE_GRAIN, unary_range, user);
  return 0;
}

void ps_unary_serial(const ps_unary_args *args) {
  if (calls_library(args->kind)) scalar_range(0, args->count, (void *)args);
  else unary_range(0, args->count, (void *)args);
}

CLONES static void grad_range(int64_t first, int64_t last, void *user) {
  const ps_grad_args *args = user;
  const float *dy = args->dy, *at = args->y;
  float *dx = args->dx;
  switch (args->kind) {
  case PS_GRAD_RELU: COMPACT for (int64_t i = first; i < last; i++) dx[i] = at[i] > 0 ? dy[i] : 0; break;
  case PS_GRAD_SIGMOID: COMPACT for (int64_t i = first; i < last; i++) dx[i] = dy[i] * (at[i] * (1 - at[i])); break;
  case PS_GRAD_TANH: COMPACT for (int64_t i = first; i < last; i++) dx[i] = dy[i] * (1 - at[i] * at[i]); break;
  default: break;
  }
}

int32_t ps_grad(void *user) {
  const ps_grad_args *args = user;
  ps_parallel_for(args->count, ELEMENTWISE_GRAIN, grad_range, user);
  return 0;
}

// MARK: - Two operands

#define ROW(expression)                                   \
  if (sa && sb) COMPACT for (int64_t i = 0; i < n; i++) { \
      float u = a[i], v = b[i];                           \
      y[i] = (expression);                                \
    }                                                     \
  else if (sa) {                                          \
    float v = b[0];                                       \
    COMPACT for (int64_t i = 0; i < n; i++) {             \
      float u = a[i];                                     \
      y[i] = (expression);                                \
    }                                                     \
  } else {                                                \
    float u = a[0];                                       \
    COMPACT for (int64_t i = 0; i < n; i++) {             \
      float v = b[sb ? i : 0];                            \
      y[i] = (expression);                                \
    }                                                     \
  }                                                       \
  break

CLONES static void binary_row(int32_t kind, const float *a, int64_t sa, const float *b, int64_t sb, float *y,
                              int64_t n) {
  switch (kind) {
  case PS_BINARY_ADD: ROW(u + v);
  case PS_BINARY_SUB: ROW(u - v);
  case PS_BINARY_MUL: ROW(u * v);
  case PS_BINARY_DIV: ROW(u / v);
  // NaN on either side wins.
  case PS_BINARY_MAX: ROW(u > v || u != u ? u : v);
  case PS_BINARY_MIN: ROW(u < v || u != u ? u : v);
  default: break;
  }
}

/// One axis: the range is of elements.
static void binary_flat(int64_t first, int64_t last, void *user) {
  const ps_binary_args *args = user;
  binary_row(args->kind, args->a + first * args->a_strides[0], args->a_strides[0], args->b + first * args->b_strides[0],
             args->b_strides[0], args->y + first, last - first);
}

/// More axes: the range is of rows along the innermost.
static void binary_rows(int64_t first, int64_t last, void *user) {
  const ps_binary_args *args = user;
  int32_t outer = args->rank - 1;
  int64_t n = args->dims[outer], index[PS_MAX_RANK] = {0}, at_a = 0, at_b = 0, rest = first;
  for (int32_t axis = outer - 1; axis >= 0; axis--) {
    index[axis] = rest % args->dims[axis];
    rest /= args->dims[axis];
    at_a += index[axis] * args->a_strides[axis];
    at_b += index[axis] * args->b_strides[axis];
  }
  for (int64_t row = first; row < last; row++) {
    binary_row(args->kind, args->a + at_a, args->a_strides[outer], args->b + at_b, args->b_strides[outer],
               args->y + row * n, n);
    for (int32_t axis = outer - 1; axis >= 0; axis--) {
      at_a += args->a_strides[axis];
      at_b += args->b_strides[axis];
      if (++index[axis] < args->dims[axis]) break;
      at_a -= args->a_strides[axis] * args->dims[axis];
      at_b -= args->b_strides[axis] * args->dims[axis];
      index[axis] = 0;
    }
  }
}

int32_t ps_binary(void *user) {
  const ps_binary_args *args = user;
  int64_t n = args->dims[args->rank - 1];
  if (args->rank == 1) {
    ps_parallel_for(n, ELEMENTWISE_GRAIN, binary_flat, user);
    return 0;
  }
  int64_t rows = 1;
  for (int32_t axis = 0; axis < args->rank - 1; axis++) rows *= args->dims[axis];
  ps_parallel_for(rows, ELEMENTWISE_GRAIN / (n > 0 ? n : 1) + 1, binary_rows, user);
  return 0;
}

// MARK: - After a matrix product

CLONES static void epilogue_rows(int64_t first, int64_t last, void *user) {
  const ps_epilogue_args *args = user;
  const float *bias = args->bias, low = args->low, high = args->high, scale = args->bias_scale;
  int64_t n = args->columns;
  for (int64_t row = first; row < last; row++) {
    float *y = args->y + row * n;
    if (args->residual) {
      const float *residual = args->residual + row * n;
      COMPACT for (int64_t i = 0; i < n; i++) {
        float v = y[i] + (bias ? scale * bias[i] : 0) + residual[i];
        y[i] = v < low ? low : v > high ? high : v;
      }
    } else {
      COMPACT for (int64_t i = 0; i < n; i++) {
        float v = y[i] + (bias ? scale * bias[i] : 0);
        y[i] = v < low ? low : v > high ? high : v;
      }
    }
  }
}

int32_t ps_epilogue(void *user) {
  const ps_epilogue_args *args = user;
  int64_t n = args->columns > 0 ? args->columns : 1;
  ps_parallel_for(args->rows, ELEMENTWISE_GRAIN / n + 1, epilogue_rows, user);
  return 0;
}
