// A few vectors times a matrix that is mostly zeros: one token or sample has no places to fill the lanes with, so these
// hold weights of one row, and what they multiply is gathered.
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

static dot_function *this_dot(int64_t lanes) {
  if (lanes == 4) return base_dot;
#ifdef __x86_64__
  if (lanes != 8 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) return avx512_dot;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2_dot;
#endif
  return base_dot;
}

static void make_rows(int64_t first, int64_t last, void *user) {
  const ps_sparse_args *a = user;
  const ps_sparse_weights *w = &a->weights;
  dot_function *dot = this_dot(a->lanes);
  for (int64_t block = first; block < last; block++) {
    const int64_t begin = block * TOGETHER, end = begin + TOGETHER < w->rows ? begin + TOGETHER : w->rows;
    // The weights of a block come from the cache for all vectors but the first.
    for (int64_t image = 0; image < a->images; image++) {
      float sums[TOGETHER];
      for (int64_t row = begin; row < end; row++) {
        const uint32_t start = w->starts[row];
        sums[row - begin] = (a->bias ? a->bias[row] : 0) + dot(w->values + start, w->taps + start,
                                                               w->starts[row + 1] - start, a->x + image * a->x_image);
      }
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
