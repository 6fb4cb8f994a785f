// A few vectors times a matrix that is mostly zeros: one token or sample has no places to fill the lanes with, so these
// hold weights of one row. Where few are zero, bits say which there are, and values are spread out to the lanes that
// they belong to; where most are, what they multiply is gathered.
#include <string.h>

#include "prune_sparse.h"
#include "prune_support.h"
#ifdef __x86_64__
#include <immintrin.h>
#endif

enum {
  /// Rows whose sums are finished together.
  TOGETHER = 64,
  /// Weights worth another thread.
  GRAIN = 1 << 15,
};

typedef float dot_function(const float *values, const uint16_t *taps, int64_t count, const float *x);
typedef float bits_function(const float *values, const uint8_t *bits, int64_t columns, const float *x);

static float base_dot(const float *values, const uint16_t *taps, int64_t count, const float *x) {
  float sums[4] = {0};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int j = 0; j < 4; j++) sums[j] += values[i + j] * x[taps[i + j]];
  }
  for (; i < count; i++) sums[0] += values[i] * x[taps[i]];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static float avx2_dot(const float *values, const uint16_t *taps, int64_t count,
                                                          const float *x) {
  __m256 sum = _mm256_setzero_ps(), other = _mm256_setzero_ps();
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m256i places = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i_u *)(taps + i)));
    const __m256i next = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i_u *)(taps + i + 8)));
    sum = _mm256_fmadd_ps(_mm256_loadu_ps(values + i), _mm256_i32gather_ps(x, places, 4), sum);
    other = _mm256_fmadd_ps(_mm256_loadu_ps(values + i + 8), _mm256_i32gather_ps(x, next, 4), other);
  }
  sum = _mm256_add_ps(sum, other);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four))) + base_dot(values + i, taps + i, count - i, x);
}

__attribute__((target("avx512f,avx512bw,avx2,fma"))) static float avx512_dot(const float *values, const uint16_t *taps,
                                                                             int64_t count, const float *x) {
  __m512 sum = _mm512_setzero_ps(), other = _mm512_setzero_ps();
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    const __m512i places = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i_u *)(taps + i)));
    const __m512i next = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i_u *)(taps + i + 16)));
    sum = _mm512_fmadd_ps(_mm512_loadu_ps(values + i), _mm512_i32gather_ps(places, x, 4), sum);
    other = _mm512_fmadd_ps(_mm512_loadu_ps(values + i + 16), _mm512_i32gather_ps(next, x, 4), other);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(sum, other)) + avx2_dot(values + i, taps + i, count - i, x);
}
#endif

static float base_bits(const float *values, const uint8_t *bits, int64_t columns, const float *x) {
  float sums[2] = {0};
  for (int64_t i = 0; i < columns; i += PS_SPARSE_WORD, bits += PS_SPARSE_WORD / 8) {
    uint64_t word;
    memcpy(&word, bits, sizeof word);
    for (; word; word &= word - 1, values++) sums[word >> 63] += *values * x[i + __builtin_ctzll(word)];
  }
  return sums[0] + sums[1];
}

#ifdef __x86_64__
/// For each byte of bits, which of its half's values each of eight lanes takes, with the sign set where it takes one.
static const int8_t spread[256][8] = {
#define LANE(b, j) \
  (((b) >> (j)&1) ? (int8_t)(-128 + __builtin_popcount((b) & ((1 << (j)) - 1) & ((j) < 4 ? 15 : 240))) : 0)
#define ONE(b) \
  { LANE(b, 0), LANE(b, 1), LANE(b, 2), LANE(b, 3), LANE(b, 4), LANE(b, 5), LANE(b, 6), LANE(b, 7) }
#define FOUR(b) ONE(b), ONE((b) + 1), ONE((b) + 2), ONE((b) + 3)
#define SIXTEEN(b) FOUR(b), FOUR((b) + 4), FOUR((b) + 8), FOUR((b) + 12)
#define MANY(b) SIXTEEN(b), SIXTEEN((b) + 16), SIXTEEN((b) + 32), SIXTEEN((b) + 48)
    MANY(0), MANY(64), MANY(128), MANY(192)
#undef LANE
#undef ONE
#undef FOUR
#undef SIXTEEN
#undef MANY
};

#define TARGET __attribute__((target("avx2,fma,popcnt")))
#define INLINE __attribute__((always_inline)) static inline

TARGET INLINE __m256 avx2_byte(uint64_t byte, const float *values, const float *x, __m256 sum) {
  const __m256i lanes = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i_u *)spread[byte]));
  // Permutations across halves take some AMD processors four times as long as those within.
  const float *later = values + __builtin_popcountll(byte & 15);
  const __m256 both = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(values)), _mm_loadu_ps(later), 1);
  // Of x, only what is multiplied is read: a zero multiplies nothing.
  return _mm256_fmadd_ps(_mm256_permutevar_ps(both, lanes), _mm256_maskload_ps(x, lanes), sum);
}

