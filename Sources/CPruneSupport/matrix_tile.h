// The innermost loops of a matrix product for one set of instructions, which the including file names: NAME(x),
// TARGET (a function attribute), LANES (numbers in a vector), ROWS and VECTORS (the largest tile whose sums fit the
// registers).

typedef float NAME(vector) __attribute__((vector_size(LANES * 4), aligned(4)));

TARGET INLINE void NAME(sum_tile)(int rows, int vectors, const struct tile *tile) {
  NAME(vector) sums[ROWS][WIDE];
  UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vectors; j++) sums[i][j] = (NAME(vector)){0};
  // Lines of c are far apart: no hardware fetches them ahead.
  if (tile->beta != 0) UNROLL for (int i = 0; i < rows; i++) {
      UNROLL for (int j = 0; j < vectors * LANES; j += 16) __builtin_prefetch(tile->c + i * tile->c_row + j, 1);
      __builtin_prefetch(tile->c + i * tile->c_row + vectors * LANES - 1, 1);
    }
  const float *a = tile->a, *b = tile->b;
  int64_t row = tile->a_row, a_step = tile->a_step, b_step = tile->b_step;
  for (int64_t p = tile->k; p > 0; p--, a += a_step, b += b_step) {
    NAME(vector) line[WIDE];
    UNROLL for (int j = 0; j < vectors; j++) line[j] = *(const NAME(vector) *)(b + j * LANES);
    UNROLL for (int i = 0; i < rows; i++) {
      float factor = a[i * row];
      UNROLL for (int j = 0; j < vectors; j++) sums[i][j] += factor * line[j];
    }
  }
  UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vectors; j++) {
    NAME(vector) *c = (NAME(vector) *)(tile->c + i * tile->c_row + j * LANES), sum = sums[i][j];
    if (tile->alpha != 1) sum *= tile->alpha;
    if (tile->beta == 1) sum += *c;
    else if (tile->beta != 0) sum += tile->beta * *c;
    *c = sum;
  }
}

#define TILE(rows, vectors)              \
  case (rows)*16 + (vectors):            \
    NAME(sum_tile)(rows, vectors, tile); \
    break;
#if VECTORS == 3
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
#else
#define TILES(rows) TILE(rows, 1) TILE(rows, 2)
#endif

TARGET static void NAME(tile)(int rows, int vectors, const struct tile *tile) {
  switch (rows * 16 + vectors) {
    TILES(1)
    TILES(2)
    // For products of one or two rows.
    TILE(1, 4)
    TILE(1, 8)
    TILE(2, 4)
    TILES(3)
    TILES(4)
#if ROWS > 4
    TILES(5)
    TILES(6)
#endif
#if ROWS > 6
    TILES(7)
    TILES(8)
#endif
  }
}

#undef TILE
#undef TILES

/// Rows of b, four at a time, times one to NARROW rows of a, all along k.
TARGET INLINE void NAME(sum_dots)(int rows, const struct dots *dots) {
  for (int64_t first = 0; first < dots->n; first += 4) {
    const float *b[4];
    // The last row again where there are no more.
    UNROLL for (int j = 0; j < 4; j++) b[j] = dots->b + (first + j < dots->n ? first + j : dots->n - 1) * dots->b_row;
    NAME(vector) sums[NARROW][4];
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < 4; j++) sums[i][j] = (NAME(vector)){0};
    int64_t p = 0;
    for (; p + LANES <= dots->k; p += LANES) UNROLL for (int j = 0; j < 4; j++) {
        NAME(vector) line = *(const NAME(vector) *)(b[j] + p);
        UNROLL for (int i = 0; i < rows; i++) sums[i][j] +=
            *(const NAME(vector) *)(dots->a + i * dots->a_row + p) * line;
      }
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < 4; j++) {
      if (first + j >= dots->n) break;
      float lanes[LANES], sum = 0;
      memcpy(lanes, &sums[i][j], sizeof lanes);
      for (int width = LANES / 2; width > 0; width /= 2)
        for (int lane = 0; lane < width; lane++) lanes[lane] += lanes[lane + width];
      for (int64_t rest = p; rest < dots->k; rest++) sum += dots->a[i * dots->a_row + rest] * b[j][rest];
      float *c = dots->c + i * dots->c_row + (first + j) * dots->c_column;
      sum = (lanes[0] + sum) * dots->alpha;
      *c = dots->beta == 0 ? sum : sum + dots->beta * *c;
    }
  }
}

TARGET static void NAME(dots)(int rows, const struct dots *dots) {
  switch (rows) {
  case 1: NAME(sum_dots)(1, dots); break;
  case 2: NAME(sum_dots)(2, dots); break;
  default: NAME(sum_dots)(3, dots);
  }
}

/// to[p * step + j] = from[j * row + p] for 8 rows j and k places p.
TARGET static void NAME(turn)(const float *from, int64_t row, int64_t k, float *to, int64_t step) {
  int64_t p = 0;
  for (; p + 8 <= k; p += 8) {
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
  for (; p < k; p++)
    for (int j = 0; j < 8; j++) to[p * step + j] = from[j * row + p];
}

static const struct machine NAME(machine) = {ROWS, LANES, LANES *VECTORS, NAME(tile), NAME(dots), NAME(turn)};

#undef NAME
#undef TARGET
#undef LANES
#undef ROWS
#undef VECTORS
