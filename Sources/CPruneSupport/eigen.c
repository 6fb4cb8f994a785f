// Eigenvalues and eigenvectors of a symmetric matrix: Householder's reduction to a tridiagonal one, then implicit QL
// (Golub and Van Loan, Matrix Computations, 8.3). Eigenvectors are rows here, so that every inner loop runs along one.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clones.h"
#include "prune_support.h"

enum { ROWS = 8, STRIP = 64, SWEEPS = 24, ITERATIONS = 64 };

CLONES static double dot(const double *a, const double *b, int64_t count) {
  double lanes[8] = {0}, sum = 0;
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int k = 0; k < 8; k++) lanes[k] += a[i + k] * b[i + k];
  }
  for (; i < count; i++) sum += a[i] * b[i];
  for (int k = 0; k < 8; k++) sum += lanes[k];
  return sum;
}

// a -= f * b + g * c
CLONES static void subtract_two(double *a, double f, const double *b, double g, const double *c, int64_t count) {
  for (int64_t i = 0; i < count; i++) a[i] -= f * b[i] + g * c[i];
}

CLONES static void subtract_scaled(double *a, double f, const double *b, int64_t count) {
  for (int64_t i = 0; i < count; i++) a[i] -= f * b[i];
}

CLONES static void rotate(double *a, double *b, double c, double s, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    double x = a[i], y = b[i];
    a[i] = c * x - s * y;
    b[i] = s * x + c * y;
  }
}

typedef struct {
  int64_t row;
  double c, s;
} rotation;

struct solver {
  // [n, n]: what is left of the matrix, the reflections in the rows above the diagonal.
  double *a;
  // [n, n]: the eigenvectors, one a row.
  double *z;
  // Diagonal, neighbours of the diagonal, factors of the reflections, and two vectors to work in.
  double *d, *e, *beta, *p, *w;
  rotation *rotations;
  int64_t n, step, count;
};

// MARK: - To tridiagonal form

static void product_rows(int64_t first, int64_t last, void *user) {
  struct solver *s = user;
  int64_t n = s->n, k = s->step;
  const double *v = s->a + k * n + k + 1;
  for (int64_t i = k + 1 + first; i < k + 1 + last; i++) {
    s->p[i] = s->beta[k] * dot(s->a + i * n + k + 1, v, n - k - 1);
  }
}

static void update_rows(int64_t first, int64_t last, void *user) {
  struct solver *s = user;
  int64_t n = s->n, k = s->step;
  const double *v = s->a + k * n + k + 1;
  for (int64_t i = k + 1 + first; i < k + 1 + last; i++) {
    subtract_two(s->a + i * n + k + 1, v[i - k - 1], s->w + k + 1, s->w[i], v, n - k - 1);
  }
}

static void reduce(struct solver *s) {
  int64_t n = s->n;
  for (int64_t k = 0; k + 2 < n; k++) {
    double *v = s->a + k * n + k + 1, first = v[0];
    int64_t m = n - k - 1;
    double rest = dot(v + 1, v + 1, m - 1);
    s->d[k] = s->a[k * n + k];
    // The square of no difference of floats is as small: nothing is left to reflect.
    if (rest < 1e-200) {
      s->beta[k] = 0;
      s->e[k] = first;
      continue;
    }
    double length = sqrt(first * first + rest), head = first <= 0 ? first - length : -rest / (first + length);
    s->beta[k] = 2 * head * head / (rest + head * head);
    s->e[k] = length;
    v[0] = 1;
    for (int64_t i = 1; i < m; i++) v[i] /= head;
    s->step = k;
    ps_parallel_for(m, 64, product_rows, s);
    double share = s->beta[k] / 2 * dot(s->p + k + 1, v, m);
    for (int64_t i = 0; i < m; i++) s->w[k + 1 + i] = s->p[k + 1 + i] - share * v[i];
    ps_parallel_for(m, 64, update_rows, s);
  }
  if (n > 1) {
    s->d[n - 2] = s->a[(n - 2) * n + n - 2];
    s->e[n - 2] = s->a[(n - 2) * n + n - 1];
  }
  s->d[n - 1] = s->a[n * n - 1];
}

