// What is asked of all gradients before weights are updated: their norms, and whether they are numbers.
#include <math.h>

#include "prune_training.h"
#include "prune_support.h"
#include "vector_math.h"

enum { LANES = 16 };

static int64_t chunks_of(int64_t count) { return (count + PS_NORM_CHUNK - 1) / PS_NORM_CHUNK; }

static int64_t length_of(int64_t chunk, int64_t count) {
  int64_t rest = count - chunk * PS_NORM_CHUNK;
  return rest < PS_NORM_CHUNK ? rest : PS_NORM_CHUNK;
}

static double total(const double *sums, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += sums[i];
  return sum;
}

FEW_CLONES static void norm_chunks(int64_t first, int64_t last, void *user) {
  const ps_norm_args *args = user;
  for (int64_t chunk = first; chunk < last; chunk++) {
    const float *x = args->x + chunk * PS_NORM_CHUNK;
    int64_t count = length_of(chunk, args->count);
    float lanes[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
      for (int lane = 0; lane < LANES; lane++) lanes[lane] += x[i + lane] * x[i + lane];
    double sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += (double)lanes[lane];
    for (; i < count; i++) sum += (double)x[i] * (double)x[i];
    args->chunks[chunk] = sum;
  }
}

int32_t ps_norm(void *user) {
  const ps_norm_args *args = user;
  int64_t chunks = chunks_of(args->count);
  ps_parallel_for(chunks, 2, norm_chunks, user);
  *args->norm = (float)sqrt(total(args->chunks, chunks));
  return 0;
}

FEW_CLONES static void error_chunks(int64_t first, int64_t last, void *user) {
  const ps_squared_error_args *args = user;
  float slope = (float)(2 / (double)args->count);
  for (int64_t chunk = first; chunk < last; chunk++) {
    int64_t start = chunk * PS_NORM_CHUNK, count = length_of(chunk, args->count);
    const float *x = args->prediction + start, *y = args->target + start;
    float *gradient = args->gradient + start;
    float lanes[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
      // All are read before any is written: the gradient may be where the prediction is.
      float differences[LANES];
      for (int lane = 0; lane < LANES; lane++) differences[lane] = x[i + lane] - y[i + lane];
      for (int lane = 0; lane < LANES; lane++) lanes[lane] += differences[lane] * differences[lane];
      for (int lane = 0; lane < LANES; lane++) gradient[i + lane] = slope * differences[lane];
    }
    double sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += (double)lanes[lane];
    for (; i < count; i++) {
      float difference = x[i] - y[i];
      sum += (double)difference * (double)difference;
      gradient[i] = slope * difference;
    }
    args->chunks[chunk] = sum;
  }
}

int32_t ps_squared_error(void *user) {
  const ps_squared_error_args *args = user;
  int64_t chunks = chunks_of(args->count);
  ps_parallel_for(chunks, 2, error_chunks, user);
  *args->loss = (float)(total(args->chunks, chunks) / (double)args->count);
  return 0;
}

int32_t ps_gate(void *user) {
  const ps_gate_args *args = user;
  double sum = 0;
  for (int64_t i = 0; i < args->count; i++) sum += (double)args->norms[i] * (double)args->norms[i];
  double norm = sqrt(sum);
  if (!isfinite(*args->loss) || !isfinite(norm)) {
    *args->gate = 0;
  } else {
    *args->gate = args->max_norm > 0 && norm > (double)args->max_norm ? (float)((double)args->max_norm / norm) : 1;
  }
  return 0;
}
