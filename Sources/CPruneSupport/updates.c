// Optimizer steps and batch statistics.
#include <math.h>

#include "prune_kernels.h"
#include "prune_support.h"
#include "vector_math.h"

CLONES static void sgd_range(int64_t first, int64_t last, void *user) {
  const ps_sgd_args *args = user;
  float *restrict w = args->w, *restrict buffer = args->momentum_buffer;
  const float *restrict gradient = args->gradient;
  const uint8_t *restrict mask = args->mask;
  const float rate = *args->rate, momentum = args->momentum, decay = args->decay;
  const int nesterov = args->nesterov;
  if (buffer) {
    for (int64_t i = first; i < last; i++) {
      float step = gradient[i] + decay * w[i];
      float velocity = momentum * buffer[i] + step;
      buffer[i] = velocity;
      w[i] -= rate * (nesterov ? step + momentum * velocity : velocity);
    }
    if (mask)
      for (int64_t i = first; i < last; i++) buffer[i] = mask[i] ? buffer[i] : 0;
  } else {
    for (int64_t i = first; i < last; i++) w[i] -= rate * (gradient[i] + decay * w[i]);
  }
  if (mask)
    for (int64_t i = first; i < last; i++) w[i] = mask[i] ? w[i] : 0;
}

int32_t ps_sgd_update(void *user) {
  const ps_sgd_args *args = user;
  ps_parallel_for(args->count, ELEMENTWISE_GRAIN, sgd_range, user);
  return 0;
}

struct adam {
  const ps_adam_args *args;
  float correction1, correction2;
};

CLONES static void adam_range(int64_t first, int64_t last, void *user) {
  const struct adam *adam = user;
  const ps_adam_args *args = adam->args;
  float *restrict w = args->w, *restrict m = args->m, *restrict v = args->v;
  const float *restrict gradient = args->gradient;
  const uint8_t *restrict mask = args->mask;
  const float rate = *args->rate, beta1 = args->beta1, beta2 = args->beta2, epsilon = args->epsilon;
  const float coupled = args->decoupled ? 0 : args->decay, decoupled = args->decoupled ? args->decay : 0;
  const float size = rate / adam->correction1, root = 1 / sqrtf(adam->correction2);
  for (int64_t i = first; i < last; i++) {
    float g = gradient[i] + coupled * w[i];
    float first_moment = beta1 * m[i] + (1 - beta1) * g;
    float second_moment = beta2 * v[i] + (1 - beta2) * g * g;
    m[i] = first_moment;
    v[i] = second_moment;
    w[i] -= size * first_moment / (__builtin_elementwise_sqrt(second_moment) * root + epsilon) + rate * decoupled * w[i];
  }
  if (mask)
    for (int64_t i = first; i < last; i++) {
      w[i] = mask[i] ? w[i] : 0;
      m[i] = mask[i] ? m[i] : 0;
      v[i] = mask[i] ? v[i] : 0;
    }
}

int32_t ps_adam_update(void *user) {
  const ps_adam_args *args = user;
  double step = (double)*args->step;
  struct adam adam = {args, (float)(1 - pow((double)args->beta1, step)), (float)(1 - pow((double)args->beta2, step))};
  ps_parallel_for(args->count, ELEMENTWISE_GRAIN, adam_range, &adam);
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
