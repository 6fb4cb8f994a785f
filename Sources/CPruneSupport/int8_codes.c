// Loops of quantization: ranges of values, and int8 codes with one scale a channel.
// A tensor is seen as [outer, channels, inner]; `inner` is 1 where the channels are the last axis.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clones.h"
#include "prune_support.h"

/// The float's bits as an integer that orders like the float.
static inline int32_t ordered(float value) {
  int32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

static inline float unordered(int32_t key) {
  key ^= (key >> 31) & 0x7fffffff;
  float value;
  memcpy(&value, &key, sizeof value);
  return value;
}

CLONES void ps_min_max(const float *values, int64_t count, float *low, float *high) {
  // In this order NaN is beyond the infinities, on the side of its sign.
  int32_t least = INT32_MAX, most = INT32_MIN;
  for (int64_t i = 0; i < count; i++) {
    int32_t key = ordered(values[i]);
    least = key < least ? key : least;
    most = key > most ? key : most;
  }
  *low = unordered(least);
  *high = unordered(most);
}

CLONES static int32_t run_abs_max(const float *values, int64_t count) {
  int32_t most = 0;
  for (int64_t i = 0; i < count; i++) {
    int32_t bits;
    memcpy(&bits, values + i, sizeof bits);
    bits &= 0x7fffffff;
    most = bits > most ? bits : most;
  }
  return most;
}

CLONES static void row_abs_max(const float *values, int64_t channels, float *result) {
  for (int64_t c = 0; c < channels; c++) {
    float value = fabsf(values[c]);
    result[c] = value > result[c] ? value : result[c];
  }
}

void ps_channel_abs_max(const float *values, int64_t outer, int64_t channels, int64_t inner, float *result) {
  memset(result, 0, (size_t)channels * sizeof *result);
  for (int64_t o = 0; o < outer; o++) {
    const float *block = values + o * channels * inner;
    if (inner == 1) {
      row_abs_max(block, channels, result);
      continue;
    }
    for (int64_t c = 0; c < channels; c++) {
      float most = unordered(run_abs_max(block + c * inner, inner));
      if (most > result[c]) result[c] = most;
    }
  }
}

static inline int8_t code(float value, float scale) {
  float scaled = rintf(value / scale);
  scaled = scaled > 127 ? 127 : scaled < -127 ? -127 : scaled;
  return (int8_t)scaled;
}

// Sums of squares may be reassociated: they are only reported.
#pragma clang fp reassociate(on)

CLONES static void code_run(const float *values, int64_t count, float scale, int8_t *out, double *signal,
                            double *noise) {
  double power = 0, error = 0;
  for (int64_t i = 0; i < count; i++) {
    int8_t q = code(values[i], scale);
    out[i] = q;
    float gap = values[i] - (float)q * scale;
    power += (double)values[i] * values[i];
    error += (double)gap * gap;
  }
  *signal += power;
  *noise += error;
}

CLONES static void code_row(const float *values, int64_t channels, const float *scales, int8_t *out, double *signal,
                            double *noise) {
  double power = 0, error = 0;
  for (int64_t c = 0; c < channels; c++) {
    int8_t q = code(values[c], scales[c]);
    out[c] = q;
    float gap = values[c] - (float)q * scales[c];
    power += (double)values[c] * values[c];
    error += (double)gap * gap;
  }
  *signal += power;
  *noise += error;
}

void ps_quantize_int8(const float *values, int64_t outer, int64_t channels, int64_t inner, const float *scales,
                      int8_t *out, double *signal, double *noise) {
  *signal = *noise = 0;
  for (int64_t o = 0; o < outer; o++) {
    int64_t start = o * channels * inner;
    if (inner == 1) {
      code_row(values + start, channels, scales, out + start, signal, noise);
      continue;
    }
    for (int64_t c = 0; c < channels; c++) {
      int64_t first = start + c * inner;
      code_run(values + first, inner, scales[c], out + first, signal, noise);
    }
  }
}

enum { RUN = 512 };

struct binning {
  const float *values;
  float low, scale, last;
  int64_t bins, *counts;
};

CLONES static void places_of(const float *values, int64_t count, const struct binning *b, int32_t *places) {
  float low = b->low, scale = b->scale, last = b->last;
  for (int64_t i = 0; i < count; i++) {
    float place = (values[i] - low) * scale;
    places[i] = (int32_t)(place > 0 ? place < last ? place : last : 0);
  }
}

static void count_share(int64_t first, int64_t last, void *user) {
  const struct binning *b = user;
  // Neighbours often fall into one bin: four tables, that one increment need not wait for the other.
  uint32_t *tables = calloc(4 * (size_t)b->bins, sizeof *tables);
  int32_t places[RUN];
  for (int64_t start = first; start < last; start += RUN) {
    int64_t run = last - start < RUN ? last - start : RUN;
    places_of(b->values + start, run, b, places);
    for (int64_t i = 0; i < run; i++) {
      if (tables) {
        tables[(i & 3) * b->bins + places[i]]++;
      } else {
        __atomic_fetch_add(&b->counts[places[i]], 1, __ATOMIC_RELAXED);
      }
    }
  }
  for (int64_t i = 0; tables && i < 4 * b->bins; i++) {
    if (tables[i]) __atomic_fetch_add(&b->counts[i % b->bins], tables[i], __ATOMIC_RELAXED);
  }
  free(tables);
}

void ps_histogram(const float *values, int64_t count, float low, float scale, int64_t bins, int64_t *counts) {
  struct binning b = {values, low, scale, (float)(bins - 1), bins, counts};
  // A table's counts are of 32 bits.
  for (int64_t start = 0; start < count; start += UINT32_MAX) {
    b.values = values + start;
    ps_parallel_for(count - start < UINT32_MAX ? count - start : UINT32_MAX, 1 << 16, count_share, &b);
  }
}
