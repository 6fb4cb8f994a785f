// Convolutions by the Winograd transform: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
#ifndef PRUNE_WINOGRAD_H
#define PRUNE_WINOGRAD_H

#include <stdint.h>

enum { PS_WINOGRAD_SIDE = 8 };

/// Transformed kernels, as `ps_winograd` reads them. Kernel (o, i) of side * side numbers, at most
/// PS_WINOGRAD_SIDE a side, begins at o * output_stride + i * input_stride kernels, at any address. Windows have taps *
/// taps pixels: the kernel's, rotated by 180 degrees for a gradient, or of folded images those of pixels
/// in fours, 4 * i + 2 * (row % 2) + column % 2 being an input.
typedef struct {
  const void *weights;
  float *result;
  int64_t outputs, inputs, output_stride, input_stride, side, taps;
  int32_t is_rotated, is_folded;
} ps_winograd_weights_args;
int64_t ps_winograd_weight_count(int64_t outputs, int64_t inputs);
int32_t ps_winograd_weights(void *args);

/// x [images, channels, height, width], at most four channels, to y [images, rows, columns, 16]: the pixels 2 r - shift
/// and 2 r - shift + 1 of each axis are one, with zeros where there is none.
typedef struct {
  const float *x;
  float *y;
  int64_t images, channels, height, width, rows, columns, shift[2];
} ps_fold_args;
int32_t ps_fold(void *args);

/// A convolution of windows of 3x3 or 4x4 one step apart by F(4x4, 3x3) or F(3x3, 4x4): x
/// [images][inputs][height][width][16] to y [images][outputs][rows][columns][16], channels in blocks of sixteen.
/// y = min(high, max(low, leaky(x * w + bias + y))), without y where `adds` is 0. Needs AVX-512.
typedef struct {
  const float *x, *weights, *bias;  // bias [16 * outputs] or NULL
  float *y, *scratch;
  int64_t images, inputs, outputs, height, width, rows, columns, before[2];
  int64_t step, lanes;      // results a side of a tile: 4 or 3; 16, or how many channels the only block of inputs has
  int64_t parts, workers;   // that the tiles come in; that work on them at a time
  int32_t adds, innermost;  // whether the channels of y lie innermost: [images][rows][columns][16 * outputs]
  float slope, low, high;   // slope 1 for nothing
} ps_winograd_args;
int64_t ps_winograd_tiles(const ps_winograd_args *args);
/// Numbers of scratch for each worker.
int64_t ps_winograd_scratch(const ps_winograd_args *args);
int32_t ps_winograd(void *args);

/// The gradient of such a convolution with windows of 3x3: of its weights, [outputs, inputs, 3, 3] channels, and sums
/// of `y`, which is the gradient of its results.
typedef struct {
  ps_winograd_args convolution;
  float *dw, *db;  // db may be NULL
  int64_t outputs, inputs;
} ps_winograd_gradient_args;
/// Numbers of scratch for each worker.
int64_t ps_winograd_gradient_scratch(const ps_winograd_args *args);
int32_t ps_winograd_gradient(void *args);

#endif
