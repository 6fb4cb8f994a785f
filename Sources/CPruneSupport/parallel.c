#include <pthread.h>
#include <time.h>

#include "prune_support.h"

// libgomp's own entry points: clang need not be told -fopenmp, and the pool is the one oneDNN runs on.
extern void GOMP_parallel(void (*fn)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_max_threads(void);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_in_parallel(void);
extern void omp_set_num_threads(int threads);

struct loop {
  int64_t count;
  void (*body)(int64_t, int64_t, void *);
  void *user;
};

static void run_share(void *data) {
  const struct loop *loop = data;
  int64_t threads = omp_get_num_threads(), index = omp_get_thread_num();
  int64_t share = loop->count / threads, rest = loop->count % threads;
  int64_t first = index * share + (index < rest ? index : rest);
  int64_t last = first + share + (index < rest ? 1 : 0);
  if (first < last) loop->body(first, last, loop->user);
}

void ps_parallel_for(int64_t count, int64_t grain, void (*body)(int64_t, int64_t, void *), void *user) {
  if (count <= 0) return;
  int64_t shares = grain > 0 ? count / grain : count;
  int64_t limit = omp_in_parallel() ? 1 : omp_get_max_threads();
  if (shares > limit) shares = limit;
  if (shares <= 1) {
    body(0, count, user);
    return;
  }
  struct loop loop = {count, body, user};
  GOMP_parallel(run_share, &loop, (unsigned)shares, 0);
}

// What the process started with: one thread a core, or what OMP_NUM_THREADS says.
static int initial_threads;

// The pool of a thread that forks has no threads in the child, where a loop would wait for them for ever: that thread
// works alone there. Threads that the child starts have pools of their own.
static _Thread_local int is_alone;

static void work_alone(void) {
  is_alone = 1;
  omp_set_num_threads(1);
}

__attribute__((constructor)) static void prepare_threads(void) {
  initial_threads = omp_get_max_threads();
  pthread_atfork(NULL, NULL, work_alone);
}

void ps_set_threads(int32_t threads) { omp_set_num_threads(is_alone ? 1 : threads > 0 ? threads : initial_threads); }

int32_t ps_get_threads(void) { return omp_get_max_threads(); }

uint64_t ps_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
