#ifndef PRUNE_SPARSE_H
#define PRUNE_SPARSE_H

#include <stdint.h>

// Products with constant weights that are mostly zeros. Only the others are stored and multiplied.

/// A weight matrix without its zeros: row r has values[starts[r] .. starts[r + 1]], each with the number of its tap:
/// the position along the row, `[channel, kernel row, kernel column]` of a convolution. Row r makes output order[r];
/// rows of a group of `group_rows` lie together, those with as many values one after the other.
typedef struct {
  const float *values;
  const uint16_t *taps;
  const uint32_t *starts, *order;
  int64_t rows, group_rows;
} ps_sparse_weights;

enum ps_sparse_target {
  /// A row's results lie together.
  PS_SPARSE_PLANES,
  /// As above, but of each `pitch` places only `columns` are results: what lies between was computed from pads.
  PS_SPARSE_IMAGES,
  /// The results of all rows for one place lie together; rows make outputs in their order.
  PS_SPARSE_PLACES,
};

/// y = f(weights * x + bias + residual): places lie in the lanes of vectors. The input of tap t of place p is
/// x[image * x_image + group * x_group + offsets[t] + p].
typedef struct {
  ps_sparse_weights weights;
  const float *x;
  const int32_t *offsets;
  /// One number a row; NULL for none.
  const float *bias;
  /// Like y; NULL for none, and y itself is allowed.
  const float *residual;
  float *y;
  /// Memory for `ps_sparse_scratch` numbers.
  float *scratch;
  int64_t images, x_image, x_group, y_image;
  /// Places that are computed, pads between rows of an image included; all may be read beyond by a vector when
  /// `is_padded`.
  int64_t places;
  /// How far apart results are from row to row, and from place to place with PS_SPARSE_PLACES.
  int64_t y_row, y_place;
  int64_t pitch, columns;
  int32_t target, is_padded;
  /// Results are multiplied by slope where negative, then limited; or a function of `ps_unary_kind` is applied to them.
  float slope, low, high;
  int32_t function;
  float alpha, beta;
  /// Vectors of places that are computed at a time, at most; 0 leaves the choice to the kernel.
  int64_t vectors;
  int64_t threads;
  /// Numbers in a vector: 4, 8 or 16, where this machine has them; the most it has otherwise.
  int64_t lanes;
} ps_sparse_args;
int32_t ps_sparse(void *args);
int64_t ps_sparse_scratch(const ps_sparse_args *args);
/// The same for `images` vectors, `x_image` and `y_image` apart, times the matrix: taps are positions in a vector, and
/// rows make outputs in their order, which lie together.
int32_t ps_sparse_vectors(void *args);
/// y = f(sums + residual) for `count` numbers that lie together.
void ps_sparse_finish(const ps_sparse_args *args, const float *sums, const float *residual, float *y, int64_t count);
/// Numbers in a vector here.
int64_t ps_sparse_lanes(void);

/// Images [images, channels, height, width] with zeros around them, each row and column of `steps` apart from the
/// others: y [images, channels, phases, rows, pitch], where phase (i, j) has rows i, i + steps[0], ... of the padded
/// image.
typedef struct {
  const float *x;
  float *y;
  int64_t images, channels, height, width;
  int64_t before[2], steps[2], phases[2], rows, pitch;
  /// From channel to channel of y, and from image to image.
  int64_t y_channel, y_image;
} ps_sparse_pad_args;
int32_t ps_sparse_pad(void *args);

/// y [columns, y_row] is the transpose of x [rows, columns], `x_row` apart, with zeros behind.
typedef struct {
  const float *x;
  float *y;
  int64_t rows, columns, x_row, y_row;
} ps_sparse_transpose_args;
int32_t ps_sparse_transpose(void *args);
/// to[p * step + r] = from[r * row + p].
void ps_sparse_turn(const float *from, int64_t row, int64_t rows, int64_t count, float *to, int64_t step);

#endif
