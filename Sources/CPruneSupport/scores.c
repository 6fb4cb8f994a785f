// Accumulation of importance scores over batches.

#include <math.h>

#include "prune_support.h"

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

struct batch {
  float *scores;
  const float *gradient, *weight;
  float share;
};

CLONES static void add_absolute(float *scores, const float *gradient, float share, int64_t count) {
  for (int64_t i = 0; i < count; i++) scores[i] += share * fabsf(gradient[i]);
}

CLONES static void add_products(
    float *scores, const float *gradient, const float *weight, float share, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    float product = gradient[i] * weight[i];
    scores[i] += share * (product * product);
  }
}

CLONES static void square_roots(float *scores, int64_t count) {
  for (int64_t i = 0; i < count; i++) scores[i] = sqrtf(scores[i]);
}

static void add_share(int64_t first, int64_t last, void *user) {
  const struct batch *b = user;
  if (!b->gradient) {
    square_roots(b->scores + first, last - first);
  } else if (b->weight) {
    add_products(b->scores + first, b->gradient + first, b->weight + first, b->share, last - first);
  } else {
    add_absolute(b->scores + first, b->gradient + first, b->share, last - first);
  }
}

void ps_scores_add(float *scores, const float *gradient, const float *weight, float share, int64_t count) {
  struct batch b = {scores, gradient, weight, share};
  ps_parallel_for(count, 1 << 16, add_share, &b);
}

void ps_scores_square_root(float *scores, int64_t count) {
  struct batch b = {scores, NULL, NULL, 0};
  ps_parallel_for(count, 1 << 16, add_share, &b);
}
