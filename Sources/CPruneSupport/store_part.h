// Writes some of a vector's numbers: by halves, for a masked store takes some AMD processors dozens of cycles.
#ifndef STORE_PART_H
#define STORE_PART_H

#ifdef __x86_64__
#include <immintrin.h>
#include <stdint.h>

__attribute__((target("avx2"), always_inline)) static inline void avx2_store_part(float *to, int count, __m256 value) {
  __m128 part = _mm256_castps256_ps128(value);
  if (count & 4) {
    _mm_storeu_ps(to, part);
    part = _mm256_extractf128_ps(value, 1);
    to += 4;
  }
  if (count & 2) {
    _mm_storel_pi((__m64 *)to, part);
    part = _mm_movehl_ps(part, part);
    to += 2;
  }
  if (count & 1) _mm_store_ss(to, part);
}
#endif

#endif
