// softmax(scale * Q K' + mask) V, a block of query rows of one head at a time, so that the scores stay in the cache;
// and products of strided matrices.
#include "prune_kernels.h"
#include "prune_support.h"
#include "vector_math.h"

CLONES static void add_mask(float *scores, const float *mask, int64_t step, int64_t n) {
  if (step == 1) COMPACT for (int64_t i = 0; i < n; i++) scores[i] += mask[i];
  else COMPACT for (int64_t i = 0; i < n; i++) scores[i] += mask[i * step];
}

/// Turns a row into e^(x - max) and returns 1 / sum.
CLONES static float exponentiate(float *x, int64_t n) { return 1 / vector_exp_sum(x, vector_max(x, n), x, n); }

CLONES static void scale_row(float *y, float factor, int64_t n) {
  COMPACT for (int64_t i = 0; i < n; i++) y[i] *= factor;
}

/// A thread's share: heads times blocks of query rows.
static int32_t attend(const ps_attention_args *args, int64_t first, int64_t last, float *scores) {
  int64_t blocks = (args->queries + args->block - 1) / args->block;
  for (int64_t item = first; item < last; item++) {
    int64_t place = item / blocks, batch = place / args->heads, head = place % args->heads;
    int64_t row = item % blocks * args->block;
    int64_t rows = args->queries - row < args->block ? args->queries - row : args->block;
    const float *q = args->q + batch * args->q_strides[0] + head * args->q_strides[1] + row * args->q_strides[2];
    const float *k = args->k + batch * args->k_strides[0] + head * args->k_strides[1];
    const float *v = args->v + batch * args->v_strides[0] + head * args->v_strides[1];
    float *y = args->y + batch * args->y_strides[0] + head * args->y_strides[1] + row * args->y_strides[2];
    float *inverse = scores + args->block * args->keys;
    int32_t status = ps_product('N', 'T', rows, args->keys, args->depth, args->scale, q, args->q_strides[2], k,
                                args->k_strides[2], 0, scores, args->keys);
    if (status) return status;
    for (int64_t i = 0; i < rows; i++) {
      float *line = scores + i * args->keys;
      if (args->mask)
        add_mask(line,
                 args->mask + batch * args->mask_strides[0] + head * args->mask_strides[1] +
                     (row + i) * args->mask_strides[2],
                 args->mask_strides[3], args->keys);
      inverse[i] = exponentiate(line, args->keys);
    }
    status = ps_product('N', 'N', rows, args->width, args->keys, 1, scores, args->keys, v, args->v_strides[2], 0, y,
                        args->y_strides[2]);
    if (status) return status;
    for (int64_t i = 0; i < rows; i++) scale_row(y + i * args->y_strides[2], inverse[i], args->width);
  }
  return 0;
}

static void attention_shares(int64_t first, int64_t last, void *user) {
  ps_attention_args *args = user;
  int64_t items = args->batch * args->heads * ((args->queries + args->block - 1) / args->block);
  for (int64_t share = first; share < last; share++) {
    float *scratch = args->scratch + share * args->block * (args->keys + 1);
    int32_t status = attend(args, items * share / args->shares, items * (share + 1) / args->shares, scratch);
    if (status) args->status = status;
  }
}

int32_t ps_attention(void *user) {
  ps_attention_args *args = user;
  args->status = 0;
  ps_parallel_for(args->shares, 1, attention_shares, user);
  return args->status;
}

static void product_range(int64_t first, int64_t last, void *user) {
  ps_products_args *args = user;
  for (int64_t item = first; item < last; item++) {
    int64_t rest = item, at_a = 0, at_b = 0, at_c = 0;
    for (int32_t axis = args->rank - 1; axis >= 0; axis--) {
      int64_t index = rest % args->dims[axis];
      rest /= args->dims[axis];
      at_a += index * args->a_strides[axis];
      at_b += index * args->b_strides[axis];
      at_c += index * args->c_strides[axis];
    }
    int32_t status =
        ps_product(args->transposes_a ? 'T' : 'N', args->transposes_b ? 'T' : 'N', args->m, args->n, args->k,
                   args->alpha, args->a + at_a, args->lda, args->b + at_b, args->ldb, 0, args->c + at_c, args->ldc);
    if (status) args->status = status;
  }
}

int32_t ps_products(void *user) {
  ps_products_args *args = user;
  int64_t count = 1, work = args->m * args->n * args->k;
  for (int32_t axis = 0; axis < args->rank; axis++) count *= args->dims[axis];
  args->status = 0;
  // Few big products are shared out within each, many small ones among the threads.
  int64_t grain = 1 + (1 << 17) / (work > 0 ? work : 1);
  if (count < 4 && work > 1 << 20) product_range(0, count, user);
  else ps_parallel_for(count, grain, product_range, user);
  return args->status;
}
