// Loops that oneDNN has no primitive for, or a slower one. Each takes a pointer to its arguments, so that a compiled
// program calls it with nothing to look up, and returns 0 or a `PS_STATUS_…`. All arrays are float unless they say
// otherwise, and do not overlap except where the output may be an input ("in place").
#ifndef PRUNE_KERNELS_H
#define PRUNE_KERNELS_H

#include <stdint.h>

#include "prune_sparse.h"

enum {
  PS_STATUS_BAD_LABEL = 1000,
  PS_STATUS_BAD_INDEX = 1001,
  PS_STATUS_DIVISION = 1002,
  PS_STATUS_BAD_LENGTH = 1003,
  PS_STATUS_MEMORY = 1004
};

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
  PS_UNARY_ERF,
  PS_UNARY_GELU,
  PS_UNARY_GELU_TANH,
  PS_UNARY_SWISH,  // x * sigmoid(alpha * x)
  PS_UNARY_HARD_SIGMOID,
  PS_UNARY_SOFTSIGN,
  PS_UNARY_SELU,
  PS_UNARY_THRESHOLD,  // 0 where not above alpha
  PS_UNARY_FLOOR,
  PS_UNARY_CEIL,
  PS_UNARY_ROUND,
  PS_UNARY_SIGN,
  PS_UNARY_AFFINE,  // alpha * x + beta
  PS_UNARY_SQUARE,
  PS_UNARY_CUBE,
  PS_UNARY_SOFTPLUS,
  PS_UNARY_LOG,
  PS_UNARY_SIN,
  PS_UNARY_COS,
  PS_UNARY_MISH,
  PS_UNARY_POWER,  // x to the power of alpha
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
/// The same on the calling thread.
void ps_unary_serial(const ps_unary_args *args);

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

enum ps_reduce_kind {
  PS_REDUCE_SUM,
  PS_REDUCE_SQUARES,
  PS_REDUCE_ABSOLUTE,
  PS_REDUCE_MAX,
  PS_REDUCE_MIN,
  PS_REDUCE_PRODUCT,
};

/// y = scale * x reduced, or the root of that; y's stride is 0 along the axes that go, x is dense, `count` is y's.
typedef struct {
  const float *x;
  float *y;
  int32_t rank, kind, takes_root;
  float scale;
  int64_t count, dims[PS_MAX_RANK], y_strides[PS_MAX_RANK];
} ps_reduce_args;
int32_t ps_reduce(void *args);

/// y = the place of the largest, or least, along the middle of [outer, extent, inner]; of equals the first, or the
/// last.
typedef struct {
  const float *x;
  int64_t *y;
  int64_t outer, extent, inner;
  int32_t is_min, takes_last;
} ps_arg_args;
int32_t ps_arg(void *args);

/// y [outer, count, inner] = sums of x [outer, extent, inner] at the `taps` positions of each place, weighted.
typedef struct {
  const float *x, *weights;
  const int32_t *positions;
  float *y;
  int64_t outer, extent, inner, count, taps;
} ps_resample_args;
int32_t ps_resample(void *args);

/// y = the rows of x, [outer, extent, inner] of `width` bytes an element of the inner axis, that `indices` names;
/// negative ones count from the end. `PS_STATUS_BAD_INDEX` when one is outside.
typedef struct {
  const void *x, *indices;
  void *y;
  int64_t outer, extent, inner, count;
  int32_t width, wide_indices;  // indices: int64 where not 0, else int32
} ps_gather_args;
int32_t ps_gather(void *args);

/// Element types, numbered as ONNX does.
enum ps_type {
  PS_FLOAT32 = 1,
  PS_UINT8 = 2,
  PS_INT8 = 3,
  PS_UINT16 = 4,
  PS_INT16 = 5,
  PS_INT32 = 6,
  PS_INT64 = 7,
  PS_BOOL = 9,
  PS_FLOAT64 = 11,
  PS_UINT32 = 12,
  PS_UINT64 = 13,
};

/// y = x as another type: floats truncate (NaN is 0) and saturate at 64 bits, integers drop their high bits, anything
/// but 0 is true.
typedef struct {
  const void *x;
  void *y;
  int64_t count;
  int32_t from, to;
} ps_cast_args;
int32_t ps_cast(void *args);
/// Whether ps_cast knows the type.
int32_t ps_casts(int32_t type);

