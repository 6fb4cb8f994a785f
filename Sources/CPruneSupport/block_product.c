// Products of a few rows with weights in blocks of 4 or 8 bits: codes are expanded in registers, the float weight is
// never there.
#include <string.h>

#include "prune_codes.h"
#include "prune_support.h"
#include "vector_math.h"

/// Elements of a group, whose even and odd places the 4-bit kernel reads apart.
enum { GROUP = 16 };

typedef struct {
  const ps_block_args *args;
  /// Blocks a column, their bytes, those of a column's zero points, and how far apart rows of x are.
  int64_t blocks, bytes, zero_bytes, stride;
  /// Sums of x over each block.
  const float *totals;
  /// One column of the result, without the bias.
  void (*column)(const void *product, int64_t column, float *result);
} product;

static inline float zero_point(const product *p, int64_t column, int64_t block) {
  const ps_block_args *args = p->args;
  if (!args->zeros) return args->bits == 4 ? 8 : 128;
  const uint8_t *zeros = args->zeros + column * p->zero_bytes;
  return args->bits == 8 ? zeros[block] : (zeros[block / 2] >> (block % 2 * 4)) & 0xF;
}

static void column_plain(const void *user, int64_t column, float *result) {
  const product *p = user;
  const ps_block_args *args = p->args;
  for (int64_t row = 0; row < args->m; row++) {
    result[row] = 0;
    for (int64_t block = 0; block < p->blocks; block++) {
      const uint8_t *codes = args->codes + (column * p->blocks + block) * p->bytes;
      const float *x = args->scratch + row * p->stride + block * args->size;
      float sum = 0;
      for (int64_t i = 0; i < args->size; i++) {
        int64_t place = i / GROUP * GROUP / 2 + i % (GROUP / 2);
        sum += x[i] * (float)(args->bits == 8         ? codes[i]
                              : i % GROUP < GROUP / 2 ? codes[place] & 0xF
                                                      : codes[place] >> 4);
      }
      result[row] += args->scales[column * p->blocks + block] *
                     (sum - zero_point(p, column, block) * p->totals[row * p->blocks + block]);
    }
  }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))

AVX2 static inline float total(__m256 v) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

/// A column for numbers of rows and bits that the compiler knows, so that sums stay in registers.
AVX2 static inline __attribute__((always_inline)) void column_avx2_of(const product *p, int64_t column, float *result,
                                                                      const int rows, const int bits) {
  const ps_block_args *args = p->args;
  const __m256i mask = _mm256_set1_epi32(0xF);
  const uint8_t *codes = args->codes + column * p->blocks * p->bytes;
  const float *scales = args->scales + column * p->blocks, *x = args->scratch;
  __m256 sums[PS_BLOCK_ROWS];
  float shifts[PS_BLOCK_ROWS];
  for (int row = 0; row < rows; row++) {
    sums[row] = _mm256_setzero_ps();
    shifts[row] = 0;
  }
  for (int64_t block = 0; block < p->blocks; block++, codes += p->bytes, x += args->size) {
    __m256 first[PS_BLOCK_ROWS], second[PS_BLOCK_ROWS];
    for (int row = 0; row < rows; row++) first[row] = second[row] = _mm256_setzero_ps();
    for (int64_t i = 0; i < args->size; i += GROUP) {
      __m256 low, high;
      if (bits == 4) {
        __m256i both = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(codes + i / 2)));
        low = _mm256_cvtepi32_ps(_mm256_and_si256(both, mask));
        high = _mm256_cvtepi32_ps(_mm256_srli_epi32(both, 4));
      } else {
        low = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(codes + i))));
        high = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(codes + i + 8))));
      }
      for (int row = 0; row < rows; row++) {
        first[row] = _mm256_fmadd_ps(low, _mm256_loadu_ps(x + row * p->stride + i), first[row]);
        second[row] = _mm256_fmadd_ps(high, _mm256_loadu_ps(x + row * p->stride + i + GROUP / 2), second[row]);
      }
    }
    __m256 scale = _mm256_set1_ps(scales[block]);
    float shift = scales[block] * zero_point(p, column, block);
    for (int row = 0; row < rows; row++) {
      sums[row] = _mm256_fmadd_ps(scale, _mm256_add_ps(first[row], second[row]), sums[row]);
      shifts[row] += shift * p->totals[row * p->blocks + block];
    }
  }
  for (int row = 0; row < rows; row++) result[row] = total(sums[row]) - shifts[row];
}

#define COLUMN(BITS)                                                                     \
  AVX2 static void column_avx2_##BITS(const void *user, int64_t column, float *result) { \
    const product *p = user;                                                             \
    switch (p->args->m) {                                                                \
    case 1: column_avx2_of(p, column, result, 1, BITS); break;                           \
    case 2: column_avx2_of(p, column, result, 2, BITS); break;                           \
    case 3: column_avx2_of(p, column, result, 3, BITS); break;                           \
    default: column_avx2_of(p, column, result, PS_BLOCK_ROWS, BITS); break;              \
    }                                                                                    \
  }
COLUMN(4)
COLUMN(8)
#endif

static void product_range(int64_t first, int64_t last, void *user) {
  const product *p = user;
  const ps_block_args *args = p->args;
  for (int64_t column = first; column < last; column++) {
    float result[PS_BLOCK_ROWS];
    p->column(p, column, result);
    for (int64_t row = 0; row < args->m; row++)
      args->y[row * args->n + column] = args->bias ? result[row] + args->bias[column] : result[row];
  }
}

int32_t ps_block_product(void *user) {
  const ps_block_args *args = user;
  int64_t blocks = (args->k + args->size - 1) / args->size, stride = blocks * args->size;
  float *totals = args->scratch + args->m * stride;
  for (int64_t row = 0; row < args->m; row++) {
    float *target = args->scratch + row * stride;
    const float *x = args->x + row * args->k;
    for (int64_t i = 0; i < stride; i++) {
      int64_t place = i;
      // Of 4 bits, the lower halves of a group's bytes and then the upper ones.
      if (args->bits == 4)
        place = i / GROUP * GROUP + (i % GROUP < GROUP / 2 ? i % GROUP * 2 : (i % GROUP - GROUP / 2) * 2 + 1);
      target[i] = place < args->k ? x[place] : 0;
    }
    for (int64_t block = 0; block < blocks; block++) {
      float sum = 0;
      for (int64_t i = 0; i < args->size; i++) sum += target[block * args->size + i];
      totals[row * blocks + block] = sum;
    }
  }
  product p = {args, blocks, args->size * args->bits / 8, (blocks * args->bits + 7) / 8, stride, totals, column_plain};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    p.column = args->bits == 4 ? column_avx2_4 : column_avx2_8;
#endif
  ps_parallel_for(args->n, 65536 / (args->k * args->m + 1) + 1, product_range, &p);
  return 0;
}
