// The flag that says that arithmetic met a NaN. It is a thread's own and stays up until it is taken down.
#include <stdatomic.h>

#include "prune_support.h"

#if defined(__x86_64__)
#include <xmmintrin.h>

extern void GOMP_parallel(void (*fn)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_in_parallel(void);

enum { INVALID = 1 };

int32_t ps_invalid_hold(void) {
  unsigned state = _mm_getcsr();
  if (state & INVALID) _mm_setcsr(state & ~(unsigned)INVALID);
  return state & INVALID;
}

void ps_invalid_release(int32_t token) {
  if (token) _mm_setcsr(_mm_getcsr() | INVALID);
}

static void take(void *user) {
  if (ps_invalid_hold()) atomic_store_explicit((atomic_int *)user, 1, memory_order_relaxed);
}

int32_t ps_invalid_take(int32_t threads) {
  atomic_int any = 0;
  if (threads > 1 && !omp_in_parallel()) GOMP_parallel(take, &any, (unsigned)threads, 0);
  else take(&any);
  return atomic_load_explicit(&any, memory_order_relaxed);
}

#else

int32_t ps_invalid_hold(void) { return 0; }
void ps_invalid_release(int32_t token) { (void)token; }
int32_t ps_invalid_take(int32_t threads) {
  (void)threads;
  return 0;
}

#endif
