// Max-pools of images whose channels lie innermost, which remember where each maximum was, and their gradients. oneDNN's take
// an order of magnitude longer where the channels are no multiple of its vectors.
#include <string.h>

#include "prune_training.h"
#include "prune_support.h"

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

enum { CHUNK = 64, GRAIN = 1 << 14 };

/// The part of a window inside the image: rows (or columns) from `first` to `last`, counted in the window.
static void clip(int64_t origin, int64_t kernel, int64_t extent, int64_t *first, int64_t *last) {
  *first = origin < 0 ? -origin : 0;
  *last = origin + kernel > extent ? extent - origin : kernel;
}

/// One pixel of the result. The first of equal numbers counts, and a NaN stays one.
CLONES static void pool_pixel(const ps_max_pool_args *a, const float *plane, int64_t top, int64_t left, float *y, uint8_t *place) {
  int64_t from_row, to_row, from, to;
  clip(top, a->kernel[0], a->height, &from_row, &to_row);
  clip(left, a->kernel[1], a->width, &from, &to);
  for (int64_t start = 0; start < a->channels; start += CHUNK) {
    int64_t count = a->channels - start < CHUNK ? a->channels - start : CHUNK;
    float best[CHUNK];
    int32_t at[CHUNK];
    const float *x = plane + ((top + from_row) * a->width + left + from) * a->channels + start;
    int32_t number = (int32_t)(from_row * a->kernel[1] + from);
    for (int64_t i = 0; i < count; i++) {
      best[i] = x[i];
      at[i] = number;
    }
    for (int64_t row = from_row; row < to_row; row++) {
      for (int64_t column = from; column < to; column++) {
        x = plane + ((top + row) * a->width + left + column) * a->channels + start;
        number = (int32_t)(row * a->kernel[1] + column);
        for (int64_t i = 0; i < count; i++) {
          int takes = x[i] > best[i] || x[i] != x[i];
          best[i] = takes ? x[i] : best[i];
          at[i] = takes ? number : at[i];
        }
      }
    }
    memcpy(y + start, best, (size_t)count * sizeof(float));
    for (int64_t i = 0; i < count; i++) place[start + i] = (uint8_t)at[i];
  }
}

static void pool_rows(int64_t first, int64_t last, void *user) {
  const ps_max_pool_args *a = user;
  for (int64_t row = first; row < last; row++) {
    const float *plane = a->x + row / a->rows * a->height * a->width * a->channels;
    int64_t top = row % a->rows * a->stride[0] - a->before[0];
    for (int64_t column = 0; column < a->columns; column++) {
      int64_t at = (row * a->columns + column) * a->channels;
      pool_pixel(a, plane, top, column * a->stride[1] - a->before[1], a->y + at, a->place + at);
    }
  }
}

int32_t ps_max_pool(void *user) {
  const ps_max_pool_args *a = user;
  int64_t work = a->columns * a->channels * a->kernel[0] * a->kernel[1];
  ps_parallel_for(a->planes * a->rows, GRAIN / (work > 0 ? work : 1) + 1, pool_rows, user);
  return 0;
}

CLONES static void undo_pixel(const ps_max_pool_args *a, const float *dy, const uint8_t *place, float *plane, int64_t top, int64_t left) {
  int64_t from_row, to_row, from, to;
  clip(top, a->kernel[0], a->height, &from_row, &to_row);
  clip(left, a->kernel[1], a->width, &from, &to);
  for (int64_t row = from_row; row < to_row; row++) {
    for (int64_t column = from; column < to; column++) {
      float *dx = plane + ((top + row) * a->width + left + column) * a->channels;
      int32_t number = (int32_t)(row * a->kernel[1] + column);
      for (int64_t i = 0; i < a->channels; i++) dx[i] += place[i] == number ? dy[i] : 0;
    }
  }
}

/// Windows may overlap: a plane is one thread's.
static void undo_planes(int64_t first, int64_t last, void *user) {
  const ps_max_pool_args *a = user;
  int64_t size = a->height * a->width * a->channels;
  for (int64_t index = first; index < last; index++) {
    float *plane = a->dx + index * size;
    memset(plane, 0, (size_t)size * sizeof(float));
    for (int64_t row = 0; row < a->rows; row++) {
      for (int64_t column = 0; column < a->columns; column++) {
        int64_t at = ((index * a->rows + row) * a->columns + column) * a->channels;
        undo_pixel(
            a, a->dy + at, a->place + at, plane, row * a->stride[0] - a->before[0], column * a->stride[1] - a->before[1]);
      }
    }
  }
}

int32_t ps_max_pool_grad(void *user) {
  const ps_max_pool_args *a = user;
  int64_t work = a->rows * a->columns * a->channels * a->kernel[0] * a->kernel[1];
  ps_parallel_for(a->planes, GRAIN / (work > 0 ? work : 1) + 1, undo_planes, user);
  return 0;
}