// Rows of the transposed product of all reflections: each begins as a row of the identity.
static void begin_rows(int64_t first_tile, int64_t last_tile, void *user) {
  struct solver *s = user;
  int64_t n = s->n;
  for (int64_t tile = first_tile; tile < last_tile; tile++) {
    int64_t first = tile * ROWS, last = first + ROWS < n ? first + ROWS : n;
    memset(s->z + first * n, 0, (size_t)((last - first) * n) * sizeof *s->z);
    for (int64_t r = first; r < last; r++) s->z[r * n + r] = 1;
    for (int64_t k = last - 2 < n - 3 ? last - 2 : n - 3; k >= 0; k--) {
      if (s->beta[k] == 0) continue;
      const double *v = s->a + k * n + k + 1;
      for (int64_t r = first > k + 1 ? first : k + 1; r < last; r++) {
        double *row = s->z + r * n + k + 1;
        subtract_scaled(row, s->beta[k] * dot(row, v, n - k - 1), v, n - k - 1);
      }
    }
  }
}

// MARK: - To diagonal form

static void rotate_strips(int64_t first, int64_t last, void *user) {
  struct solver *s = user;
  for (int64_t strip = first; strip < last; strip++) {
    int64_t column = strip * STRIP, width = s->n - column < STRIP ? s->n - column : STRIP;
    double *z = s->z + column;
    for (int64_t i = 0; i < s->count; i++) {
      rotation r = s->rotations[i];
      rotate(z + r.row * s->n, z + (r.row + 1) * s->n, r.c, r.s, width);
    }
  }
}

static void apply_rotations(struct solver *s) {
  if (s->count) ps_parallel_for((s->n + STRIP - 1) / STRIP, 1, rotate_strips, s);
  s->count = 0;
}

static int32_t diagonalize(struct solver *s) {
  double *d = s->d, *e = s->e;
  int64_t n = s->n;
  e[n - 1] = 0;
  for (int64_t l = 0; l < n; l++) {
    for (int64_t tries = 0;; tries++) {
      int64_t m = l;
      while (m + 1 < n && fabs(e[m]) > 2.3e-16 * (fabs(d[m]) + fabs(d[m + 1]))) m++;
      if (m == l) break;
      if (tries == ITERATIONS) return 2;
      if (s->count + n > SWEEPS * n) apply_rotations(s);
      double g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypot(g, 1), sine = 1, cosine = 1, p = 0;
      g = d[m] - d[l] + e[l] / (g + copysign(r, g));
      int64_t i = m - 1;
      for (; i >= l; i--) {
        double f = sine * e[i], b = cosine * e[i];
        r = hypot(f, g);
        e[i + 1] = r;
        if (r == 0) {
          d[i + 1] -= p;
          e[m] = 0;
          break;
        }
        sine = f / r;
        cosine = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * sine + 2 * cosine * b;
        p = sine * r;
        d[i + 1] = g + p;
        g = cosine * r - b;
        s->rotations[s->count++] = (rotation){i, cosine, sine};
      }
      if (r == 0 && i >= l) continue;
      d[l] -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
  apply_rotations(s);
  return 0;
}

// MARK: - The whole

typedef struct {
  double value;
  int64_t row;
} eigenpair;

static int larger_first(const void *a, const void *b) {
  const eigenpair *x = a, *y = b;
  return x->value != y->value ? (x->value < y->value) - (x->value > y->value) : (x->row > y->row) - (x->row < y->row);
}

int32_t ps_symmetric_eigen(const float *h, int64_t n, double *values, float *vectors) {
  if (n <= 0) return 0;
  struct solver s = {.n = n};
  size_t square = (size_t)n * (size_t)n;
  s.a = malloc(square * sizeof *s.a);
  s.z = malloc(square * sizeof *s.z);
  s.d = malloc((size_t)n * 5 * sizeof *s.d);
  s.rotations = malloc((size_t)n * SWEEPS * sizeof *s.rotations);
  eigenpair *order = malloc((size_t)n * sizeof *order);
  int32_t status = s.a && s.z && s.d && s.rotations && order ? 0 : 1;
  for (size_t i = 0; i < square && !status; i++) {
    s.a[i] = h[i];
    if (!isfinite(s.a[i])) status = 2;
  }
  if (!status) {
    s.e = s.d + n;
    s.beta = s.d + 2 * n;
    s.p = s.d + 3 * n;
    s.w = s.d + 4 * n;
    reduce(&s);
    ps_parallel_for((n + ROWS - 1) / ROWS, 1, begin_rows, &s);
    status = diagonalize(&s);
  }
  if (!status) {
    for (int64_t i = 0; i < n; i++) order[i] = (eigenpair){s.d[i], i};
    qsort(order, (size_t)n, sizeof *order, larger_first);
    for (int64_t i = 0; i < n; i++) {
      values[i] = order[i].value;
      for (int64_t j = 0; j < n; j++) vectors[i * n + j] = (float)s.z[order[i].row * n + j];
    }
  }
  free(s.a);
  free(s.z);
  free(s.d);
  free(s.rotations);
  free(order);
  return status;
}
