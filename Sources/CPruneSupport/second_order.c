// Second-order layer reconstruction: products of rows, the factor of an inverse, and the sweep that removes weights
// column by column while the others make up for them.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clones.h"
#include "prune_support.h"

enum { LANES = 16, TILE = 16, SWEEP_BLOCK = 128 };

// MARK: - Products of rows

CLONES static float dot(const float *a, const float *b, int64_t count) {
  float lanes[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (int k = 0; k < LANES; k++) lanes[k] += a[i + k] * b[i + k];
  }
  double sum = 0;
  for (; i < count; i++) sum += (double)a[i] * b[i];
  for (int k = 0; k < LANES; k++) sum += lanes[k];
  return (float)sum;
}

struct products {
  const float *rows;
  float *out;
  int64_t count, length;
};

static void product_rows(int64_t first, int64_t last, void *user) {
  const struct products *p = user;
  for (int64_t i = first; i < last; i++) {
    for (int64_t j = 0; j <= i; j++) {
      float value = dot(p->rows + i * p->length, p->rows + j * p->length, p->length);
      p->out[i * p->count + j] = value;
      p->out[j * p->count + i] = value;
    }
  }
}

void ps_row_products(const float *rows, int64_t count, int64_t length, float *out) {
  struct products p = {rows, out, count, length};
  ps_parallel_for(count, 4, product_rows, &p);
}

// MARK: - The factor

// a -= f * b
CLONES static void subtract_scaled(double *a, const double *b, double f, int64_t count) {
  for (int64_t i = 0; i < count; i++) a[i] -= f * b[i];
}

CLONES static void subtract_scaled_float(float *a, const float *b, float f, int64_t count) {
  for (int64_t i = 0; i < count; i++) a[i] -= f * b[i];
}

struct factor {
  double *a;
  int64_t n, step;
};

// Rows below `step` lose what its column explains: right-looking, upper triangle stored by rows.
static void factor_rows(int64_t first, int64_t last, void *user) {
  const struct factor *f = user;
  const double *pivot = f->a + f->step * f->n;
  for (int64_t k = first; k < last; k++) {
    int64_t i = f->step + 1 + k;
    if (pivot[i] != 0) subtract_scaled(f->a + i * f->n + i, pivot + i, pivot[i], f->n - i);
  }
}

// Row i of the inverse of the lower factor L = R^T, whose row i is column i of R: forward substitution, row by row of
// the unknown, each of which is a combination of those before it.
static int32_t invert_lower(const double *l, double *out, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    double *row = out + i * n;
    memset(row, 0, (size_t)n * sizeof *row);
    for (int64_t k = 0; k < i; k++) {
      double value = l[i * n + k];
      if (value != 0) subtract_scaled(row, out + k * n, value, k + 1);
    }
    row[i] = 1;
    double pivot = l[i * n + i];
    for (int64_t k = 0; k <= i; k++) row[k] /= pivot;
  }
  return 0;
}

int32_t ps_inverse_factor(const float *h, int64_t n, double damping, float *u) {
  double *a = malloc((size_t)(n * n) * sizeof *a), *b = malloc((size_t)(n * n) * sizeof *b);
  int32_t status = a && b ? 0 : 1;
  double mean = 0;
  for (int64_t i = 0; i < n; i++) mean += (double)h[i * n + i] / (double)n;
  double shift = mean > 0 ? damping * mean : 1;
  // H in reversed order: its Cholesky factor, reversed back, is H = V V^T with V upper; then H^-1 = U^T U with U =
  // V^-1.
  for (int64_t i = 0; i < n && !status; i++) {
    for (int64_t j = 0; j < n; j++) a[i * n + j] = h[(n - 1 - i) * n + (n - 1 - j)];
    a[i * n + i] += shift;
  }
  for (int64_t k = 0; k < n && !status; k++) {
    double pivot = a[k * n + k];
    if (!(pivot > 0) || !isfinite(pivot)) {
      status = 2;
      break;
    }
    pivot = sqrt(pivot);
    a[k * n + k] = pivot;
    for (int64_t j = k + 1; j < n; j++) a[k * n + j] /= pivot;
    struct factor f = {a, n, k};
    ps_parallel_for(n - k - 1, 256, factor_rows, &f);
  }
  if (!status) {
    // L = R^T.
    for (int64_t i = 0; i < n; i++) {
      for (int64_t j = 0; j < i; j++) a[i * n + j] = a[j * n + i];
    }
    status = invert_lower(a, b, n);
  }
  for (int64_t i = 0; i < n && !status; i++) {
    for (int64_t j = 0; j < n; j++) u[i * n + j] = j < i ? 0 : (float)b[(n - 1 - i) * n + (n - 1 - j)];
  }
  free(a);
  free(b);
  return status;
}

