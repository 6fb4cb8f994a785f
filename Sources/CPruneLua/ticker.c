/* The time that a call takes, on a terminal, until the call itself has something to show: a thread writes it. */
#include "binding.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Calls that end before the first time show nothing; the second is the milliseconds between lines. */
enum { PATIENCE_MS = 500, INTERVAL_MS = 250 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static pthread_t thread;
static bool is_running, is_ending, is_silent, is_drawn;
static char name[64];
static struct timespec started;

static void prepare(void) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&changed, &attributes);
  pthread_condattr_destroy(&attributes);
}

static void say(const char *text) {
  ssize_t written = write(STDERR_FILENO, text, strlen(text));
  (void)written;
}

static void clear_line(void) {
  if (is_drawn) say("\r\33[K");
  is_drawn = false;
}

static void draw(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  double seconds = (double)(now.tv_sec - started.tv_sec) + (double)(now.tv_nsec - started.tv_nsec) * 1e-9;
  char line[128];
  snprintf(line, sizeof line, "\r%s  %.1f s\33[K", name, seconds);
  say(line);
  is_drawn = true;
}

static void add_ms(struct timespec *time, long milliseconds) {
  time->tv_nsec += milliseconds * 1000000;
  time->tv_sec += time->tv_nsec / 1000000000;
  time->tv_nsec %= 1000000000;
}

static void *run(void *unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  struct timespec next = started;
  add_ms(&next, PATIENCE_MS);
  while (!is_ending) {
    if (pthread_cond_timedwait(&changed, &lock, &next) == 0) continue;
    if (!is_silent) draw();
    add_ms(&next, INTERVAL_MS);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > next.tv_sec) next = now;
  }
  clear_line();
  pthread_mutex_unlock(&lock);
  return NULL;
}

void pl_ticker_begin(const char *what) {
  if (is_running || !isatty(STDERR_FILENO)) return;
  pthread_once(&prepared, prepare);
  snprintf(name, sizeof name, "%s", what);
  clock_gettime(CLOCK_MONOTONIC, &started);
  is_ending = is_silent = is_drawn = false;
  /* Signals are for the threads that there were before. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  is_running = pthread_create(&thread, NULL, run, NULL) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void pl_ticker_silence(void) {
  if (!is_running) return;
  pthread_mutex_lock(&lock);
  clear_line();
  is_silent = true;
  pthread_mutex_unlock(&lock);
}

void pl_ticker_end(void) {
  if (!is_running) return;
  pthread_mutex_lock(&lock);
  is_ending = true;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
  pthread_join(thread, NULL);
  is_running = false;
}
