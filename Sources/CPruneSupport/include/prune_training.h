// Loops of training steps: gradients, regularization and updates of weights; as those of prune_kernels.h.
#ifndef PRUNE_TRAINING_H
#define PRUNE_TRAINING_H

#include "prune_kernels.h"

// MARK: - Gradients (derivatives.c)
enum ps_slope_kind {
  PS_SLOPE_CLIP,  // alpha <= x <= beta
  PS_SLOPE_LEAKY_RELU,
  PS_SLOPE_ELU,  // beta * elu
  PS_SLOPE_SOFTPLUS,
  PS_SLOPE_HARD_SIGMOID,
  PS_SLOPE_HARD_SWISH,
  PS_SLOPE_ERF,
  PS_SLOPE_GELU,
  PS_SLOPE_GELU_TANH,
  PS_SLOPE_MISH,
};

/// dx = dy * f'(x), in place of dy.
typedef struct {
  const float *dy, *x;
  float *dx;
  int64_t count;
  int32_t kind;
  float alpha, beta;
} ps_slope_args;
int32_t ps_slope(void *args);
/// A max-pool of [planes, height, width, channels], or its gradient. `place` numbers, for each element of the result,
/// the one of its window that it came from; windows have at most 255, each with an element inside the image.
typedef struct ps_max_pool_args {
  const float *x;
  float *y;
  uint8_t *place;
  const float *dy;
  float *dx;
  int64_t planes, height, width, channels, rows, columns;
  int64_t kernel[2], stride[2], before[2];
} ps_max_pool_args;
int32_t ps_max_pool(void *args);
int32_t ps_max_pool_grad(void *args);

/// From the softmax, or its logarithm, of each row; in place of dy.
typedef struct {
  const float *dy, *y;
  float *dx;
  int64_t rows, extent;
  int32_t is_log;
} ps_softmax_grad_args;
int32_t ps_softmax_grad(void *args);

/// dx in place of dy; statistics: room for two numbers a row.
typedef struct {
  const float *dy, *x, *scale;
  float *dx, *dscale, *dbias, *statistics;
  int64_t rows, columns;
  float epsilon;
} ps_layer_norm_grad_args;
int32_t ps_layer_norm_grad(void *args);

/// dx = dy [outer, indices, inner] added where it was taken from, [outer, extent, inner]. One of `wide` and `narrow` is
/// NULL.
typedef struct {
  const float *dy;
  const int64_t *wide;
  const int32_t *narrow;
  float *dx;
  int64_t outer, extent, inner, indices;
} ps_gather_grad_args;
int32_t ps_gather_grad(void *args);

typedef struct {
  void *y;
  int64_t bytes;
} ps_zero_args;
int32_t ps_zero(void *args);

// MARK: - Regularization (regularize.c)
/// y = 0 or x * scale, chosen by element, key and step alone; in place.
typedef struct {
  const float *x;
  float *y;
  const float *step;
  int64_t count;
  uint32_t key, limit;
  float scale;
} ps_dropout_args;
int32_t ps_dropout(void *args);

enum ps_penalty_kind { PS_PENALTY_L1, PS_PENALTY_L2, PS_PENALTY_SIGN, PS_PENALTY_GROUPS, PS_PENALTY_CHANNELS };

/// out = gradient + that of a penalty on w, [outer, channels, inner]; in place of gradient.
typedef struct {
  const float *w, *gradient, *strength;  // one strength; of PS_PENALTY_CHANNELS one a channel
  const int8_t *signs;                   // PS_PENALTY_SIGN
  float *out, *norms;                    // norms: room for one a channel
  int64_t outer, channels, inner;
  int32_t kind;
} ps_penalty_args;
int32_t ps_penalty(void *args);

/// Makes the norm of each channel at most `bound`, in place: of L2, or, by the nearest weights that have it, of L1.
typedef struct {
  float *w, *norms;
  int64_t outer, channels, inner;
  float bound;
} ps_project_args;
int32_t ps_project(void *args);
int32_t ps_project_l1(void *args);

/// Makes numbers of another sign than `signs` (0 for any) zero, in place.
typedef struct {
  float *w;
  const int8_t *signs;
  int64_t count;
} ps_keep_signs_args;
int32_t ps_keep_signs(void *args);

// MARK: - Gradients before an update (gradients.c)
/// Sums of squares of `count` floats, in chunks of a fixed length so that the sum does not depend on the threads.
typedef struct {
  const float *x;
  float *norm;     // the square root of the sum
  double *chunks;  // one for each PS_NORM_CHUNK elements
  int64_t count;
} ps_norm_args;
enum { PS_NORM_CHUNK = 1 << 15 };
int32_t ps_norm(void *args);

/// The mean of (prediction - target)² and its gradient, 2 (prediction - target) / count, which may be where the
/// prediction is.
typedef struct {
  const float *prediction, *target;
  float *gradient, *loss;
  double *chunks;  // one for each PS_NORM_CHUNK elements
  int64_t count;
} ps_squared_error_args;
int32_t ps_squared_error(void *args);

/// gate = 0 where the loss or a norm is not finite; else what makes all norms together at most max_norm (0: no limit).
typedef struct {
  const float *loss, *norms;
  float *gate;
  int64_t count;
  float max_norm;
} ps_gate_args;
int32_t ps_gate(void *args);

// MARK: - Updates: weight and state in place; where the mask (or NULL) is 0 all of them become 0. The gradient is
// multiplied by `gate` (or NULL) and then cut to -clip...clip (0: not); a gate of 0 leaves everything as it is.
typedef struct {
  float *w;
  const float *gradient;
  float *momentum_buffer;  // or NULL
  const uint8_t *mask;
  const float *rate, *gate;
  int64_t count;
  float momentum, decay, clip;
  int32_t nesterov;
} ps_sgd_args;
int32_t ps_sgd_update(void *args);

typedef struct {
  float *w;
  const float *gradient;
  float *m, *v;
  const uint8_t *mask;
  const float *rate, *step, *gate;
  int64_t count;
  float beta1, beta2, epsilon, decay, clip;
  int32_t decoupled;
} ps_adam_args;
int32_t ps_adam_update(void *args);

typedef struct {
  float *w;
  const float *gradient;
  float *v;
  float *momentum_buffer;  // or NULL
  const uint8_t *mask;
  const float *rate, *gate;
  int64_t count;
  float alpha, epsilon, momentum, decay, clip;
} ps_rmsprop_args;
int32_t ps_rmsprop_update(void *args);

#endif
