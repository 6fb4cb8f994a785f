// C = alpha * op(A) * op(B) + beta * C. After Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication" (2008): blocks that fit the caches, panels of B packed in the order they are read, and tiles of C
// held in registers. Every number of C is summed in the same order at any number of threads.
#include <stdlib.h>

#include "prune_kernels.h"
#include "prune_support.h"
#include "vector_math.h"

#define UNROLL _Pragma("clang loop unroll(full)")

enum {
  /// Places along k, rows and columns of a block.
  BLOCK_K = 256,
  BLOCK_M = 96,
  BLOCK_N = 1008,
  /// Rows or columns up to which a product is a matrix times a few vectors.
  NARROW = 3,
  /// Vectors of the widest tile.
  WIDE = 8,
  /// Multiplications worth another thread.
  WORK_GRAIN = 1 << 19,
};

typedef float eight __attribute__((vector_size(32), aligned(4)));

/// Numbers of a lie a_row apart from row to row and a_step along k; of b and c, columns lie together.
struct tile {
  const float *a, *b;
  float *c;
  int64_t k, a_row, a_step, b_step, c_row;
  float alpha, beta;
};

struct dots {
  const float *a, *b;
  float *c;
  int64_t n, k, a_row, b_row, c_row, c_column;
  float alpha, beta;
};

/// What one set of instructions has: the largest tile, and the loops.
struct machine {
  int rows, lanes, columns;
  void (*tile)(int rows, int vectors, const struct tile *tile);
  void (*dots)(int rows, const struct dots *dots);
  void (*turn)(const float *from, int64_t row, int64_t k, float *to, int64_t step);
};

#define NAME(x) base_##x
#define TARGET
#define LANES 4
#define ROWS 4
#define VECTORS 2
#include "matrix_tile.h"

#ifdef __x86_64__
#define NAME(x) avx2_##x
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define ROWS 6
#define VECTORS 2
#include "matrix_tile.h"

#define NAME(x) avx512_##x
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define LANES 16
#define ROWS 8
#define VECTORS 3
#include "matrix_tile.h"
#endif

static const struct machine *this_machine(void) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) return &avx512_machine;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2_machine;
#endif
  return &base_machine;
}

struct product {
  const struct machine *machine;
  const float *a, *b;
  float *c;
  int64_t m, n, k;
  /// How far apart the numbers of a, b and c are along m, n and k.
  int64_t a_m, a_k, b_k, b_n, c_m, c_n;
  float alpha, beta;
  /// Columns of a panel of b.
  int64_t columns;
  /// The part of c that is one thread's at a time.
  int64_t part_m, part_n, parts_n;
  int32_t status;
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t rounded_up(int64_t count, int64_t step) { return (count + step - 1) / step * step; }

/// Panels of `columns` columns, one after the other: [k, columns] each, the last one filled up with zeros.
static void pack_b(const struct product *p, const float *b, int64_t k, int64_t n, float *packed) {
  int64_t columns = p->columns;
  for (int64_t first = 0; first < n; first += columns, packed += k * columns) {
    const float *from = b + first * p->b_n;
    int64_t count = least(columns, n - first), j = 0;
    if (p->b_n == 1) {
      for (int64_t i = 0; i < k; i++) {
        float *to = packed + i * columns;
        memcpy(to, from + i * p->b_k, (size_t)count * sizeof(float));
        for (j = count; j < columns; j++) to[j] = 0;
      }
      continue;
    }
    if (p->b_k == 1)
      for (; j + 8 <= count; j += 8) p->machine->turn(from + j * p->b_n, p->b_n, k, packed + j, columns);
    for (; j < columns; j++)
      for (int64_t i = 0; i < k; i++) packed[i * columns + j] = j < count ? from[j * p->b_n + i * p->b_k] : 0;
  }
}

/// Panels of `rows` rows, one after the other: [k, rows] each.
static void pack_a(const struct product *p, const float *a, int64_t k, int64_t m, float *packed) {
  int64_t rows = p->machine->rows;
  for (int64_t i = 0; i < k; i++)
    for (int64_t first = 0; first < m; first += rows) {
      int64_t count = least(rows, m - first);
      float *to = packed + first * k + i * count;
      const float *from = a + first * p->a_m + i * p->a_k;
      if (p->a_m == 1 && count == 6) memcpy(to, from, 6 * sizeof(float));
      else if (p->a_m == 1 && count == 8) memcpy(to, from, 8 * sizeof(float));
      else
        for (int64_t j = 0; j < count; j++) to[j] = from[j * p->a_m];
    }
}

/// Sums of one tile at c, which has `rows` rows and `columns` columns: more than a whole number of vectors, or apart
/// from each other, go through memory of their own.
static void finish(const struct product *p, struct tile *tile, int rows, int columns, float *c) {
  int lanes = p->machine->lanes, vectors = (columns + lanes - 1) / lanes;
  if (vectors > 2 && vectors > p->machine->columns / lanes) vectors = vectors > 4 ? 8 : 4;
  if (p->c_n == 1 && columns == vectors * lanes) {
    tile->c = c;
    tile->c_row = p->c_m;
    p->machine->tile(rows, vectors, tile);
    return;
  }
  float sums[8 * 48];
  float beta = tile->beta;
  tile->c = sums;
  tile->c_row = vectors * lanes;
  tile->beta = 0;
  p->machine->tile(rows, vectors, tile);
  tile->beta = beta;
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < columns; j++) {
      float *to = c + i * p->c_m + j * p->c_n, sum = sums[i * tile->c_row + j];
      *to = beta == 0 ? sum : sum + beta * *to;
    }
}

