// Optimizer steps and batch statistics.
#include <math.h>

#include "prune_training.h"
#include "prune_support.h"
#include "vector_math.h"

/// What a gradient is multiplied by and cut to.
struct limits {
  float gate, low, high;
};

static struct limits limits_of(const float *gate, float clip) {
  return (struct limits){gate ? *gate : 1, clip > 0 ? -clip : -INFINITY, clip > 0 ? clip : INFINITY};
}

static inline float limited(struct limits limits, float gradient) {
  return __builtin_elementwise_min(__builtin_elementwise_max(gradient * limits.gate, limits.low), limits.high);
}

static void keep_zeros(const uint8_t *mask, float *values, int64_t first, int64_t last) {
  if (mask && values) COMPACT for (int64_t i = first; i < last; i++) values[i] = mask[i] ? values[i] : 0;
}

FEW_CLONES static void sgd_range(int64_t first, int64_t last, void *user) {
  const ps_sgd_args *args = user;
  float *restrict w = args->w, *restrict buffer = args->momentum_buffer;
  const float *restrict gradient = args->gradient;
  const float rate = *args->rate, momentum = args->momentum, decay = args->decay;
  const int nesterov = args->nesterov;
  const struct limits limits = limits_of(args->gate, args->clip);
  if (buffer) {
    COMPACT for (int64_t i = first; i < last; i++) {
      float step = limited(limits, gradient[i]) + decay * w[i];
      float velocity = momentum * buffer[i] + step;
      buffer[i] = velocity;
      w[i] -= rate * (nesterov ? step + momentum * velocity : velocity);
    }
  } else {
    COMPACT for (int64_t i = first; i < last; i++) w[i] -= rate * (limited(limits, gradient[i]) + decay * w[i]);
  }
  keep_zeros(args->mask, buffer, first, last);
  keep_zeros(args->mask, w, first, last);
}

int32_t ps_sgd_update(void *user) {
  const ps_sgd_args *args = user;
  if (args->gate && *args->gate == 0) return 0;
  ps_parallel_for(args->count, ELEMENTWISE_GRAIN, sgd_range, user);
  return 0;
}

struct adam {
  const ps_adam_args *args;
  float correction1, correction2;
};

FEW_CLONES static void adam_range(int64_t first, int64_t last, void *user) {
  const struct adam *adam = user;
  const ps_adam_args *args = adam->args;
  float *restrict w = args->w, *restrict m = args->m, *restrict v = args->v;
  const float *restrict gradient = args->gradient;
  const float rate = *args->rate, beta1 = args->beta1, beta2 = args->beta2, epsilon = args->epsilon;
  const float coupled = args->decoupled ? 0 : args->decay, decoupled = args->decoupled ? args->decay : 0;
  const float size = rate / adam->correction1, root = 1 / sqrtf(adam->correction2);
  const struct limits limits = limits_of(args->gate, args->clip);
  COMPACT for (int64_t i = first; i < last; i++) {
    float g = limited(limits, gradient[i]) + coupled * w[i];
    float first_moment = beta1 * m[i] + (1 - beta1) * g;
    float second_moment = beta2 * v[i] + (1 - beta2) * g * g;
    m[i] = first_moment;
    v[i] = second_moment;
    w[i] -=
        size * first_moment / (__builtin_elementwise_sqrt(second_moment) * root + epsilon) + rate * decoupled * w[i];
  }
  keep_zeros(args->mask, w, first, last);
  keep_zeros(args->mask, m, first, last);
  keep_zeros(args->mask, v, first, last);
}

int32_t ps_adam_update(void *user) {
  const ps_adam_args *args = user;
  if (args->gate && *args->gate == 0) return 0;
  double step = (double)*args->step;
  struct adam adam = {args, (float)(1 - pow((double)args->beta1, step)), (float)(1 - pow((double)args->beta2, step))};
  ps_parallel_for(args->count, ELEMENTWISE_GRAIN, adam_range, &adam);
  return 0;
}

FEW_CLONES static void rmsprop_range(int64_t first, int64_t last, void *user) {
  const ps_rmsprop_args *args = user;
  float *restrict w = args->w, *restrict v = args->v, *restrict buffer = args->momentum_buffer;
  const float *restrict gradient = args->gradient;
  const float rate = *args->rate, alpha = args->alpha, epsilon = args->epsilon, decay = args->decay;
  const float momentum = args->momentum;
  const struct limits limits = limits_of(args->gate, args->clip);
  COMPACT for (int64_t i = first; i < last; i++) {
    float g = limited(limits, gradient[i]) + decay * w[i];
    float square = alpha * v[i] + (1 - alpha) * g * g;
    v[i] = square;
    float step = g / (__builtin_elementwise_sqrt(square) + epsilon);
    if (buffer) buffer[i] = step = momentum * buffer[i] + step;
    w[i] -= rate * step;
  }
  keep_zeros(args->mask, w, first, last);
  keep_zeros(args->mask, v, first, last);
  keep_zeros(args->mask, buffer, first, last);
}

int32_t ps_rmsprop_update(void *user) {
  const ps_rmsprop_args *args = user;
  if (args->gate && *args->gate == 0) return 0;
  ps_parallel_for(args->count, ELEMENTWISE_GRAIN, rmsprop_range, user);
  return 0;
}

int32_t ps_batch_statistics(void *user) {
  const ps_statistics_args *args = user;
  const float momentum = args->momentum;
  for (int64_t i = 0; i < args->count; i++) {
    if (args->inverse) args->inverse[i] = 1 / __builtin_elementwise_sqrt(args->variance[i] + args->epsilon);
    if (args->new_mean) args->new_mean[i] = args->old_mean[i] * momentum + args->mean[i] * (1 - momentum);
    if (args->new_variance)
      args->new_variance[i] = args->old_variance[i] * momentum + args->variance[i] * (1 - momentum);
  }
  return 0;
}

int32_t ps_variance(void *user) {
  const ps_variance_args *args = user;
  for (int64_t i = 0; i < args->count; i++) args->variance[i] = 1 / (args->inverse[i] * args->inverse[i]);
  return 0;
}
