// Selection of the lowest-ranked weights by histograms of their keys, without a sort and without a copy of the scores.
//
// A weight's key is a uint32 that orders like its rank: the bits of |w| when there are no scores, else the score's bits
// made monotone, with 0 for a weight that is zero already. All counts are integers, so the result does not depend on
// the number of threads.

#include <stdlib.h>
#include <string.h>

#include "clones.h"
#include "prune_support.h"

enum { bins = 1 << 16, grain = 1 << 16 };

static inline uint32_t magnitude_key(uint32_t weight) { return weight & 0x7fffffffu; }

static inline uint32_t score_key(uint32_t weight, uint32_t score) {
  uint32_t ordered = score ^ ((uint32_t)((int32_t)score >> 31) | 0x80000000u);
  return (weight & 0x7fffffffu) == 0 ? 0 : ordered;
}

static inline uint32_t bits_at(const float *values, int64_t i) {
  uint32_t bits;
  memcpy(&bits, values + i, sizeof bits);
  return bits;
}

static inline uint32_t key_at(const float *weights, const float *scores, int64_t i) {
  uint32_t weight = bits_at(weights, i);
  return scores ? score_key(weight, bits_at(scores, i)) : magnitude_key(weight);
}

uint32_t ps_select_key(float score, int32_t of_scores) {
  uint32_t bits;
  memcpy(&bits, &score, sizeof bits);
  return of_scores ? score_key(1, bits) : magnitude_key(bits);
}

// MARK: - Histograms

struct histogram {
  const float *weights, *scores;
  int64_t *counts;
  int64_t count;
  uint32_t high;
  int low;
};

static void histogram_share(int64_t first, int64_t last, void *user) {
  const struct histogram *h = user;
  // A share of the work counts into a table of its own; a small one, or one without memory, straight into the result.
  int64_t *table = last - first < h->count ? calloc(bins, sizeof *table) : NULL;
  int64_t *counts = table ? table : h->counts;
  int shared = !table && last - first < h->count;
  for (int64_t i = first; i < last; i++) {
    uint32_t key = key_at(h->weights, h->scores, i);
    if (h->low && key >> 16 != h->high) continue;
    uint32_t bin = h->low ? key & 0xffffu : key >> 16;
    if (shared) {
      __atomic_fetch_add(&counts[bin], 1, __ATOMIC_RELAXED);
    } else {
      counts[bin]++;
    }
  }
  if (!table) return;
  for (int bin = 0; bin < bins; bin++) {
    if (table[bin]) __atomic_fetch_add(&h->counts[bin], table[bin], __ATOMIC_RELAXED);
  }
  free(table);
}

void ps_select_histogram_high(const float *weights, const float *scores, int64_t count, int64_t *counts) {
  struct histogram h = {weights, scores, counts, count, 0, 0};
  ps_parallel_for(count, grain, histogram_share, &h);
}

void ps_select_histogram_low(const float *weights, const float *scores, int64_t count, uint32_t high, int64_t *counts) {
  struct histogram h = {weights, scores, counts, count, high, 1};
  ps_parallel_for(count, grain, histogram_share, &h);
}

// MARK: - Counting and masking

FEW_CLONES static int64_t count_magnitude(const float *weights, int64_t count, uint32_t key) {
  int64_t matches = 0;
  for (int64_t i = 0; i < count; i++) matches += magnitude_key(bits_at(weights, i)) == key;
  return matches;
}

FEW_CLONES static int64_t count_score(const float *weights, const float *scores, int64_t count, uint32_t key) {
  int64_t matches = 0;
  for (int64_t i = 0; i < count; i++) matches += score_key(bits_at(weights, i), bits_at(scores, i)) == key;
  return matches;
}

FEW_CLONES static int64_t mask_magnitude(const float *weights, float *out, int64_t count, uint32_t limit) {
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits = bits_at(weights, i), keep = -(uint32_t)(magnitude_key(bits) >= limit);
    bits &= keep;
    memcpy(out + i, &bits, sizeof bits);
    kept += (bits & 0x7fffffffu) != 0;
  }
  return count - kept;
}

FEW_CLONES static int64_t mask_score(const float *weights, const float *scores, float *out, int64_t count,
                                     uint32_t limit) {
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits = bits_at(weights, i), keep = -(uint32_t)(score_key(bits, bits_at(scores, i)) >= limit);
    bits &= keep;
    memcpy(out + i, &bits, sizeof bits);
    kept += (bits & 0x7fffffffu) != 0;
  }
  return count - kept;
}

FEW_CLONES static int64_t count_not_finite(const float *values, int64_t count) {
  int64_t matches = 0;
  for (int64_t i = 0; i < count; i++) matches += magnitude_key(bits_at(values, i)) >= 0x7f800000u;
  return matches;
}

struct sweep {
  const float *weights, *scores;
  float *out;
  int64_t result;
  uint32_t key;
  int kind;  // 0: count equal keys, 1: mask, 2: count what is not finite
};

static void sweep_share(int64_t first, int64_t last, void *user) {
  struct sweep *s = user;
  const float *weights = s->weights + first, *scores = s->scores ? s->scores + first : NULL;
  int64_t count = last - first, matches;
  if (s->kind == 2) {
    matches = count_not_finite(weights, count);
  } else if (s->kind == 1) {
    matches = scores ? mask_score(weights, scores, s->out + first, count, s->key)
                     : mask_magnitude(weights, s->out + first, count, s->key);
  } else {
    matches = scores ? count_score(weights, scores, count, s->key) : count_magnitude(weights, count, s->key);
  }
  __atomic_fetch_add(&s->result, matches, __ATOMIC_RELAXED);
}

int64_t ps_select_count_equal(const float *weights, const float *scores, int64_t count, uint32_t key) {
  struct sweep s = {weights, scores, NULL, 0, key, 0};
  ps_parallel_for(count, grain, sweep_share, &s);
  return s.result;
}

int64_t ps_select_mask(const float *weights, const float *scores, float *out, int64_t count, uint32_t key,
                       int64_t ties) {
  // Everything before the place where the allowed ties run out loses its ties too, what is behind keeps them.
  int64_t split = 0;
  if (ties > 0) {
    for (int64_t left = ties; split < count && left > 0;) {
      int64_t step = count - split < grain ? count - split : grain;
      int64_t matches = scores ? count_score(weights + split, scores + split, step, key)
                               : count_magnitude(weights + split, step, key);
      if (matches > left) {
        step = 0;
        while (left > 0) left -= key_at(weights, scores, split + step++) == key;
      } else {
        left -= matches;
      }
      split += step;
    }
  }
  struct sweep before = {weights, scores, out, 0, key + 1, 1};
  ps_parallel_for(split, grain, sweep_share, &before);
  struct sweep behind = {weights + split, scores ? scores + split : NULL, out + split, 0, key, 1};
  ps_parallel_for(count - split, grain, sweep_share, &behind);
  return before.result + behind.result;
}

int64_t ps_count_not_finite(const float *values, int64_t count) {
  struct sweep s = {values, NULL, NULL, 0, 0, 2};
  ps_parallel_for(count, grain, sweep_share, &s);
  return s.result;
}
