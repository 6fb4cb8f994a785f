// The innermost loops of convolutions with pixels in the lanes, for one set of instructions, which the including
// file names: NAME(x), TARGET (a function attribute), LANES (numbers in a vector), EVEN (every second of two
// vectors) and SUMS (vectors that stay in registers).

typedef float NAME(vector) __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int32_t NAME(mask) __attribute__((vector_size(LANES * 4), aligned(4)));

TARGET INLINE NAME(vector) NAME(choose)(NAME(mask) which, NAME(vector) x, NAME(vector) y) {
  return (NAME(vector))(((NAME(mask))x & which) | ((NAME(mask))y & ~which));
}

/// What follows the sums.
TARGET static void NAME(finish)(int channels, int pixels, const struct tile *t, const struct place *places,
                                const NAME(vector) * sums) {
  const ps_pixel_convolution_args *a = t->args;
  const NAME(vector) zero = {0}, low = a->low + zero, high = a->high + zero;
  const float slope = a->slope;
  for (int r = 0; r < channels; r++) {
    const float bias = t->bias ? t->bias[r] : 0;
    for (int p = 0; p < pixels; p++) {
      float *y = t->y + places[p].y + r * t->plane;
      const size_t bytes = sizeof(float) * (size_t)places[p].count;
      NAME(vector) sum = *sums++ + bias;
      if (a->adds) {
        NAME(vector) before = zero;
        if (places[p].count == LANES) before = *(const NAME(vector) *)y;
        else memcpy(&before, y, bytes);
        sum += before;
      }
      if (slope != 1) sum = NAME(choose)(sum < zero, slope * sum, sum);
      sum = NAME(choose)(sum < low, low, sum);
      sum = NAME(choose)(sum > high, high, sum);
      if (places[p].count == LANES) *(NAME(vector) *)y = sum;
      else memcpy(y, &sum, bytes);
    }
  }
}

/// `channels` results of `pixels` vectors: all sums in registers.
TARGET INLINE void NAME(sum_tile)(int channels, int pixels, const struct tile *t, const struct place *places,
                                  NAME(vector) * results) {
  NAME(vector) sums[MOST_CHANNELS][MOST_PIXELS];
  const float *x[MOST_PIXELS];
  UNROLL for (int r = 0; r < channels; r++) UNROLL for (int p = 0; p < pixels; p++) sums[r][p] = (NAME(vector)){0};
  UNROLL for (int p = 0; p < pixels; p++) x[p] = places[p].x;
  const float *w = t->weights;
  const int64_t *at = t->offsets;
  for (int64_t k = t->k; k > 0; k--, w += channels, at++) {
    NAME(vector) line[MOST_PIXELS];
    UNROLL for (int p = 0; p < pixels; p++) line[p] = *(const NAME(vector) *)(x[p] + *at);
    UNROLL for (int r = 0; r < channels; r++) {
      const float factor = w[r];
      UNROLL for (int p = 0; p < pixels; p++) sums[r][p] += factor * line[p];
    }
  }
  UNROLL for (int r = 0; r < channels; r++) UNROLL for (int p = 0; p < pixels; p++) results[r * pixels + p] =
      sums[r][p];
}

#define TILE(channels, pixels) \
  case (channels)*8 + (pixels): NAME(sum_tile)(channels, pixels, t, places, results); break;

TARGET static void NAME(some)(int channels, int pixels, const struct tile *t, const struct place *places) {
  NAME(vector) results[SUMS];
  switch (channels * 8 + pixels) {
    // clang-format off
    TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(1, 4)
    TILE(2, 1) TILE(2, 2) TILE(2, 3) TILE(2, 4)
    TILE(3, 1) TILE(3, 2) TILE(3, 3)
    TILE(4, 1) TILE(4, 2)
    TILE(5, 1) TILE(5, 2)
    TILE(6, 1) TILE(6, 2)
// clang-format on
#if SUMS >= 24
        // clang-format off
    TILE(3, 4) TILE(4, 3) TILE(4, 4) TILE(5, 3) TILE(5, 4) TILE(6, 3) TILE(6, 4)
// clang-format on
#endif
  }
  NAME(finish)(channels, pixels, t, places, results);
}

#undef TILE

TARGET static void NAME(tiles)(int channels, const struct tile *t, const struct place *places, int64_t count) {
  // A register for each vector of pixels, and one or two for weights.
  const int64_t most = SUMS >= 24 || channels < 3 ? MOST_PIXELS : channels == 3 ? 3 : 2;
  // Shares as even as possible: with few vectors at a time the processor waits.
  const int64_t calls = (count + most - 1) / most;
  for (int64_t call = 0; call < calls; call++) {
    const int64_t pixels = count / calls + (call < count % calls);
    NAME(some)(channels, (int)pixels, t, places);
    places += pixels;
  }
}

/// Rows of an image with their pads, zeros beyond the image: `before` numbers before the first, `step` from row to row.
TARGET static void NAME(rows)(const float *from, int64_t width, int64_t rows, float *to, int64_t before, int64_t step) {
  const NAME(vector) zero = {0};
  const int64_t last = before + width < step ? before + width : step, count = last - before;
  for (int64_t r = 0; r < rows; r++, from += width, to += step) {
    for (int64_t k = 0; k < before; k += LANES) *(NAME(vector) *)(to + k) = zero;
    // What goes beyond the end of a row is overwritten by the next.
    for (int64_t k = last; k < step; k += LANES) *(NAME(vector) *)(to + k) = zero;
    int64_t k = 0;
    for (; k + LANES <= count; k += LANES) *(NAME(vector) *)(to + before + k) = *(const NAME(vector) *)(from + k);
    if (k == count) continue;
    if (count >= LANES) *(NAME(vector) *)(to + last - LANES) = *(const NAME(vector) *)(from + count - LANES);
    else
      for (; k < count; k++) to[before + k] = from[k];
  }
}

/// Every second number, as a number of vectors.
TARGET static void NAME(seconds)(const float *from, int64_t vectors, float *to) {
  for (int64_t k = 0; k < vectors * LANES; k += LANES) {
    const NAME(vector) first = *(const NAME(vector) *)(from + 2 * k),
                       second = *(const NAME(vector) *)(from + 2 * k + LANES);
    *(NAME(vector) *)(to + k) = __builtin_shufflevector(first, second, EVEN);
  }
}

static const struct machine NAME(machine) = {LANES, NAME(tiles), NAME(rows), NAME(seconds)};

#undef NAME
#undef TARGET
#undef LANES
#undef EVEN
#undef SUMS