enum ps_element_kind {
  PS_ELEMENT_EQUAL,
  PS_ELEMENT_GREATER,
  PS_ELEMENT_LESS,
  PS_ELEMENT_GREATER_EQUAL,
  PS_ELEMENT_LESS_EQUAL,
  PS_ELEMENT_AND,
  PS_ELEMENT_OR,
  PS_ELEMENT_XOR,
  PS_ELEMENT_ADD,
  PS_ELEMENT_SUB,
  PS_ELEMENT_MUL,
  PS_ELEMENT_DIV,
  PS_ELEMENT_MAX,
  PS_ELEMENT_MIN,
};

/// y = a op b with broadcasting, as ps_binary, for any type: comparisons and logic give bool, the rest (int32 and int64
/// only) wraps around. `PS_STATUS_DIVISION` for an integer divided by zero.
typedef struct {
  const void *a, *b;
  void *y;
  int32_t kind, type, rank;
  int64_t dims[PS_MAX_RANK], a_strides[PS_MAX_RANK], b_strides[PS_MAX_RANK];
} ps_element_args;
int32_t ps_element(void *args);

/// y = condition ? a : b with broadcasting, elements of `width` bytes.
typedef struct {
  const uint8_t *condition;
  const void *a, *b;
  void *y;
  int32_t width, rank;
  int64_t dims[PS_MAX_RANK], condition_strides[PS_MAX_RANK], a_strides[PS_MAX_RANK], b_strides[PS_MAX_RANK];
} ps_where_args;
int32_t ps_where(void *args);

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
/// `targets` is NULL. Rows whose label is `ignored` count nowhere; a number that is no label ignores none.
typedef struct {
  const float *logits;
  const int64_t *labels;
  const float *targets;
  float *loss, *gradient;
  int64_t rows, classes;
  float smoothing;
  int64_t ignored;
} ps_cross_entropy_args;
int32_t ps_softmax_cross_entropy(void *args);

// MARK: - Normalization
/// y = (x - mean) / deviation * scale + bias along rows, in place; without a mean: x / root mean square. Bias, mean and
/// inverse (one a row) may be NULL.
typedef struct {
  const float *x, *scale, *bias;
  float *y, *mean, *inverse;
  int64_t rows, columns;
  float epsilon;
  int32_t is_centred;
} ps_layer_norm_args;
int32_t ps_layer_norm(void *args);

/// y = x * scale + shift, a factor and a term a channel, but no less than `low`. Rows are channels of `pixels` elements
/// each, or, where `pixels` is 0, pixels of all channels each.
typedef struct {
  const float *x;
  float *y;
  const float *scale, *shift;
  int64_t rows, channels, pixels;
  float low;
} ps_channels_args;
int32_t ps_scale_channels(void *args);

/// Of channels in blocks, [images, blocks, pixels, block], those lanes of the last block become zero that hold no
/// channel: `used` of them do.
typedef struct {
  float *x;
  int64_t images, blocks, pixels, block, used;
} ps_tail_args;
int32_t ps_clear_tail(void *args);

/// Each row of x is a group: [channels, inner], normalized as one; scale and bias have one number a channel of the
/// `groups` that follow each other. In place.
typedef struct {
  const float *x, *scale, *bias;
  float *y;
  int64_t rows, groups, channels, inner;
  float epsilon;
} ps_group_norm_args;
int32_t ps_group_norm(void *args);

