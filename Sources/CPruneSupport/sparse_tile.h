// The innermost loops of a product with sparse weights for one set of instructions, which whoever includes this file
// names: NAME(x), TARGET (a function attribute) and LANES (numbers in a vector). LOAD_PART and STORE_PART move the
// first `count` of them; LIMITED(x, low, high) leaves NaN as it is.

typedef float NAME(vector) __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int32_t NAME(mask) __attribute__((vector_size(LANES * 4), aligned(4)));

TARGET INLINE NAME(vector) NAME(choose)(NAME(mask) which, NAME(vector) x, NAME(vector) y) {
  return (NAME(vector))(((NAME(mask))x & which) | ((NAME(mask))y & ~which));
}

/// The rows of `tile`, whose places fill `vectors` vectors, the last one in part or whole.
TARGET INLINE void NAME(sum_rows)(int vectors, int is_part, const struct tile *tile) {
  const int32_t *offsets = tile->offsets;
  const float *x = tile->x;
  // Few sums are too few to keep both multipliers busy: each is then made in two parts.
  enum { PARTS = 2 };
  const int parts = vectors <= 4 ? PARTS : 1;
  const NAME(vector) zero = {0}, slope = tile->slope + zero, low = tile->low + zero, high = tile->high + zero;
  const int part = (int)tile->part;
  for (int64_t r = tile->first; r < tile->last; r++) {
    const int64_t row = tile->order[r];
    const uint32_t end = tile->ends[r];
    uint32_t p = tile->begins[r];
    float *y = tile->y + row * tile->y_row;
    NAME(vector) sums[PARTS][MOST];
    // Sums begin with what is added, which may lie where they are written, or go on.
    const float *before = tile->starts ? tile->residual ? tile->residual + row * tile->y_row : NULL : y;
    const float bias = tile->starts && tile->bias ? tile->bias[row] : 0;
    UNROLL for (int v = 0; v < vectors; v++) sums[0][v] = bias + zero;
    if (before) {
      UNROLL for (int v = 0; v < vectors; v++) {
        const int cut = is_part && v == vectors - 1;
        sums[0][v] += cut ? LOAD_PART(before + v * LANES, part) : *(const NAME(vector) *)(before + v * LANES);
      }
    }
    if (parts == 2) {
      UNROLL for (int v = 0; v < vectors; v++) sums[1][v] = zero;
      ROLLED for (; p + 1 < end; p += 2) {
        const float value = tile->values[p], next = tile->values[p + 1];
        const float *from = x + offsets[tile->taps[p]], *other = x + offsets[tile->taps[p + 1]];
        UNROLL for (int v = 0; v < vectors; v++) {
          const int cut = is_part && v == vectors - 1;
          sums[0][v] += value * (cut ? LOAD_PART(from + v * LANES, part) : *(const NAME(vector) *)(from + v * LANES));
          sums[1][v] += next * (cut ? LOAD_PART(other + v * LANES, part) : *(const NAME(vector) *)(other + v * LANES));
        }
      }
      UNROLL for (int v = 0; v < vectors; v++) sums[0][v] += sums[1][v];
    }
    ROLLED for (; p < end; p++) {
      const float value = tile->values[p];
      const float *from = x + offsets[tile->taps[p]];
      UNROLL for (int v = 0; v < vectors; v++) {
        const int cut = is_part && v == vectors - 1;
        sums[0][v] += value * (cut ? LOAD_PART(from + v * LANES, part) : *(const NAME(vector) *)(from + v * LANES));
      }
    }
    if (tile->finishes) {
      UNROLL for (int v = 0; v < vectors; v++) {
        NAME(vector) sum = sums[0][v];
        if (tile->slope != 1) sum = NAME(choose)(sum < 0, slope * sum, sum);
        sums[0][v] = LIMITED(sum, low, high);
      }
    }
    UNROLL for (int v = 0; v < vectors; v++) {
      if (is_part && v == vectors - 1) STORE_PART(y + v * LANES, part, sums[0][v]);
      else *(NAME(vector) *)(y + v * LANES) = sums[0][v];
    }
  }
}

