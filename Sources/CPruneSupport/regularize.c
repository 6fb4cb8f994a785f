// Dropout, penalties on weights and projections of them.
#include <math.h>

#include "prune_training.h"
#include "prune_support.h"
#include "vector_math.h"

/// Murmur3's finalizer: every bit of the result depends on every bit of the argument.
static inline uint32_t mixed(uint32_t x) {
  x ^= x >> 16;
  x *= 0x85ebca6bu;
  x ^= x >> 13;
  x *= 0xc2b2ae35u;
  return x ^ (x >> 16);
}

FEW_CLONES static void dropout_range(int64_t first, int64_t last, void *user) {
  const ps_dropout_args *args = user;
  const float *x = args->x;
  float *y = args->y;
  const uint32_t key = mixed(args->key ^ mixed((uint32_t)(int64_t)*args->step)), limit = args->limit;
  const float scale = args->scale;
  COMPACT for (int64_t i = first; i < last; i++) y[i] = mixed((uint32_t)i + key) >= limit ? x[i] * scale : 0;
}

int32_t ps_dropout(void *user) {
  const ps_dropout_args *args = user;
  ps_parallel_for(args->count, ELEMENTWISE_GRAIN, dropout_range, user);
  return 0;
}

FEW_CLONES static void penalty_range(int64_t first, int64_t last, void *user) {
  const ps_penalty_args *args = user;
  const float *w = args->w, *gradient = args->gradient, strength = *args->strength;
  float *out = args->out;
  switch (args->kind) {
  case PS_PENALTY_L1:
    COMPACT for (int64_t i = first; i < last; i++) out[i] = gradient[i] + (w[i] > 0   ? strength
                                                                           : w[i] < 0 ? -strength
                                                                                      : 0);
    break;
  case PS_PENALTY_L2: COMPACT for (int64_t i = first; i < last; i++) out[i] = gradient[i] + strength * w[i]; break;
  case PS_PENALTY_SIGN:
    COMPACT for (int64_t i = first; i < last; i++) {
      float sign = (float)args->signs[i];
      out[i] = gradient[i] - (sign * w[i] < 0 ? strength * sign : 0);
    }
    break;
  default: break;
  }
}

/// norms[c] = the L2 norm of channel c of [outer, channels, inner].
FEW_CLONES static void channel_norms(const float *w, int64_t outer, int64_t channels, int64_t inner, float *norms) {
  for (int64_t c = 0; c < channels; c++) norms[c] = 0;
  for (int64_t o = 0; o < outer; o++) {
    const float *plane = w + o * channels * inner;
    if (inner == 1) {
      for (int64_t c = 0; c < channels; c++) norms[c] += plane[c] * plane[c];
      continue;
    }
    for (int64_t c = 0; c < channels; c++) {
      double sum = 0;
      for (int64_t i = 0; i < inner; i++) sum += (double)plane[c * inner + i] * (double)plane[c * inner + i];
      norms[c] += (float)sum;
    }
  }
  for (int64_t c = 0; c < channels; c++) norms[c] = sqrtf(norms[c]);
}

/// out = gradient + factors[c] * w for each channel; `gradient` NULL is 0.
FEW_CLONES static void add_scaled(const ps_penalty_args *args, const float *factors) {
  int64_t row = 0;
  for (int64_t o = 0; o < args->outer; o++)
    for (int64_t c = 0; c < args->channels; c++, row++) {
      const float factor = factors[c];
      for (int64_t i = row * args->inner; i < (row + 1) * args->inner; i++)
        args->out[i] = args->gradient[i] + factor * args->w[i];
    }
}

int32_t ps_penalty(void *user) {
  const ps_penalty_args *args = user;
  int64_t count = args->outer * args->channels * args->inner;
  if (args->kind == PS_PENALTY_CHANNELS) {
    add_scaled(args, args->strength);
  } else if (args->kind == PS_PENALTY_GROUPS) {
    channel_norms(args->w, args->outer, args->channels, args->inner, args->norms);
    float scale = *args->strength * sqrtf((float)(args->outer * args->inner));
    for (int64_t c = 0; c < args->channels; c++) args->norms[c] = args->norms[c] > 0 ? scale / args->norms[c] : 0;
    add_scaled(args, args->norms);
  } else {
    ps_parallel_for(count, ELEMENTWISE_GRAIN, penalty_range, user);
  }
  return 0;
}

int32_t ps_project(void *user) {
  const ps_project_args *args = user;
  channel_norms(args->w, args->outer, args->channels, args->inner, args->norms);
  int64_t row = 0;
  for (int64_t o = 0; o < args->outer; o++)
    for (int64_t c = 0; c < args->channels; c++, row++) {
      if (!(args->norms[c] > args->bound)) continue;
      const float factor = args->bound / args->norms[c];
      for (int64_t i = row * args->inner; i < (row + 1) * args->inner; i++) args->w[i] *= factor;
    }
  return 0;
}

// The sum and the count of what is above a threshold in one channel.
static double sum_above(const ps_project_args *args, int64_t channel, double threshold, int64_t *count) {
  double sum = 0;
  *count = 0;
  for (int64_t o = 0; o < args->outer; o++) {
    const float *row = args->w + (o * args->channels + channel) * args->inner;
    for (int64_t i = 0; i < args->inner; i++) {
      const double value = fabs((double)row[i]);
      if (!(value > threshold)) continue;
      sum += value;
      ++*count;
    }
  }
  return sum;
}

// The threshold of Duchi et al. 2008, which sorting finds, is where these steps end as well: each leaves out only what
// the threshold leaves out (Michelot 1986), and there are no more than weights.
static void project_l1_range(int64_t first, int64_t last, void *user) {
  const ps_project_args *args = user;
  for (int64_t c = first; c < last; c++) {
    int64_t count, left;
    double sum = sum_above(args, c, -1, &count);
    if (!(sum > (double)args->bound)) continue;
    double threshold = 0;
    for (;;) {
      threshold = (sum - (double)args->bound) / (double)count;
      sum = sum_above(args, c, threshold, &left);
      if (left == count || left == 0) break;
      count = left;
    }
    for (int64_t o = 0; o < args->outer; o++) {
      float *row = args->w + (o * args->channels + c) * args->inner;
      for (int64_t i = 0; i < args->inner; i++) {
        const double value = fabs((double)row[i]) - threshold;
        row[i] = value > 0 ? (float)copysign(value, (double)row[i]) : 0;
      }
    }
  }
}

int32_t ps_project_l1(void *user) {
  const ps_project_args *args = user;
  ps_parallel_for(args->channels, 1, project_l1_range, user);
  return 0;
}

int32_t ps_keep_signs(void *user) {
  const ps_keep_signs_args *args = user;
  for (int64_t i = 0; i < args->count; i++)
    if ((float)args->signs[i] * args->w[i] < 0) args->w[i] = 0;
  return 0;
}
