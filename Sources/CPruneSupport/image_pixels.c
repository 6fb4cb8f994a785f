#include "prune_images.h"

#include "clones.h"

#include <math.h>

void ps_image_gray(const uint8_t *rgb, int64_t count, uint8_t *gray) {
  for (int64_t i = 0; i < count; i++) {
    gray[i] = (uint8_t)((rgb[3 * i] * 19595 + rgb[3 * i + 1] * 38470 + rgb[3 * i + 2] * 7471 + 0x8000) >> 16);
  }
}

// MARK: - Resizing, as Pillow's Resample.c: two passes over 8-bit pixels, sums of 22 bits of fraction, rounded between
// the passes.

enum { FRACTION = 22 };

int32_t ps_image_tap_limit(int32_t from, int32_t to) {
  double scale = (double)from / to;
  return (int32_t)ceil(scale < 1 ? 1 : scale) * 2 + 1;
}

void ps_image_taps(int32_t from, int32_t to, int32_t *starts, int32_t *counts, int32_t *weights) {
  double scale = (double)from / to, support = scale < 1 ? 1 : scale;
  int32_t limit = ps_image_tap_limit(from, to);
  for (int32_t index = 0; index < to; index++) {
    double centre = (index + 0.5) * scale, sum = 0;
    int32_t first = (int32_t)(centre - support + 0.5), end = (int32_t)(centre + support + 0.5);
    if (first < 0) first = 0;
    if (end > from) end = from;
    int32_t count = end - first < limit ? end - first : limit;
    int32_t *filter = weights + (int64_t)index * limit;
    for (int32_t tap = 0; tap < count; tap++) {
      double distance = fabs((tap + first - centre + 0.5) / support);
      sum += distance < 1 ? 1 - distance : 0;
    }
    for (int32_t tap = 0; tap < count; tap++) {
      double distance = fabs((tap + first - centre + 0.5) / support), weight = distance < 1 ? 1 - distance : 0;
      if (sum != 0) weight /= sum;
      filter[tap] = (int32_t)(0.5 + weight * (1 << FRACTION));
    }
    starts[index] = first;
    counts[index] = count;
  }
}

static inline uint8_t clipped(int32_t sum) {
  int32_t value = sum >> FRACTION;
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void resize_rows_of_3(const uint8_t *source, int32_t from, int64_t rows, const int32_t *starts,
                             const int32_t *counts, const int32_t *weights, int32_t limit, int32_t to,
                             uint8_t *target) {
  for (int64_t row = 0; row < rows; row++) {
    const uint8_t *line = source + row * from * 3;
    for (int32_t index = 0; index < to; index++) {
      const uint8_t *pixel = line + (int64_t)starts[index] * 3;
      const int32_t *filter = weights + (int64_t)index * limit;
      int32_t r = 1 << (FRACTION - 1), g = r, b = r;
      for (int32_t tap = 0; tap < counts[index]; tap++) {
        r += pixel[3 * tap] * filter[tap];
        g += pixel[3 * tap + 1] * filter[tap];
        b += pixel[3 * tap + 2] * filter[tap];
      }
      *target++ = clipped(r);
      *target++ = clipped(g);
      *target++ = clipped(b);
    }
  }
}

void ps_image_resize_rows(const uint8_t *source, int32_t from, int64_t rows, int32_t channels, const int32_t *starts,
                          const int32_t *counts, const int32_t *weights, int32_t limit, int32_t to, uint8_t *target) {
  if (channels == 3) {
    resize_rows_of_3(source, from, rows, starts, counts, weights, limit, to, target);
    return;
  }
  for (int64_t row = 0; row < rows; row++) {
    for (int32_t index = 0; index < to; index++) {
      for (int32_t channel = 0; channel < channels; channel++) {
        const uint8_t *pixel = source + (row * from + starts[index]) * channels + channel;
        int32_t sum = 1 << (FRACTION - 1);
        for (int32_t tap = 0; tap < counts[index]; tap++)
          sum += pixel[(int64_t)tap * channels] * weights[(int64_t)index * limit + tap];
        *target++ = clipped(sum);
      }
    }
  }
}

CLONES void ps_image_resize_columns(const uint8_t *source, int64_t width, const int32_t *starts, const int32_t *counts,
                                    const int32_t *weights, int32_t limit, int32_t to, uint8_t *target) {
  enum { BLOCK = 256 };
  for (int32_t index = 0; index < to; index++) {
    for (int64_t first = 0; first < width; first += BLOCK) {
      int32_t sums[BLOCK];
      int64_t count = width - first < BLOCK ? width - first : BLOCK;
      for (int64_t i = 0; i < count; i++) sums[i] = 1 << (FRACTION - 1);
      for (int32_t tap = 0; tap < counts[index]; tap++) {
        const uint8_t *line = source + (starts[index] + tap) * width + first;
        int32_t weight = weights[(int64_t)index * limit + tap];
        for (int64_t i = 0; i < count; i++) sums[i] += line[i] * weight;
      }
      uint8_t *out = target + index * width + first;
      for (int64_t i = 0; i < count; i++) out[i] = clipped(sums[i]);
    }
  }
}

void ps_image_floats(const uint8_t *pixels, int64_t count, int32_t channels, int reversed, int planar,
                     const float *tables, float *target) {
  for (int32_t channel = 0; channel < channels; channel++) {
    const float *table = tables + 256 * channel;
    const uint8_t *source = pixels + (reversed ? channels - 1 - channel : channel);
    float *out = planar ? target + channel * count : target + channel;
    int64_t step = planar ? 1 : channels;
    for (int64_t i = 0; i < count; i++) out[i * step] = table[source[i * channels]];
  }
}