/// The same for TOGETHER rows at a time that have weights in the same places: what is read serves all of them.
TARGET INLINE void NAME(sum_together)(int vectors, int is_part, const struct tile *tile) {
  const int32_t *offsets = tile->offsets;
  const float *x = tile->x;
  const NAME(vector) zero = {0}, slope = tile->slope + zero, low = tile->low + zero, high = tile->high + zero;
  const int part = (int)tile->part;
  for (int64_t r = tile->first; r < tile->last; r += TOGETHER) {
    const int64_t group = r / TOGETHER, row = (int64_t)tile->order[group] * TOGETHER;
    const uint32_t end = tile->ends[group];
    float *y = tile->y + row * tile->y_row;
    const float *before = tile->starts ? tile->residual ? tile->residual + row * tile->y_row : NULL : y;
    NAME(vector) sums[TOGETHER][MOST_TOGETHER];
    UNROLL for (int i = 0; i < TOGETHER; i++) {
      const NAME(vector) bias = (tile->starts && tile->bias ? tile->bias[row + i] : 0) + zero;
      UNROLL for (int v = 0; v < vectors; v++) sums[i][v] = bias;
    }
    if (before) {
      UNROLL for (int i = 0; i < TOGETHER; i++) UNROLL for (int v = 0; v < vectors; v++) {
        const float *from = before + i * tile->y_row + v * LANES;
        sums[i][v] += is_part && v == vectors - 1 ? LOAD_PART(from, part) : *(const NAME(vector) *)from;
      }
    }
    ROLLED for (uint32_t p = tile->begins[group]; p < end; p++) {
      const float *from = x + offsets[tile->taps[p]], *values = tile->values + (size_t)p * TOGETHER;
      NAME(vector) inputs[MOST_TOGETHER];
      UNROLL for (int v = 0; v < vectors; v++) {
        const int cut = is_part && v == vectors - 1;
        inputs[v] = cut ? LOAD_PART(from + v * LANES, part) : *(const NAME(vector) *)(from + v * LANES);
      }
      UNROLL for (int i = 0; i < TOGETHER; i++) {
        const float value = values[i];
        UNROLL for (int v = 0; v < vectors; v++) sums[i][v] += value * inputs[v];
        KEEP_ORDER;
      }
    }
    UNROLL for (int i = 0; i < TOGETHER; i++) UNROLL for (int v = 0; v < vectors; v++) {
      NAME(vector) sum = sums[i][v];
      if (tile->finishes) {
        if (tile->slope != 1) sum = NAME(choose)(sum < 0, slope * sum, sum);
        sum = LIMITED(sum, low, high);
      }
      float *to = y + i * tile->y_row + v * LANES;
      if (is_part && v == vectors - 1) STORE_PART(to, part, sum);
      else *(NAME(vector) *)to = sum;
    }
  }
}

#define TILE(vectors)                                                                                    \
  TARGET static void NAME(rows_##vectors)(const struct tile *tile) { NAME(sum_rows)(vectors, 0, tile); } \
  TARGET static void NAME(part_##vectors)(const struct tile *tile) { NAME(sum_rows)(vectors, 1, tile); }
// clang-format off
TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
// clang-format on
#undef TILE
#define TILE(vectors)                                                                                            \
  TARGET static void NAME(together_##vectors)(const struct tile *tile) { NAME(sum_together)(vectors, 0, tile); } \
  TARGET static void NAME(together_part_##vectors)(const struct tile *tile) { NAME(sum_together)(vectors, 1, tile); }
    // clang-format off
TILE(1) TILE(2) TILE(3)
#if LANES == 16
TILE(4) TILE(5) TILE(6)
#endif
// clang-format on
#undef TILE

#define LIST(kind)                                                                                                  \
  {                                                                                                                 \
    NAME(kind##_1), NAME(kind##_2), NAME(kind##_3), NAME(kind##_4), NAME(kind##_5), NAME(kind##_6), NAME(kind##_7), \
        NAME(kind##_8), NAME(kind##_9), NAME(kind##_10), NAME(kind##_11), NAME(kind##_12)                           \
  }

    /// `n` numbers of a row, finished.
    TARGET
    static void NAME(finish)(const struct tile *tile, const float *from, const float *residual, float *y, int64_t n) {
  const NAME(vector) zero = {0}, slope = tile->slope + zero, low = tile->low + zero, high = tile->high + zero;
  for (int64_t i = 0; i < n; i += LANES) {
    const int part = (int)(n - i < LANES ? n - i : LANES);
    NAME(vector) sum = part == LANES ? *(const NAME(vector) *)(from + i) : LOAD_PART(from + i, part);
    if (residual) sum += part == LANES ? *(const NAME(vector) *)(residual + i) : LOAD_PART(residual + i, part);
    if (tile->slope != 1) sum = NAME(choose)(sum < 0, slope * sum, sum);
    sum = LIMITED(sum, low, high);
    if (part == LANES) *(NAME(vector) *)(y + i) = sum;
    else STORE_PART(y + i, part, sum);
  }
}

#if LANES == 16
#define SHORT(kind) \
  { NAME(kind##_1), NAME(kind##_2), NAME(kind##_3), NAME(kind##_4), NAME(kind##_5), NAME(kind##_6) }
#else
#define SHORT(kind) \
  { NAME(kind##_1), NAME(kind##_2), NAME(kind##_3) }
#endif

static const struct machine NAME(machine) = {LANES,           LANES == 16 ? 6 : 3,  LIST(rows),  LIST(part),
                                             SHORT(together), SHORT(together_part), NAME(finish)};

#undef LIST
#undef SHORT
#undef NAME
#undef TARGET
#undef LANES
#undef LOAD_PART
#undef STORE_PART
#undef LIMITED