TARGET static float avx2_bits(const float *values, const uint8_t *bits, int64_t columns, const float *x) {
  __m256 sum = _mm256_setzero_ps(), other = _mm256_setzero_ps();
  for (int64_t i = 0; i < columns; i += PS_SPARSE_WORD, bits += PS_SPARSE_WORD / 8) {
    uint64_t word;
    memcpy(&word, bits, sizeof word);
#pragma clang loop unroll(full)
    for (int j = 0; j < PS_SPARSE_WORD; j += 16) {
      const uint64_t first = word >> j & 0xff, next = word >> (j + 8) & 0xff;
      sum = avx2_byte(first, values, x + i + j, sum);
      values += __builtin_popcountll(first);
      other = avx2_byte(next, values, x + i + j + 8, other);
      values += __builtin_popcountll(next);
    }
  }
  sum = _mm256_add_ps(sum, other);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

__attribute__((target("avx512f,popcnt"))) static float avx512_bits(const float *values, const uint8_t *bits,
                                                                   int64_t columns, const float *x) {
  __m512 sum = _mm512_setzero_ps(), other = _mm512_setzero_ps();
  for (int64_t i = 0; i < columns; i += PS_SPARSE_WORD, bits += PS_SPARSE_WORD / 8) {
    uint64_t word;
    memcpy(&word, bits, sizeof word);
#pragma clang loop unroll(full)
    for (int j = 0; j < PS_SPARSE_WORD; j += 32) {
      const __mmask16 first = (__mmask16)(word >> j), next = (__mmask16)(word >> (j + 16));
      sum = _mm512_fmadd_ps(_mm512_maskz_expandloadu_ps(first, values), _mm512_maskz_loadu_ps(first, x + i + j), sum);
      values += __builtin_popcount(first);
      other = _mm512_fmadd_ps(_mm512_maskz_expandloadu_ps(next, values), _mm512_maskz_loadu_ps(next, x + i + j + 16),
                              other);
      values += __builtin_popcount(next);
    }
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(sum, other));
}
#endif

struct machine {
  dot_function *dot;
  bits_function *bits;
};

static struct machine this_machine(int64_t lanes) {
  struct machine machine = {base_dot, base_bits};
#ifdef __x86_64__
  if (lanes == 4) return machine;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt"))
    machine = (struct machine){avx2_dot, avx2_bits};
  if (lanes != 8 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
    machine = (struct machine){avx512_dot, avx512_bits};
#endif
  (void)lanes;
  return machine;
}

static float row_sum(const ps_sparse_weights *w, struct machine machine, int64_t row, const float *x) {
  const uint32_t start = w->starts[row];
  if (w->bits) {
    const int64_t bytes = (w->columns + PS_SPARSE_WORD - 1) / PS_SPARSE_WORD * (PS_SPARSE_WORD / 8);
    return machine.bits(w->values + start, w->bits + row * bytes, w->columns, x);
  }
  return machine.dot(w->values + start, w->taps + start, w->starts[row + 1] - start, x);
}

void ps_sparse_few(const ps_sparse_weights *w, const float *x, int64_t x_row, int64_t count, float *y, int64_t y_row,
                   int64_t lanes) {
  const struct machine machine = this_machine(lanes);
  for (int64_t row = 0; row < w->rows; row++)
    for (int64_t i = 0; i < count; i++) y[i * y_row + row] = row_sum(w, machine, row, x + i * x_row);
}

static void make_rows(int64_t first, int64_t last, void *user) {
  const ps_sparse_args *a = user;
  const ps_sparse_weights *w = &a->weights;
  const struct machine machine = this_machine(a->lanes);
  for (int64_t block = first; block < last; block++) {
    const int64_t begin = block * TOGETHER, end = begin + TOGETHER < w->rows ? begin + TOGETHER : w->rows;
    // The weights of a block come from the cache for all vectors but the first.
    for (int64_t image = 0; image < a->images; image++) {
      float sums[TOGETHER];
      for (int64_t row = begin; row < end; row++)
        sums[row - begin] = (a->bias ? a->bias[row] : 0) + row_sum(w, machine, row, a->x + image * a->x_image);
      const int64_t to = image * a->y_image + begin;
      ps_sparse_finish(a, sums, a->residual ? a->residual + to : NULL, a->y + to, end - begin);
    }
  }
}

int32_t ps_sparse_vectors(void *user) {
  const ps_sparse_args *a = user;
  const int64_t rows = a->weights.rows, blocks = (rows + TOGETHER - 1) / TOGETHER;
  if (blocks <= 0) return 0;
  const int64_t each = a->weights.starts[rows] / blocks + 1;
  if (a->threads > 1) ps_parallel_for(blocks, GRAIN / each + 1, make_rows, user);
  else make_rows(0, blocks, user);
  return 0;
}
