/* Threads: with a count of 1 no call starts any; one model may run on several threads at once. */
#define _GNU_SOURCE
#include "check.h"

#include <dirent.h>
#include <pthread.h>

#ifdef SANITIZED
/* A lock of Swift's that has to wait does so in the kernel, where ThreadSanitizer does not see it: told about it here, it knows
   that one thread's turn comes after the other's. */
#include <dlfcn.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void __tsan_acquire(void *address), __tsan_release(void *address);

long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a[6];
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  static long (*next)(long, ...);
  if (!next) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  if (number == SYS_futex && (a[1] & FUTEX_CMD_MASK) == FUTEX_UNLOCK_PI) __tsan_release((void *)a[0]);
  long result = next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (number == SYS_futex && (a[1] & FUTEX_CMD_MASK) == FUTEX_LOCK_PI) __tsan_acquire((void *)a[0]);
  return result;
}
#endif

static int threads(void) {
  DIR *folder = opendir("/proc/self/task");
  int count = 0;
  for (struct dirent *entry; folder && (entry = readdir(folder));) count += entry->d_name[0] != '.';
  if (folder) closedir(folder);
  return count;
}

/* The whole job on one context, or none: fit, evaluate, prune, quantize, run. */
static void work(prune_context *context) {
  prune_dataset *small = NULL, *digits = NULL;
  OK(prune_dataset_digits(context, &small));
  OK(prune_dataset_resize(small, 16, 16, &digits));
  const int64_t input[] = {1, 16, 16};
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  zoo.input = input;
  zoo.input_rank = 3;
  zoo.depth = 20;
  prune_model *model = NULL, *slim = NULL, *int8 = NULL;
  OK(prune_zoo_create(context, "resnet", &zoo, &model));
  prune_dataset *few = NULL;
  OK(prune_dataset_take(digits, 128, &few));
  prune_fit_options fit = PRUNE_FIT_OPTIONS_INIT;
  fit.batch_size = 64;
  OK(prune_model_fit(model, few, &fit, NULL));
  prune_report *report = NULL;
  OK(prune_model_evaluate(model, few, NULL, &report));
  prune_report_free(report);
  prune_prune_options prune = PRUNE_PRUNE_OPTIONS_INIT;
  prune.amount = 0.5;
  OK(prune_model_prune(model, &prune, &slim, NULL));
  prune_quantize_options quantize = PRUNE_QUANTIZE_OPTIONS_INIT;
  quantize.calibration = few;
  OK(prune_model_quantize(slim, &quantize, &int8, NULL));
  OK(prune_model_evaluate(int8, few, NULL, &report));
  prune_report_free(report);
  prune_model_free(int8);
  prune_model_free(slim);
  prune_model_free(model);
  prune_dataset_free(few);
  prune_dataset_free(digits);
  prune_dataset_free(small);
}

enum { RUNNERS = 4, RUNS = 20 };

typedef struct shared {
  prune_model *model;
  prune_tensor *x[2];
  /* What one thread alone computes, by batch size. */
  prune_tensor *y[2];
} shared;

static int same(const prune_tensor *a, const prune_tensor *b) {
  size_t size = prune_tensor_byte_count(a);
  return size == prune_tensor_byte_count(b) && memcmp(prune_tensor_data(a), prune_tensor_data(b), size) == 0;
}

/* Returns how many runs failed or gave anything else. */
static void *runner(void *argument) {
  const shared *all = argument;
  size_t wrong = 0;
  for (int run = 0; run < RUNS; run++) {
    prune_tensor *y = NULL;
    if (prune_model_predict(all->model, all->x[run % 2], &y) || !same(y, all->y[run % 2])) wrong++;
    prune_tensor_free(y);
  }
  return (void *)wrong;
}

/* Several threads run one model, in two batch sizes, from before it was first compiled. */
static void run_at_once(prune_context *context) {
  const int64_t input[] = {1, 8, 8};
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  zoo.input = input;
  zoo.input_rank = 3;
  zoo.depth = 20;
  prune_dataset *digits = NULL, *few = NULL;
  prune_model *alone = NULL;
  shared all = {0};
  OK(prune_zoo_create(context, "resnet", &zoo, &alone));
  OK(prune_model_clone(alone, &all.model));
  OK(prune_dataset_digits(context, &digits));
  for (int i = 0; i < 2; i++) {
    OK(prune_dataset_take(digits, i ? 1 : 6, &few));
    OK(prune_dataset_x(few, &all.x[i]));
    OK(prune_model_predict(alone, all.x[i], &all.y[i]));
    prune_dataset_free(few);
  }
  pthread_t runners[RUNNERS];
  for (int i = 0; i < RUNNERS; i++) CHECK(pthread_create(&runners[i], NULL, runner, &all) == 0);
  for (int i = 0; i < RUNNERS; i++) {
    void *wrong = NULL;
    pthread_join(runners[i], &wrong);
    CHECK(wrong == NULL);
  }
  for (int i = 0; i < 2; i++) {
    prune_tensor_free(all.x[i]);
    prune_tensor_free(all.y[i]);
  }
  prune_model_free(all.model);
  prune_model_free(alone);
  prune_dataset_free(digits);
}

int main(void) {
  prune_context *context = NULL;
  OK(prune_context_create(&context));
  OK(prune_context_set_threads(context, 1));
  CHECK(prune_context_threads(context) == 1);
  work(context);
  CHECK(threads() == 1);

  OK(prune_context_set_threads(NULL, 1));
  CHECK(prune_context_threads(NULL) == 1);
  work(NULL);
  CHECK(threads() == 1);
  run_at_once(NULL);
  FAILS(prune_context_set_threads(NULL, -1), PRUNE_ERROR_INVALID_ARGUMENT, "-1");
#ifndef SANITIZED /* ThreadSanitizer has a thread of its own, and does not see how OpenMP synchronises. */
  CHECK(threads() == 1);
  OK(prune_context_set_threads(context, 2));
  work(context);
  CHECK(threads() == 2);
  run_at_once(context);
  OK(prune_context_set_threads(NULL, 0));
#endif
  prune_context_free(context);
  return check_end();
}
