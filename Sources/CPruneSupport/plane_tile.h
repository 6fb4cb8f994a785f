// The innermost loops of a depthwise convolution of row-major images for one set of instructions, which whoever includes
// this file names: NAME(x), TARGET (a function attribute), LANES (numbers in a vector) and EVEN (the even lanes of two).
// STORE_PART writes the first `count` of them; LIMITED(x, low, high) leaves NaN as it is.

typedef float NAME(vector) __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int32_t NAME(mask) __attribute__((vector_size(LANES * 4), aligned(4)));

/// Zeros from one place to another, and up to a vector behind.
TARGET INLINE void NAME(zero)(float *to, int64_t first, int64_t last) {
  for (; first < last; first += LANES) *(NAME(vector) *)(to + first) = (NAME(vector)){0};
}

/// Rows of an image, `step` numbers apart, to those of a band: `left` zeros, `count` numbers, of which vectors may be
/// read up to `room`, and zeros. Up to a vector behind each is written, which the next row writes over.
TARGET static void NAME(copy)(const struct rows *rows, struct phase phase, float *to) {
  const float *from = rows->from + phase.start;
  int64_t room = rows->room - phase.start;
  for (int64_t r = 0; r < rows->count; r++, from += rows->step, to += rows->pitch, room -= rows->step) {
    NAME(zero)(to, 0, phase.left);
    int64_t i = 0;
    for (; i < phase.count && i + LANES <= room; i += LANES)
      *(NAME(vector) *)(to + phase.left + i) = *(const NAME(vector) *)(from + i);
    ROLLED for (; i < phase.count; i++) to[phase.left + i] = from[i];
    NAME(zero)(to, phase.left + phase.count, rows->pitch);
  }
}

/// Every second number of rows from the first on, and those between, to those of two bands.
TARGET static void NAME(separate)(const struct rows *rows, struct phase e, struct phase o, float *even, float *odd) {
  const float *from = rows->from;
  int64_t room = rows->room;
  for (int64_t r = 0; r < rows->count; r++, from += rows->step, room -= rows->step) {
    NAME(zero)(even, 0, e.left);
    NAME(zero)(odd, 0, o.left);
    int64_t i = 0;
    for (; 2 * (i + LANES) <= room && i < e.count; i += LANES) {
      const NAME(vector) a = *(const NAME(vector) *)(from + 2 * i), b = *(const NAME(vector) *)(from + 2 * i + LANES);
      *(NAME(vector) *)(even + e.left + i) = __builtin_shufflevector(a, b, EVEN(0));
      *(NAME(vector) *)(odd + o.left + i) = __builtin_shufflevector(a, b, EVEN(1));
    }
    ROLLED for (int64_t j = i; j < e.count; j++) even[e.left + j] = from[2 * j];
    ROLLED for (int64_t j = i; j < o.count; j++) odd[o.left + j] = from[2 * j + 1];
    NAME(zero)(even, e.left + e.count, rows->pitch);
    NAME(zero)(odd, o.left + o.count, rows->pitch);
    even += rows->pitch;
    odd += rows->pitch;
  }
}

/// Results of which `count` are a row's. What is written behind them belongs to rows that follow, as long as there are.
TARGET INLINE void NAME(finish)(const struct plane *p, NAME(vector) sum, float *y, int64_t count) {
  const NAME(vector) zero = {0};
  if (p->slope != 1) {
    const NAME(mask) below = sum < 0;
    sum = (NAME(vector))(((NAME(mask))(p->slope * sum) & below) | ((NAME(mask))sum & ~below));
  }
  sum = LIMITED(sum, p->low + zero, p->high + zero);
  if (count >= LANES || p->end - y >= LANES) *(NAME(vector) *)y = sum;
  else STORE_PART(y, (int)count, sum);
}

/// A vector of results in each of `rows` rows, and two side by side when `pair`.
TARGET INLINE void NAME(block)(const struct plane *p, const float *x, float *y, int64_t count, int rows, int pair) {
  NAME(vector) sums[2][PLANE_ROWS];
  const NAME(vector) bias = p->bias + (NAME(vector)){0};
  UNROLL for (int r = 0; r < rows; r++) {
    sums[0][r] = bias;
    if (pair) sums[1][r] = bias;
  }
  ROLLED for (int64_t t = 0; t < p->taps; t++) {
    const float weight = p->weights[t];
    const float *from = x + p->offsets[t];
    UNROLL for (int r = 0; r < rows; r++) {
      sums[0][r] += weight * *(const NAME(vector) *)(from + r * p->pitch);
      if (pair) sums[1][r] += weight * *(const NAME(vector) *)(from + r * p->pitch + LANES);
    }
  }
  UNROLL for (int r = 0; r < rows; r++) {
    NAME(finish)(p, sums[0][r], y + r * p->columns, pair ? LANES : count);
    if (pair) NAME(finish)(p, sums[1][r], y + r * p->columns + LANES, count - LANES);
  }
}

/// The same for a window of three by three one step apart: what is read serves all rows.
TARGET INLINE void NAME(three)(const struct plane *p, const float *x, float *y, int64_t count, int rows) {
  NAME(vector) sums[PLANE_ROWS];
  const NAME(vector) zero = {0};
  float weights[9];
  UNROLL for (int t = 0; t < 9; t++) weights[t] = p->weights[t];
  UNROLL for (int r = 0; r < rows; r++) sums[r] = p->bias + zero;
  UNROLL for (int line = 0; line < rows + 2; line++) {
    UNROLL for (int j = 0; j < 3; j++) {
      const NAME(vector) v = *(const NAME(vector) *)(x + line * p->pitch + j);
      UNROLL for (int i = 0; i < 3; i++) {
        const int r = line - i;
        if (r >= 0 && r < rows) sums[r] += weights[3 * i + j] * v;
      }
    }
  }
  UNROLL for (int r = 0; r < rows; r++) NAME(finish)(p, sums[r], y + r * p->columns, count);
}

/// All results of a band.
TARGET static void NAME(band)(const struct plane *p) {
  const int64_t columns = p->columns;
  // Where rows or columns are no multiple, the last ones are made twice rather than some alone.
  for (int64_t r = 0; r < p->rows;) {
    const int whole = p->rows >= PLANE_ROWS;
    if (whole && r + PLANE_ROWS > p->rows) r = p->rows - PLANE_ROWS;
    for (int64_t c = 0; c < columns;) {
      const int pair = !p->is_three && columns - c > LANES;
      const int64_t width = pair ? 2 * LANES : LANES;
      if (columns >= width && c + width > columns) c = columns - width;
      const float *x = p->x + r * p->pitch + c;
      float *y = p->y + r * columns + c;
      const int64_t count = columns - c < width ? columns - c : width;
      if (p->is_three && whole) NAME(three)(p, x, y, count, PLANE_ROWS);
      else if (p->is_three) NAME(three)(p, x, y, count, 1);
      else if (pair && whole) NAME(block)(p, x, y, count, PLANE_ROWS, 1);
      else if (pair) NAME(block)(p, x, y, count, 1, 1);
      else if (whole) NAME(block)(p, x, y, count, PLANE_ROWS, 0);
      else NAME(block)(p, x, y, count, 1, 0);
      c += width;
    }
    r += whole ? PLANE_ROWS : 1;
  }
}

static const struct machine NAME(machine) = {LANES, NAME(copy), NAME(separate), NAME(band)};

#undef NAME
#undef TARGET
#undef LANES
#undef EVEN
#undef STORE_PART
#undef LIMITED
