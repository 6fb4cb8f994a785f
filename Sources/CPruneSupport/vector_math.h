// Private to CPruneSupport: what its loops share.
#ifndef VECTOR_MATH_H
#define VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "clones.h"

/// Before a loop whose places are worked on one by one, in place or not: without this the compiler falls back to single
/// numbers where input and output are the same array. Vectors, but not several at a time: a fraction of the code, and
/// short rows are done in vectors too.
#define COMPACT _Pragma("clang loop vectorize(assume_safety) interleave_count(1) unroll(disable)")
/// Before a loop that is never worth much code.
#define SCALAR _Pragma("clang loop vectorize(disable) unroll(disable)")

/// Elements below which a second thread costs more than it saves.
enum { ELEMENTWISE_GRAIN = 1 << 15 };

static inline float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t bits_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// e^x within 2 ulp, without branches, so that loops over it vectorize. The reduction and polynomial are Cephes's.
static inline float vector_exp(float x) {
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  float limited = x > 88.8f ? 88.8f : x;
  limited = limited < -104.0f ? -104.0f : limited;
  float shifted = limited * 1.44269504088896341f + magic;
  float n = shifted - magic;
  float r = (limited - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // 2^n in two factors: n may be beyond the exponent's range on either side.
  uint32_t whole = bits_of_float(shifted) - bits_of_float(magic);
  uint32_t half = (uint32_t)((int32_t)whole >> 1);
  return p * float_of_bits((half + 127u) << 23) * float_of_bits((whole - half + 127u) << 23);
}

static inline float vector_tanh(float x) {
  float size = x < 0 ? -x : x;
  float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  float small = p * z * x + x;
  float large = 1.0f - 2.0f / (vector_exp(2.0f * size) + 1.0f);
  large = x < 0 ? -large : large;
  return size < 0.625f ? small : large;
}

/// log(1 + e^x): max(x, 0) + log1p(e^-|x|), by the series of atanh.
static inline float vector_softplus(float x) {
  float size = x < 0 ? -x : x, e = vector_exp(-size), u = e / (2 + e), z = u * u;
  float series = u * (2 + z * (2.0f / 3 + z * (2.0f / 5 + z * (2.0f / 7 + z * (2.0f / 9 + z * (2.0f / 11))))));
  return (x < 0 ? 0 : x) + series;
}

/// tanh(log(1 + e^x)) = ((1 + e^x)² - 1) / ((1 + e^x)² + 1): 1 in float32 long before the square is too large.
static inline float vector_tanh_softplus(float x) {
  float e = vector_exp(x < 20 ? x : 20), n = e * (e + 2);
  return n / (n + 2);
}

/// The error function within 1 ulp of its own and 1 of e^x; the polynomials are N. Juffa's.
static inline float vector_erf(float x) {
  float t = x < 0 ? -x : x, s = x * x;
  float r = (-1.72853470e-5f * t + 3.83197126e-4f) * s + (-3.88396438e-3f * t + 2.42546219e-2f);
  r = r * t - 1.06777877e-1f;
  r = r * t - 6.34846687e-1f;
  r = r * t - 1.28717512e-1f;
  float large = 1.0f - vector_exp(r * t - t);
  // Far out the polynomial turns around.
  large = t > 4.0f ? 1.0f : large;
  large = x < 0 ? -large : large;
  float p = -5.96761703e-4f;
  p = p * s + 4.99119423e-3f;
  p = p * s - 2.67681349e-2f;
  p = p * s + 1.12819925e-1f;
  p = p * s - 3.76125336e-1f;
  p = p * s + 1.28379166e-1f;
  float small = p * x + x;
  return t > 0.927734375f ? large : small;
}

// MARK: - Sixteen at a time, for what the compiler does not vectorize by itself

typedef float vector16 __attribute__((vector_size(64), aligned(4)));
typedef int32_t mask16 __attribute__((vector_size(64), aligned(4)));
#define INLINE static inline __attribute__((always_inline))

// Vectors go by address: by value their calling convention depends on the instruction set.
#define CHOOSE16(mask, a, b) ((vector16)(((mask16)(a) & (mask)) | ((mask16)(b) & ~(mask))))

/// y = vector_exp of every lane of x - peak.
INLINE void exp16(const vector16 *from, float peak, vector16 *y) {
  const vector16 high = (vector16){0} + 88.8f, low = (vector16){0} - 104.0f;
  const float magic = 12582912.0f;
  vector16 x = *from - peak;
  mask16 above = x > high;
  vector16 limited = CHOOSE16(above, high, x);
  mask16 below = limited < low;
  limited = CHOOSE16(below, low, limited);
  vector16 shifted = limited * 1.44269504088896341f + magic;
  vector16 n = shifted - magic;
  vector16 r = (limited - n * 0.693359375f) - n * -2.12194440e-4f;
  vector16 p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  mask16 whole = (mask16)shifted - 0x4B400000, half = whole >> 1;
  *y = p * (vector16)((half + 127) << 23) * (vector16)((whole - half + 127) << 23);
}

/// Up to 16 numbers, the rest -infinity.
INLINE void load16(const float *x, int64_t n, vector16 *y) {
  float lanes[16];
  for (int j = 0; j < 16; j++) lanes[j] = -INFINITY;
  for (int64_t j = 0; j < n; j++) lanes[j] = x[j];
  memcpy(y, lanes, sizeof lanes);
}

INLINE float fold16(const vector16 *v, int adds) {
  float lanes[16];
  memcpy(lanes, v, sizeof lanes);
  for (int width = 8; width > 0; width /= 2)
    for (int j = 0; j < width; j++) {
      float a = lanes[j], b = lanes[j + width];
      lanes[j] = adds ? a + b : a > b ? a : b;
    }
  return lanes[0];
}

/// The largest of n numbers.
INLINE float vector_max(const float *x, int64_t n) {
  vector16 top, next;
  if (n < 16) {
    load16(x, n, &top);
    return fold16(&top, 0);
  }
  // The last sixteen may overlap those before.
  top = *(const vector16 *)(x + n - 16);
  for (int64_t i = 0; i + 16 <= n; i += 16) {
    next = *(const vector16 *)(x + i);
    mask16 above = next > top;
    top = CHOOSE16(above, next, top);
  }
  return fold16(&top, 0);
}

/// y = e^(x - peak), in place or NULL; returns the sum.
INLINE float vector_exp_sum(const float *x, float peak, float *y, int64_t n) {
  const mask16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const vector16 nothing = {0};
  vector16 sum = {0}, last, e;
  if (n < 16) {
    load16(x, n, &last);
    exp16(&last, peak, &e);
    for (int64_t j = 0; j < n && y; j++) y[j] = e[j];
    // e^-inf comes out as the smallest number there is.
    mask16 inside = lane < (int32_t)n;
    sum = CHOOSE16(inside, e, nothing);
    return fold16(&sum, 1);
  }
  // The last sixteen may overlap those before: they are read first, and count only where they are new.
  last = *(const vector16 *)(x + n - 16);
  for (int64_t i = 0; i + 16 <= n; i += 16) {
    exp16((const vector16 *)(x + i), peak, &e);
    if (y) *(vector16 *)(y + i) = e;
    sum += e;
  }
  if (n % 16) {
    exp16(&last, peak, &e);
    if (y) *(vector16 *)(y + n - 16) = e;
    mask16 fresh = lane >= (int32_t)(16 - n % 16);
    sum += CHOOSE16(fresh, e, nothing);
  }
  return fold16(&sum, 1);
}

#endif