/// One block of k of one block of c.
static void multiply_block(const struct product *p, struct tile tile, const float *a, int64_t m, const float *packed_a,
                           const float *b, int64_t n, const float *packed_b, float *c) {
  int64_t columns = p->columns, rows = p->machine->rows;
  for (int64_t j = 0; j < n; j += columns) {
    int64_t width = least(columns, n - j);
    // Unpacked, a panel is read where it is; but the last one might be read beyond its end.
    int is_packed = packed_b && (!b || width < columns);
    tile.b = is_packed ? (b ? packed_b : packed_b + j * tile.k) : b + j;
    tile.b_step = is_packed ? columns : p->b_k;
    for (int64_t i = 0; i < m; i += rows) {
      int64_t height = least(rows, m - i);
      tile.a = packed_a ? packed_a + i * tile.k : a + i * p->a_m;
      tile.a_row = packed_a ? 1 : p->a_m;
      tile.a_step = packed_a ? height : p->a_k;
      finish(p, &tile, (int)height, (int)width, c + i * p->c_m + j * p->c_n);
    }
  }
}

static int32_t multiply_part(const struct product *p, int64_t m0, int64_t m, int64_t n0, int64_t n) {
  int64_t columns = p->columns, blocks_n = (n + BLOCK_N - 1) / BLOCK_N;
  int64_t block_n = rounded_up((n + blocks_n - 1) / blocks_n, columns);
  int64_t blocks = (p->k + BLOCK_K - 1) / BLOCK_K, block_k = (p->k + blocks - 1) / blocks;
  // Few rows do not pay for packing what they are multiplied with.
  int in_place = p->b_n == 1 && m <= 2 * p->machine->rows;
  int packs_a = p->a_k != 1 && n > columns;
  int64_t widest = in_place ? columns : rounded_up(least(n, block_n), columns);
  int64_t space_b = widest * block_k, space_a = packs_a ? least(m, BLOCK_M) * block_k : 0;
  float *packed = aligned_alloc(64, (size_t)rounded_up((space_a + space_b) * (int64_t)sizeof(float), 64));
  if (!packed) return PS_STATUS_MEMORY;
  float *packed_a = packs_a ? packed + space_b : NULL;
  for (int64_t j = 0; j < n; j += block_n) {
    int64_t width = least(block_n, n - j), whole = in_place ? width / columns * columns : 0;
    for (int64_t q = 0; q < p->k; q += block_k) {
      struct tile tile = {.k = least(block_k, p->k - q), .alpha = p->alpha, .beta = q == 0 ? p->beta : 1};
      const float *b = p->b + q * p->b_k + (n0 + j) * p->b_n;
      pack_b(p, b + whole * p->b_n, tile.k, width - whole, packed);
      for (int64_t i = 0; i < m; i += BLOCK_M) {
        int64_t height = least(BLOCK_M, m - i);
        const float *a = p->a + (m0 + i) * p->a_m + q * p->a_k;
        if (packs_a) pack_a(p, a, tile.k, height, packed_a);
        float *c = p->c + (m0 + i) * p->c_m + (n0 + j) * p->c_n;
        multiply_block(p, tile, a, height, packed_a, in_place ? b : NULL, width, packed, c);
      }
    }
  }
  free(packed);
  return 0;
}

