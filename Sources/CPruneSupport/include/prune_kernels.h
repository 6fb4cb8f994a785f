// Loops that oneDNN has no primitive for, or a slower one. Each takes a pointer to its arguments, so that a compiled
// program calls it with nothing to look up, and returns 0 or a `PS_STATUS_…`. All arrays are float unless they say
// otherwise, and do not overlap except where the output may be an input ("in place").
#ifndef PRUNE_KERNELS_H
#define PRUNE_KERNELS_H

#include <stdint.h>

enum { PS_STATUS_BAD_LABEL = 1000 };

/// Most axes a kernel takes after neighbours that lie together are merged.
enum { PS_MAX_RANK = 8 };

// MARK: - Elementwise
enum ps_unary_kind {
  PS_UNARY_CLIP,        // alpha <= x <= beta
  PS_UNARY_LEAKY_RELU,  // alpha * x below 0
  PS_UNARY_ELU,
  PS_UNARY_SIGMOID,
  PS_UNARY_TANH,
  PS_UNARY_HARD_SWISH,
  PS_UNARY_EXP,
  PS_UNARY_SQRT,
  PS_UNARY_ABS,
  PS_UNARY_NEGATE,
  PS_UNARY_RECIPROCAL,
};

/// y = f(x), in place.
typedef struct {
  const float *x;
  float *y;
  int64_t count;
  int32_t kind;
  float alpha, beta;
} ps_unary_args;
int32_t ps_unary(void *args);

enum ps_grad_kind { PS_GRAD_RELU, PS_GRAD_SIGMOID, PS_GRAD_TANH };

/// dx = dy * f'(y), in place of dy.
typedef struct {
  const float *dy, *y;
  float *dx;
  int64_t count;
  int32_t kind;
} ps_grad_args;
int32_t ps_grad(void *args);

enum ps_binary_kind { PS_BINARY_ADD, PS_BINARY_SUB, PS_BINARY_MUL, PS_BINARY_DIV, PS_BINARY_MAX, PS_BINARY_MIN };

/// y = a op b with broadcasting: a stride is 0 along an axis that repeats; y is dense. In place of an operand that
/// does not repeat.
typedef struct {
  const float *a, *b;
  float *y;
  int32_t kind, rank;
  int64_t dims[PS_MAX_RANK], a_strides[PS_MAX_RANK], b_strides[PS_MAX_RANK];
} ps_binary_args;
int32_t ps_binary(void *args);

/// y = clip(y + bias + residual) row by row; bias ([columns], or NULL) is multiplied by `bias_scale`, residual (like y,
/// or NULL) is added as it is.
typedef struct {
  float *y;
  const float *bias, *residual;
  int64_t rows, columns;
  float bias_scale, low, high;
} ps_epilogue_args;
int32_t ps_epilogue(void *args);

// MARK: - Moving and reducing
/// Copies elements of `width` bytes (1, 2, 4, 8) between strided arrays; strides count elements and may be 0 or
/// negative in the source.
typedef struct {
  const void *x;
  void *y;
  int32_t width, rank;
  int64_t dims[PS_MAX_RANK], x_strides[PS_MAX_RANK], y_strides[PS_MAX_RANK];
} ps_copy_args;
int32_t ps_copy(void *args);

/// y = scale * sums of x; y's stride is 0 along the axes that are summed, x is dense, `count` is y's.
typedef struct {
  const float *x;
  float *y;
  int32_t rank;
  float scale;
  int64_t count, dims[PS_MAX_RANK], y_strides[PS_MAX_RANK];
} ps_reduce_args;
int32_t ps_reduce(void *args);

// MARK: - Softmax and losses
/// Softmax, or its logarithm, over the middle of [outer, extent, inner]. In place.
typedef struct {
  const float *x;
  float *y;
  int64_t outer, extent, inner;
  int32_t is_log;
} ps_softmax_args;
int32_t ps_softmax(void *args);

/// loss = mean cross-entropy of softmax(logits); gradient = its derivative by the logits, in place. One of `labels` and
/// `targets` is NULL.
typedef struct {
  const float *logits;
  const int64_t *labels;
  const float *targets;
  float *loss, *gradient;
  int64_t rows, classes;
  float smoothing;
} ps_cross_entropy_args;
int32_t ps_softmax_cross_entropy(void *args);

// MARK: - Updates: weight and state in place; where the mask (or NULL) is 0 all of them become 0.
typedef struct {
  float *w;
  const float *gradient;
  float *momentum_buffer;  // or NULL
  const uint8_t *mask;
  const float *rate;
  int64_t count;
  float momentum, decay;
  int32_t nesterov;
} ps_sgd_args;
int32_t ps_sgd_update(void *args);

typedef struct {
  float *w;
  const float *gradient;
  float *m, *v;
  const uint8_t *mask;
  const float *rate, *step;
  int64_t count;
  float beta1, beta2, epsilon, decay;
  int32_t decoupled;
} ps_adam_args;
int32_t ps_adam_update(void *args);

// MARK: - Normalization
/// From batch statistics: inverse standard deviation and moved running statistics; each output may be NULL.
typedef struct {
  const float *mean, *variance, *old_mean, *old_variance;
  float *inverse, *new_mean, *new_variance;
  int64_t count;
  float epsilon, momentum;
} ps_statistics_args;
int32_t ps_batch_statistics(void *args);

/// variance = 1 / inverse^2.
typedef struct {
  const float *inverse;
  float *variance;
  int64_t count;
} ps_variance_args;
int32_t ps_variance(void *args);

// MARK: - Quantization
/// y = clamp(round(x / scale) + zero) to uint8 or int8 over the middle of [outer, extent, inner]; extent is 1 when one
/// scale serves all. Zero points as int32.
typedef struct {
  const float *x, *scales;
  const int32_t *zeros;
  void *y;
  int64_t outer, extent, inner;
  int32_t is_signed;
} ps_quantize_args;
int32_t ps_quantize(void *args);

/// y = (x - zero) * scale, x uint8 or int8.
typedef struct {
  const void *x;
  const float *scales;
  const int32_t *zeros;
  float *y;
  int64_t outer, extent, inner;
  int32_t is_signed;
} ps_dequantize_args;
int32_t ps_dequantize(void *args);

#endif
