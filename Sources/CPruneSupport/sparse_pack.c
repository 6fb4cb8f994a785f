// Inputs of products with sparse weights, laid out so that every tap of a tile is vectors of neighbouring numbers.
#include <string.h>

#include "prune_sparse.h"
#include "prune_support.h"

#define UNROLL _Pragma("clang loop unroll(full)")

enum { GRAIN = 1 << 14 };

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/// The first index i with i * step + phase >= before: what comes earlier is padding.
static int64_t first_inside(int64_t before, int64_t phase, int64_t step) {
  return before > phase ? (before - phase + step - 1) / step : 0;
}

static void pad_channels(int64_t first, int64_t last, void *user) {
  const ps_sparse_pad_args *a = user;
  for (int64_t index = first; index < last; index++) {
    const int64_t image = index / a->channels, channel = index % a->channels;
    const float *x = a->x + index * a->height * a->width;
    float *y = a->y + image * a->y_image + channel * a->y_channel;
    memset(y, 0, (size_t)a->y_channel * sizeof(float));
    for (int64_t i = 0; i < a->phases[0]; i++) {
      for (int64_t j = 0; j < a->phases[1]; j++, y += a->rows * a->pitch) {
        const int64_t top = first_inside(a->before[0], i, a->steps[0]),
                      left = first_inside(a->before[1], j, a->steps[1]);
        const int64_t start = left * a->steps[1] + j - a->before[1];
        // Behind the last column of a row, zeros are those before the next row too.
        const int64_t room = a->steps[1] == 1 ? a->width : a->pitch - left;
        const int64_t count = start >= a->width ? 0 : least((a->width - start + a->steps[1] - 1) / a->steps[1], room);
        for (int64_t row = top; row < a->rows; row++) {
          const int64_t source = row * a->steps[0] + i - a->before[0];
          if (source >= a->height) break;
          const float *from = x + source * a->width + start;
          float *to = y + row * a->pitch + left;
          if (a->steps[1] == 1) memcpy(to, from, (size_t)count * sizeof(float));
          else if (a->steps[1] == 2)
            for (int64_t c = 0; c < count; c++) to[c] = from[2 * c];
          else
            for (int64_t c = 0; c < count; c++) to[c] = from[c * a->steps[1]];
        }
      }
    }
  }
}

int32_t ps_sparse_pad(void *user) {
  const ps_sparse_pad_args *a = user;
  const int64_t size = a->y_channel > 0 ? a->y_channel : 1;
  ps_parallel_for(a->images * a->channels, GRAIN / size + 1, pad_channels, user);
  return 0;
}

typedef float eight __attribute__((vector_size(32), aligned(4)));

#ifdef __x86_64__
__attribute__((target("avx2")))
#endif
static void
turn_vectors(const float *from, int64_t row, int64_t count, float *to, int64_t step) {
  for (int64_t p = 0; p < count; p += 8) {
    eight r[8], s[8];
    UNROLL for (int j = 0; j < 8; j++) r[j] = *(const eight *)(from + j * row + p);
    UNROLL for (int j = 0; j < 8; j += 2) {
      s[j] = __builtin_shufflevector(r[j], r[j + 1], 0, 8, 1, 9, 4, 12, 5, 13);
      s[j + 1] = __builtin_shufflevector(r[j], r[j + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    UNROLL for (int j = 0; j < 8; j += 4) UNROLL for (int i = 0; i < 2; i++) {
      r[j + 2 * i] = __builtin_shufflevector(s[j + i], s[j + i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      r[j + 2 * i + 1] = __builtin_shufflevector(s[j + i], s[j + i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    UNROLL for (int j = 0; j < 4; j++) {
      *(eight *)(to + (p + j) * step) = __builtin_shufflevector(r[j], r[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
      *(eight *)(to + (p + j + 4) * step) = __builtin_shufflevector(r[j], r[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
  }
}

void ps_sparse_turn(const float *from, int64_t row, int64_t rows, int64_t count, float *to, int64_t step) {
  int64_t r = 0, whole = 0;
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2")) whole = count / 8 * 8;
#endif
  if (whole > 0) {
    for (; r + 8 <= rows; r += 8) turn_vectors(from + r * row, row, whole, to + r, step);
  }
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t p = i < r ? whole : 0; p < count; p++) to[p * step + i] = from[i * row + p];
  }
}

struct turning {
  const ps_sparse_transpose_args *args;
  int64_t width;
};

static void turn_columns(int64_t first, int64_t last, void *user) {
  const struct turning *t = user;
  const ps_sparse_transpose_args *a = t->args;
  for (int64_t index = first; index < last; index++) {
    const int64_t column = index * t->width, count = least(t->width, a->columns - column);
    float *y = a->y + column * a->y_row;
    ps_sparse_turn(a->x + column, a->x_row, a->rows, count, y, a->y_row);
    for (int64_t c = 0; c < count; c++)
      memset(y + c * a->y_row + a->rows, 0, (size_t)(a->y_row - a->rows) * sizeof(float));
  }
}

int32_t ps_sparse_transpose(void *user) {
  const ps_sparse_transpose_args *a = user;
  struct turning turning = {a, 64};
  ps_parallel_for((a->columns + 63) / 64, GRAIN / 64 / (a->y_row > 0 ? a->y_row : 1) + 1, turn_columns, &turning);
  return 0;
}