static void multiply_parts(int64_t first, int64_t last, void *user) {
  struct product *p = user;
  for (int64_t part = first; part < last; part++) {
    int64_t m0 = part / p->parts_n * p->part_m, n0 = part % p->parts_n * p->part_n;
    int64_t m = least(p->part_m, p->m - m0), n = least(p->part_n, p->n - n0);
    if (p->m <= NARROW && p->b_k == 1 && p->a_k == 1) {
      struct dots dots = {
          p->a, p->b + n0 * p->b_n, p->c + n0 * p->c_n, n, p->k, p->a_m, p->b_n, p->c_m, p->c_n, p->alpha, p->beta};
      p->machine->dots((int)p->m, &dots);
    } else {
      int32_t status = multiply_part(p, m0, m, n0, n);
      if (status) p->status = status;
    }
  }
}

/// Shares c out among up to `threads` threads, so that each has about as much and little is packed twice.
static int64_t share_out(struct product *p, int64_t threads) {
  int64_t parts = 1, best = INT64_MAX;
  for (int64_t down = 1; down <= threads; down++) {
    int64_t part_m = rounded_up((p->m + down - 1) / down, p->machine->rows);
    int64_t part_n = rounded_up((p->n + threads / down - 1) / (threads / down), p->columns);
    int64_t cost = least(part_m, p->m) * least(part_n, p->n) + 8 * (least(part_m, p->m) + least(part_n, p->n));
    if (cost >= best) continue;
    best = cost;
    p->part_m = part_m;
    p->part_n = part_n;
    p->parts_n = (p->n + part_n - 1) / part_n;
    parts = (p->m + part_m - 1) / part_m * p->parts_n;
  }
  return parts;
}

int32_t ps_product(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                   int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
  if (m <= 0 || n <= 0) return 0;
  if (k <= 0) {
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
    return 0;
  }
  int ta = transpose_a == 'T', tb = transpose_b == 'T';
  struct product p = {.machine = this_machine(),
                      .a = a,
                      .b = b,
                      .c = c,
                      .m = m,
                      .n = n,
                      .k = k,
                      .alpha = alpha,
                      .beta = beta,
                      .a_m = ta ? 1 : lda,
                      .a_k = ta ? lda : 1,
                      .b_k = tb ? 1 : ldb,
                      .b_n = tb ? ldb : 1,
                      .c_m = ldc,
                      .c_n = 1};
  // A row or column has no direction: call it the one that is read in vectors.
  if (n <= NARROW && n < m) {
    // The transpose of c is op(B)' op(A)'.
    struct product swapped = p;
    swapped.a = b, swapped.b = a, swapped.m = n, swapped.n = m;
    swapped.a_m = p.b_n, swapped.a_k = p.b_k, swapped.b_k = p.a_k, swapped.b_n = p.a_m;
    swapped.c_m = 1, swapped.c_n = ldc;
    p = swapped;
  }
  // One or two rows leave registers free for more columns.
  p.columns = p.b_n == 1 && p.m <= 2 ? (p.m == 1 ? 8 : 4) * p.machine->lanes : p.machine->columns;
  // Below 2^20 a second thread has not woken up before the work is done.
  double work = (double)m * (double)n * (double)k / WORK_GRAIN;
  int64_t threads = work < 2 ? 1 : least(ps_get_threads(), work < 1024 ? (int64_t)work : 1024);
  ps_parallel_for(share_out(&p, threads), 1, multiply_parts, &p);
  return p.status;
}
