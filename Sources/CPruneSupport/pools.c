// Max-pools of images whose channels lie innermost, which remember where each maximum was, and their gradients.
// oneDNN's take an order of magnitude longer where the channels are no multiple of its vectors.
#include <string.h>

#include "prune_training.h"
#include "prune_support.h"
#include "vector_math.h"

enum { LANES = 16, GRAIN = 1 << 14 };
typedef uint8_t places16 __attribute__((vector_size(LANES), aligned(1)));

/// The part of a window inside the image: rows (or columns) from `first` to `last`, counted in the window.
static void clip(int64_t origin, int64_t kernel, int64_t extent, int64_t *first, int64_t *last) {
  *first = origin < 0 ? -origin : 0;
  *last = origin + kernel > extent ? extent - origin : kernel;
}

/// The first of the channels that step `start` works on: the last step repeats some rather than work on less than a
/// vector.
static int64_t lane(int64_t start, int64_t channels) { return start + LANES <= channels ? start : channels - LANES; }

/// One pixel of the result. The first of equal numbers counts, and a NaN stays one.
CLONES static void pool_pixel(const ps_max_pool_args *a, const float *plane, int64_t top, int64_t left, float *y,
                              uint8_t *place) {
  int64_t from_row, to_row, from, to;
  clip(top, a->kernel[0], a->height, &from_row, &to_row);
  clip(left, a->kernel[1], a->width, &from, &to);
  plane += (top * a->width + left) * a->channels;
  for (int64_t start = 0; a->channels >= LANES && start < a->channels; start += LANES) {
    int64_t channel = lane(start, a->channels);
    vector16 best = {0};
    mask16 at = {0}, none = at - 1;
    for (int64_t row = from_row; row < to_row; row++) {
      for (int64_t column = from; column < to; column++) {
        vector16 x = *(const vector16 *)(plane + (row * a->width + column) * a->channels + channel);
        mask16 takes = row == from_row && column == from ? none : (x > best) | (x != x);
        best = (vector16)(((mask16)x & takes) | ((mask16)best & ~takes));
        at = ((at - at + (int32_t)(row * a->kernel[1] + column)) & takes) | (at & ~takes);
      }
    }
    *(vector16 *)(y + channel) = best;
    *(places16 *)(place + channel) = __builtin_convertvector(at, places16);
  }
  for (int64_t i = 0; a->channels < LANES && i < a->channels; i++) {
    int first = 1;
    for (int64_t row = from_row; row < to_row; row++) {
      for (int64_t column = from; column < to; column++) {
        float x = plane[(row * a->width + column) * a->channels + i];
        if (!first && !(x > y[i] || x != x)) continue;
        y[i] = x;
        place[i] = (uint8_t)(row * a->kernel[1] + column);
        first = 0;
      }
    }
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

/// Adds to what is there, or where every element is in one window alone writes it.
CLONES static void undo_pixel(const ps_max_pool_args *a, const float *dy, const uint8_t *place, float *plane,
                              int64_t top, int64_t left, int adds) {
  int64_t from_row, to_row, from, to;
  clip(top, a->kernel[0], a->height, &from_row, &to_row);
  clip(left, a->kernel[1], a->width, &from, &to);
  for (int64_t row = from_row; row < to_row; row++) {
    for (int64_t column = from; column < to; column++) {
      float *dx = plane + ((top + row) * a->width + left + column) * a->channels;
      int32_t number = (int32_t)(row * a->kernel[1] + column);
      if (adds) {
        for (int64_t i = 0; i < a->channels; i++) dx[i] += place[i] == number ? dy[i] : 0;
        continue;
      }
      for (int64_t start = 0; start < a->channels; start += LANES) {
        int64_t channel = lane(start, a->channels);
        mask16 hits = __builtin_convertvector(*(const places16 *)(place + channel), mask16) == number;
        *(vector16 *)(dx + channel) = (vector16)((mask16) * (const vector16 *)(dy + channel) & hits);
      }
    }
  }
}

/// Windows may overlap: a plane is one thread's.
static void undo_planes(int64_t first, int64_t last, void *user) {
  const ps_max_pool_args *a = user;
  int64_t size = a->height * a->width * a->channels;
  int adds = a->channels < LANES;
  for (int axis = 0; axis < 2; axis++) {
    int64_t extent = axis == 0 ? a->height : a->width, count = axis == 0 ? a->rows : a->columns;
    adds |= a->kernel[axis] != a->stride[axis] || a->before[axis] != 0 || count * a->stride[axis] != extent;
  }
  for (int64_t index = first; index < last; index++) {
    float *plane = a->dx + index * size;
    if (adds) memset(plane, 0, (size_t)size * sizeof(float));
    for (int64_t row = 0; row < a->rows; row++) {
      for (int64_t column = 0; column < a->columns; column++) {
        int64_t at = ((index * a->rows + row) * a->columns + column) * a->channels;
        undo_pixel(a, a->dy + at, a->place + at, plane, row * a->stride[0] - a->before[0],
                   column * a->stride[1] - a->before[1], adds);
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
