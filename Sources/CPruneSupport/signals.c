// Work that no signal may interrupt: some of oneDNN's kernels move the stack pointer into the heap, and a handler
// without a stack of its own would write there.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>

#include "prune_support.h"

extern void GOMP_parallel(void (*fn)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_in_parallel(void);

/// All but those that a thread brings upon itself.
static void hold(sigset_t *before) {
  sigset_t blocked;
  sigfillset(&blocked);
  sigdelset(&blocked, SIGSEGV);
  sigdelset(&blocked, SIGBUS);
  sigdelset(&blocked, SIGFPE);
  sigdelset(&blocked, SIGILL);
  sigdelset(&blocked, SIGTRAP);
  sigdelset(&blocked, SIGABRT);
  sigdelset(&blocked, SIGSYS);
  pthread_sigmask(SIG_BLOCK, &blocked, before);
}

// Threads of the pool never take signals again: others of the process do.
static void hold_in_worker(void *unused) {
  (void)unused;
  hold(NULL);
}

int32_t ps_without_signals(int32_t (*body)(void *), void *user) {
  sigset_t before;
  hold(&before);
  // Threads that are made now inherit the mask; older ones are asked.
  int32_t threads = ps_get_threads();
  if (threads > 1 && !omp_in_parallel()) GOMP_parallel(hold_in_worker, NULL, (unsigned)threads, 0);
  int32_t status = body(user);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return status;
}
