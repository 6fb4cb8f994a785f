#ifndef PRUNE_SPARSE_H
#define PRUNE_SPARSE_H

#include <stdint.h>

// Products with constant weights that are mostly zeros. Only the others are stored and multiplied.

/// A weight matrix without its zeros: row r has values[starts[r] .. starts[r + 1]], each with the number of its tap:
/// the position along the row, `[channel, kernel row, kernel column]` of a convolution. Row r makes output order[r];
/// rows of a group of `group_rows` lie together, and PS_SPARSE_CHUNK outputs after the other; among these, rows with as
/// many values follow each other.
enum { PS_SPARSE_CHUNK = 128 };
typedef struct {
  const float *values;
  const uint16_t *taps;
  const uint32_t *starts, *order;
  int64_t rows, group_rows;
  /// For `ps_sparse_vectors`, in place of taps: a bit for each of `columns` weights of a row, those that are stored set,
  /// rows of whole words of PS_SPARSE_WORD bits; then PS_SPARSE_BEHIND numbers follow the values, and all are finite.
  const uint8_t *bits;
  int64_t columns;
  /// PS_SPARSE_TOGETHER where so many rows have weights in the same places, as blocks leave them: then starts, order and
  /// cuts count groups of so many rows, and each tap has a value for every row of its group. Rows and group_rows are
  /// multiples of it.
  int64_t together;
} ps_sparse_weights;
enum { PS_SPARSE_WORD = 64, PS_SPARSE_BEHIND = 16, PS_SPARSE_TOGETHER = 4 };

enum ps_sparse_target {
  /// A row's results lie together.
  PS_SPARSE_PLANES,
  /// As above, but of each `pitch` places only `columns` are results: what lies between was computed from pads.
  PS_SPARSE_IMAGES,
  /// The results of all rows for one place lie together.
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
  /// Taps of a channel of a convolution, how far beyond a tile's last place they reach, and from channel to channel.
  int64_t window, reach, channel;
  /// Rows are made in `blocks` steps, each of as many taps as `ps_sparse_block` says: so what is read stays in the first
  /// cache. cuts[(b - 1) * rows + r] is where block b of row r begins, for all blocks but the first.
  int64_t blocks;
  const uint32_t *cuts;
} ps_sparse_args;
int32_t ps_sparse(void *args);
/// Taps of a block, for weights of which `nonzeros` are stored; `taps` and more for one block.
int64_t ps_sparse_block(const ps_sparse_args *args, int64_t taps, int64_t nonzeros);
int64_t ps_sparse_scratch(const ps_sparse_args *args);
/// The same for `images` vectors, `x_image` and `y_image` apart, times the matrix: taps are positions in a vector, and
/// rows make outputs in their order, which lie together.
int32_t ps_sparse_vectors(void *args);
/// y [count, rows] = x [count, columns] * weights: the same on this thread, with nothing done to the sums.
void ps_sparse_few(const ps_sparse_weights *weights, const float *x, int64_t x_row, int64_t count, float *y,
                   int64_t y_row, int64_t lanes);
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

/// A depthwise convolution of row-major x [images, channels, height, width] to y [images, channels * multiplier, rows,
/// columns]: y = f(weights * x + bias), where weights [channels * multiplier, kernel rows, kernel columns] are all used.
typedef struct {
  const float *x, *weights, *bias;
  float *y, *scratch;
  int64_t images, channels, multiplier, height, width, rows, columns;
  int64_t kernel[2], steps[2], dilations[2], before[2];
  /// Phases of a padded image, as above, and from row to row of one: at least as many as a row of results reaches.
  int64_t phases[2], pitch;
  /// As in `ps_sparse_args`.
  float slope, low, high;
  int32_t function;
  float alpha, beta;
  int64_t threads, lanes;
} ps_sparse_plane_args;
int32_t ps_sparse_planes(void *args);
/// Numbers of scratch memory, for all threads.
int64_t ps_sparse_plane_scratch(const ps_sparse_plane_args *args);

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
