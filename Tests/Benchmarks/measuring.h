/* What the benchmarks in C share: an end with a message, medians, and random numbers. */
#ifndef MEASURING_H
#define MEASURING_H

#include <prune.h>
#include <stdio.h>
#include <stdlib.h>

static inline void check(prune_status status) {
  if (status == PRUNE_OK) return;
  fprintf(stderr, "%s: %s\n", prune_last_error()->where, prune_last_error()->message);
  exit(1);
}

static inline int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static inline double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, ascending);
  return values[count / 2];
}

/* The next of a row of numbers from 0 to 1; the row is the same in every run. */
static inline float next_random(unsigned *state) {
  *state = *state * 1664525u + 1013904223u;
  return (float)(*state >> 8) / (float)(1 << 24);
}

#endif