// MARK: - Matrix products
/// C = alpha * op(A) * op(B) + beta * C, row-major; `PS_STATUS_MEMORY` when there is none to work in. Where beta is 0,
/// C is not read. oneDNN's dnnl_sgemm is not used: it moves the stack pointer into the heap, where a signal handler
/// then writes.
int32_t ps_product(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                   int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

/// C = alpha * op(A) * op(B) for every place along `rank` outer axes, whose strides may be 0.
typedef struct {
  const float *a, *b;
  float *c;
  int64_t m, n, k, lda, ldb, ldc;
  float alpha;
  int32_t transposes_a, transposes_b, rank, status;
  int64_t dims[PS_MAX_RANK], a_strides[PS_MAX_RANK], b_strides[PS_MAX_RANK], c_strides[PS_MAX_RANK];
} ps_products_args;
int32_t ps_products(void *args);

/// y = softmax(scale * q k' + mask) v for every batch and head: q [queries, depth], k [keys, depth], v [keys, width],
/// their rows dense; strides are of batch, head and row. The mask (or NULL) repeats where a stride is 0; its last one
/// is of keys. Blocks of query rows are shared out in `shares`, each with block * (keys + 1) floats of scratch memory.
typedef struct {
  const float *q, *k, *v, *mask;
  float *y, *scratch;
  int64_t batch, heads, queries, keys, depth, width, block, shares;
  int64_t q_strides[3], k_strides[3], v_strides[3], y_strides[3], mask_strides[4];
  float scale;
  int32_t status;
} ps_attention_args;
int32_t ps_attention(void *args);

/// Columns of a packed matrix that lie together; rows beyond which a general matrix product is faster.
enum { PS_PANEL = 32, PS_PANEL_ROWS = 16 };
/// Elements of an [n, k] matrix packed by ps_pack_panels.
int64_t ps_panel_count(int64_t n, int64_t k);
/// packed = the transpose of w [n, k], PS_PANEL columns at a time, the last ones filled with zeros.
void ps_pack_panels(const float *w, int64_t n, int64_t k, float *packed);

// MARK: - Recurrent cells
/// One direction's weights.
typedef struct {
  /// [gates * hidden, width] and [gates * hidden, hidden]: for more than PS_PANEL_ROWS rows as they are, else in
  /// panels.
  const float *w, *r;
  /// The recurrence of a GRU's candidate in panels, where that is reset before the product.
  const float *candidate;
  /// [gates * hidden]: both biases, but for a candidate's recurrent one, which is apart.
  const float *bias, *candidate_bias;
  /// LSTM: input, output, forget gate, or NULL.
  const float *peephole;
  int32_t activations[3];
  float alphas[3], betas[3];
  /// In place of w, r and candidate, where they have rows: the same matrices without their zeros, [outputs, inputs], as
  /// `ps_sparse_few` reads them; w as `ps_sparse` does where it multiplies more than PS_PANEL_ROWS rows.
  ps_sparse_weights sparse_w, sparse_r, sparse_candidate;
} ps_cell;

/// RNN, GRU or LSTM (1, 3 or 4 gates) over a sequence. Positions of time and batch in x and y are given by strides;
/// `lengths` (int32, one an item), h0, c0 and any result may be NULL. `PS_STATUS_BAD_LENGTH` when one is outside.
typedef struct {
  const float *x, *h0, *c0;
  const int32_t *lengths;
  float *y, *last, *last_cell;
  /// Floats: steps * batch * gates * hidden, then batch * (gates + 3) * hidden, then what `ps_recurrent_sparse` says.
  float *scratch;
  ps_cell cells[2];
  int64_t steps, batch, width, hidden;
  int64_t y_time, y_batch, y_direction, h_batch, h_direction;
  int32_t gates, directions, is_reverse, is_batch_first, couples_forget, resets_after;
  float clip;  // 0 for none
} ps_recurrent_args;
int32_t ps_recurrent(void *args);
/// Floats of scratch memory behind the others where w has no zeros: for a sequence of `rows` rows in all.
int64_t ps_recurrent_sparse(int64_t rows, int64_t width);

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

// MARK: - Products with few columns (narrow_product.c)
enum { PS_NARROW_COLUMNS = 32 };

/// c [m, n] = min(high, max(low, a [m, k] * b + bias_scale * bias + residual)), all row-major, at most
/// PS_NARROW_COLUMNS columns. `b` is as ps_narrow_pack lays it out; bias [n] and residual [m, n], which is not c, may
/// be NULL.
typedef struct {
  const float *a, *b, *bias, *residual;
  float *c;
  int64_t m, n, k;
  float bias_scale, low, high;
} ps_narrow_product_args;
int32_t ps_narrow_product(void *args);
/// A matrix [k, n], whose numbers lie `row` and `column` apart, at any address, with rows of whole vectors of 8.
void ps_narrow_pack(const void *b, int64_t k, int64_t n, int64_t row, int64_t column, float *packed);

#endif
