// JPEG and PNG, by libjpeg-turbo and libspng, which are opened when first used; resizing and conversion of pixels.
#ifndef PRUNE_IMAGES_H
#define PRUNE_IMAGES_H

#include <stddef.h>
#include <stdint.h>

enum { PS_IMAGE_OK = 0, PS_IMAGE_BROKEN = 1, PS_IMAGE_NO_LIBRARY = 2, PS_IMAGE_UNKNOWN = 3 };

/// Extents of an image, by its head alone. The reason of anything but PS_IMAGE_OK goes to `message`, of at least 200
/// bytes.
int ps_image_extents(const uint8_t *data, size_t size, int32_t *width, int32_t *height, char *message);
/// The pixels as 8 bits RGB, row by row, to `rgb` of 3 * width * height bytes; the extents are those of
/// ps_image_extents.
int ps_image_decode(const uint8_t *data, size_t size, int32_t width, int32_t height, uint8_t *rgb, char *message);

/// RGB to luma by ITU-R 601-2 with 16 bits of fraction, as Pillow's convert("L").
void ps_image_gray(const uint8_t *rgb, int64_t count, uint8_t *gray);

/// Taps of one axis of an antialiased bilinear (triangle) resize with 22 bits of fraction, as Pillow computes them.
/// `starts` and `counts` have `to` entries, `weights` `to` times ps_image_tap_limit.
int32_t ps_image_tap_limit(int32_t from, int32_t to);
void ps_image_taps(int32_t from, int32_t to, int32_t *starts, int32_t *counts, int32_t *weights);
/// Rows of `from` pixels to rows of `to`, by the taps.
void ps_image_resize_rows(const uint8_t *source, int32_t from, int64_t rows, int32_t channels, const int32_t *starts,
                          const int32_t *counts, const int32_t *weights, int32_t limit, int32_t to, uint8_t *target);
/// Columns of rows of `width` bytes, of which `to` come out.
void ps_image_resize_columns(const uint8_t *source, int64_t width, const int32_t *starts, const int32_t *counts,
                             const int32_t *weights, int32_t limit, int32_t to, uint8_t *target);

/// 8-bit pixels as floats through a table of 256 values a channel, the channels in reverse where `reversed`; planes or
/// pixels.
void ps_image_floats(const uint8_t *pixels, int64_t count, int32_t channels, int reversed, int planar,
                     const float *tables, float *target);
#endif
