// Convolutions with pixels in the lanes of vectors: the time is in proportion to the number of channels, at any number.
#ifndef PRUNE_PIXELS_H
#define PRUNE_PIXELS_H

#include <stdint.h>

/// A convolution of x [images, groups * inputs, height, width] to y [images, groups * outputs, rows, columns], both
/// row-major: y = min(high, max(low, leaky(x * w + bias + y))), without y where `adds` is 0.
typedef struct {
  const float *x, *weights, *bias;  // weights as ps_pixel_weights packs them; bias [groups * outputs] or NULL
  float *y;
  void *scratch;
  int64_t images, groups, inputs, outputs;  // channels of one group
  int64_t height, width, rows, columns;
  int64_t kernel[2], strides[2], dilations[2], before[2];
  int64_t workers;  // that the work is shared out among, at least 1
  int32_t adds;
  float slope, low, high;  // slope 1 for nothing
} ps_pixel_convolution_args;
int32_t ps_pixel_convolution(void *args);
/// Bytes of scratch memory, for all workers.
int64_t ps_pixel_scratch(const ps_pixel_convolution_args *args);

/// Kernels (o, i) of `taps` numbers, o * output_stride + i * input_stride kernels from the first, at any address,
/// packed for `ps_pixel_convolution`: as many numbers as there are. `is_rotated` rotates each by 180 degrees, as
/// a gradient needs them.
typedef struct {
  const void *weights;
  float *result;
  int64_t groups, inputs, outputs, taps, group_stride, output_stride, input_stride;
  int32_t is_rotated;
} ps_pixel_weights_args;
int32_t ps_pixel_weights(void *args);

#endif
