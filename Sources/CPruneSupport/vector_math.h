// Private to CPruneSupport: what its loops share.
#ifndef VECTOR_MATH_H
#define VECTOR_MATH_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

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

#endif
