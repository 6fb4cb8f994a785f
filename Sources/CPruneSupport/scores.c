// Accumulation of importance scores over batches.

#include <math.h>

#include "vector_math.h"
#include "prune_support.h"

struct batch {
  float *scores;
  const float *gradient, *weight;
  float share;
  int32_t kind;
};

FEW_CLONES static void add_plain(float *scores, const float *gradient, float share, int64_t count) {
  COMPACT for (int64_t i = 0; i < count; i++) scores[i] += share * gradient[i];
}

FEW_CLONES static void add_absolute(float *scores, const float *gradient, float share, int64_t count) {
  COMPACT for (int64_t i = 0; i < count; i++) scores[i] += share * fabsf(gradient[i]);
}

FEW_CLONES static void add_squares(float *scores, const float *gradient, float share, int64_t count) {
  COMPACT for (int64_t i = 0; i < count; i++) scores[i] += share * (gradient[i] * gradient[i]);
}

FEW_CLONES static void add_products(float *scores, const float *gradient, const float *weight, float share,
                                    int64_t count) {
  COMPACT for (int64_t i = 0; i < count; i++) {
    float product = gradient[i] * weight[i];
    scores[i] += share * (product * product);
  }
}

FEW_CLONES static void square_roots(float *scores, int64_t count) {
  COMPACT for (int64_t i = 0; i < count; i++) scores[i] = __builtin_elementwise_sqrt(scores[i]);
}

static void add_share(int64_t first, int64_t last, void *user) {
  const struct batch *b = user;
  float *scores = b->scores + first;
  const int64_t count = last - first;
  switch (b->kind) {
  case PS_SCORES_PLAIN: add_plain(scores, b->gradient + first, b->share, count); break;
  case PS_SCORES_ABSOLUTE: add_absolute(scores, b->gradient + first, b->share, count); break;
  case PS_SCORES_SQUARE: add_squares(scores, b->gradient + first, b->share, count); break;
  case PS_SCORES_PRODUCT: add_products(scores, b->gradient + first, b->weight + first, b->share, count); break;
  default: square_roots(scores, count); break;
  }
}

void ps_scores_add(float *scores, const float *gradient, const float *weight, float share, int64_t count,
                   int32_t kind) {
  struct batch b = {scores, gradient, weight, share, kind};
  ps_parallel_for(count, 1 << 16, add_share, &b);
}

void ps_scores_square_root(float *scores, int64_t count) {
  struct batch b = {scores, 0, 0, 0, -1};
  ps_parallel_for(count, 1 << 16, add_share, &b);
}

FEW_CLONES static void absolute(const float *weights, float *scores, int64_t count) {
  COMPACT for (int64_t i = 0; i < count; i++) scores[i] = fabsf(weights[i]);
}

FEW_CLONES static void squared(const float *weights, float *scores, int64_t count) {
  COMPACT for (int64_t i = 0; i < count; i++) scores[i] = weights[i] * weights[i];
}

static void magnitude_share(int64_t first, int64_t last, void *user) {
  const struct batch *b = user;
  (b->kind ? squared : absolute)(b->weight + first, b->scores + first, last - first);
}

void ps_scores_magnitude(const float *weights, int64_t count, int32_t squares, float *scores) {
  struct batch b = {scores, 0, weights, 0, squares};
  ps_parallel_for(count, 1 << 16, magnitude_share, &b);
}

#pragma clang fp reassociate(on)

FEW_CLONES double ps_sum(const float *values, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += (double)values[i];
  return sum;
}