// MARK: - The sweep

struct sweep {
  float *w;
  const float *u;
  uint8_t *removed;
  int64_t rows, columns, first, last, keep, of, segment;
};

// Marks the lowest of a group of columns of one row, given how many of a whole group stay.
static void choose_group(const struct sweep *s, const float *w, uint8_t *removed, int64_t first, int64_t last) {
  int64_t width = last - first, target = width * (s->of - s->keep) / s->of, gone = 0;
  for (int64_t j = first; j < last; j++) gone += removed[j];
  for (; gone < target; gone++) {
    int64_t lowest = -1;
    float least = INFINITY;
    for (int64_t j = first; j < last; j++) {
      if (removed[j]) continue;
      float score = w[j] / s->u[j * s->columns + j];
      score *= score;
      if (lowest < 0 || score < least) {
        lowest = j;
        least = score;
      }
    }
    if (lowest < 0) return;
    removed[lowest] = 1;
  }
}

static void sweep_rows(int64_t first_tile, int64_t last_tile, void *user) {
  const struct sweep *s = user;
  for (int64_t tile = first_tile; tile < last_tile; tile++) {
    int64_t begin = tile * TILE, end = begin + TILE < s->rows ? begin + TILE : s->rows;
    for (int64_t j = s->first; j < s->last; j++) {
      const float *u = s->u + j * s->columns;
      for (int64_t r = begin; r < end; r++) {
        float *w = s->w + r * s->columns;
        uint8_t *removed = s->removed + r * s->columns;
        int64_t place = j % s->segment;
        if (s->of > 0 && place % s->of == 0) {
          int64_t limit = j - place + s->segment, group = j + s->of;
          choose_group(s, w, removed, j, group < limit ? group : limit);
        }
        if (!removed[j]) continue;
        float error = w[j] / u[j];
        if (error != 0) subtract_scaled_float(w + j + 1, u + j + 1, error, s->columns - j - 1);
        w[j] = 0;
      }
    }
  }
}

static int compare_floats(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

// Marks the lowest of columns first..<last over all rows until `wanted` of them are gone.
static int32_t choose_block(struct sweep *s, int64_t target) {
  int64_t width = s->last - s->first, free_count = 0, gone = 0;
  float *scores = malloc((size_t)(s->rows * width) * sizeof *scores);
  if (!scores) return 1;
  for (int64_t r = 0; r < s->rows; r++) {
    for (int64_t j = s->first; j < s->last; j++) {
      if (s->removed[r * s->columns + j]) {
        gone++;
        continue;
      }
      float score = s->w[r * s->columns + j] / s->u[j * s->columns + j];
      scores[free_count++] = score * score;
    }
  }
  int64_t left = target - gone;
  if (left > 0) {
    if (left > free_count) left = free_count;
    qsort(scores, (size_t)free_count, sizeof *scores, compare_floats);
    float limit = scores[left - 1];
    int64_t below = 0;
    while (below < left && scores[below] < limit) below++;
    int64_t ties = left - below;
    for (int64_t r = 0; r < s->rows; r++) {
      for (int64_t j = s->first; j < s->last; j++) {
        int64_t at = r * s->columns + j;
        if (s->removed[at]) continue;
        float score = s->w[at] / s->u[j * s->columns + j];
        score *= score;
        if (score < limit || (score == limit && ties > 0)) {
          if (score == limit) ties--;
          s->removed[at] = 1;
        }
      }
    }
  }
  free(scores);
  return 0;
}

int32_t ps_obs_sweep(ps_obs_sweep_args *args) {
  struct sweep s = {args->w, args->u, args->removed, args->rows, args->columns,
                    0,       0,       args->keep,    args->of,   args->segment > 0 ? args->segment : args->columns};
  int64_t removed = 0, tiles = (s.rows + TILE - 1) / TILE;
  for (s.first = 0; s.first < s.columns; s.first = s.last) {
    s.last = s.first + SWEEP_BLOCK < s.columns ? s.first + SWEEP_BLOCK : s.columns;
    if (args->amount >= 0) {
      int64_t target = (int64_t)llround(args->amount * (double)s.rows * (double)s.last) - removed;
      if (choose_block(&s, target)) return 1;
      for (int64_t r = 0; r < s.rows; r++) {
        for (int64_t j = s.first; j < s.last; j++) removed += s.removed[r * s.columns + j];
      }
    }
    ps_parallel_for(tiles, 1, sweep_rows, &s);
  }
  return 0;
}
