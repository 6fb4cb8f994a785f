/* Communicators: threads as ranks, each with a context of its own, give the result of one; incomplete and foreign tables are refused. */
#include "check.h"

#include <prune.h>
#include <pthread.h>
#include <string.h>

enum { RANKS = 3 };

static pthread_barrier_t meeting;
static const void *given[RANKS];
static int calls, aborted;

static int32_t get_rank(void *user) { return *(int *)user; }
static int32_t get_size(void *user) {
  (void)user;
  return RANKS;
}

static int32_t all_reduce(void *user, void *values, size_t count, prune_reduce_type type, prune_reduce_op op,
                          double seconds) {
  int rank = *(int *)user;
  size_t width = type == PRUNE_REDUCE_FLOAT32 ? 4 : 8;
  char *result = malloc(count * width);
  if (!result || seconds != 30) return 1;
  given[rank] = values;
  pthread_barrier_wait(&meeting);
  for (size_t i = 0; i < count; i++) {
#define REDUCE(T)                                                             \
  do {                                                                        \
    T sum = ((const T *)given[0])[i];                                         \
    for (int other = 1; other < RANKS; other++) {                             \
      T value = ((const T *)given[other])[i];                                 \
      sum = op == PRUNE_REDUCE_SUM ? sum + value : sum > value ? sum : value; \
    }                                                                         \
    ((T *)(void *)result)[i] = sum;                                           \
  } while (0)
    if (type == PRUNE_REDUCE_FLOAT32) REDUCE(float);
    if (type == PRUNE_REDUCE_FLOAT64) REDUCE(double);
    if (type == PRUNE_REDUCE_INT64) REDUCE(int64_t);
  }
  pthread_barrier_wait(&meeting);
  memcpy(values, result, count * width);
  free(result);
  if (rank == 0) calls++;
  return 0;
}

static int32_t broadcast(void *user, void *bytes, size_t count, int32_t root, double seconds) {
  int rank = *(int *)user;
  (void)seconds;
  given[rank] = bytes;
  pthread_barrier_wait(&meeting);
  if (rank != root) memcpy(bytes, given[root], count);
  pthread_barrier_wait(&meeting);
  return 0;
}

static int32_t gather(void *user, const void *bytes, size_t count, void *all, int32_t root, double seconds) {
  int rank = *(int *)user;
  (void)seconds;
  given[rank] = bytes;
  pthread_barrier_wait(&meeting);
  if (rank == root) {
    for (int other = 0; other < RANKS; other++) memcpy((char *)all + (size_t)other * count, given[other], count);
  }
  pthread_barrier_wait(&meeting);
  return 0;
}

static int32_t barrier(void *user, double seconds) {
  (void)user, (void)seconds;
  pthread_barrier_wait(&meeting);
  return 0;
}

static void end_all(void *user, int32_t status) {
  (void)user;
  aborted = status;
}
static const char *message(void *user) {
  (void)user;
  return "the network is down";
}
static int32_t fails(void *user, void *values, size_t count, prune_reduce_type type, prune_reduce_op op,
                     double seconds) {
  (void)user, (void)values, (void)count, (void)type, (void)op, (void)seconds;
  return 3;
}

static prune_communicator table(int *rank) {
  prune_communicator result = {.struct_size = sizeof result,
                               .version = PRUNE_COMMUNICATOR_VERSION,
                               .user = rank,
                               .rank = get_rank,
                               .size = get_size,
                               .all_reduce = all_reduce,
                               .broadcast = broadcast,
                               .gather = gather,
                               .barrier = barrier,
                               .abort = end_all,
                               .message = message};
  return result;
}

/* Fits a network of the digits on a context and gives its loss on other digits; -1 for an error. */
static double fitted(prune_context *context) {
  prune_dataset *digits = NULL, *train = NULL, *test = NULL;
  prune_model *model = NULL;
  prune_report *report = NULL;
  double loss = -1;
  int64_t input[] = {1, 8, 8}, hidden[] = {16};
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  zoo.input = input, zoo.input_rank = 3, zoo.hidden = hidden, zoo.hidden_count = 1, zoo.seed = 1;
  prune_fit_options options = PRUNE_FIT_OPTIONS_INIT;
  options.epochs = 2, options.batch_size = 25, options.lr = 0.05, options.optimizer = "sgd";
  if (prune_context_set_threads(context, 1) == PRUNE_OK && prune_dataset_digits(context, &digits) == PRUNE_OK &&
      prune_dataset_split(digits, 0.9, 3, &train, &test) == PRUNE_OK &&
      prune_zoo_create(context, "mlp", &zoo, &model) == PRUNE_OK &&
      prune_model_fit(model, train, &options, NULL) == PRUNE_OK &&
      prune_model_evaluate(model, test, NULL, &report) == PRUNE_OK) {
    OK(prune_report_number(report, "loss", &loss));
  }
  prune_report_free(report);
  prune_model_free(model);
  prune_dataset_free(digits);
  prune_dataset_free(train);
  prune_dataset_free(test);
  return loss;
}

static double losses[RANKS];

static void *run_rank(void *argument) {
  int rank = *(int *)argument;
  prune_context *context = NULL;
  OK(prune_context_create(&context));
  prune_communicator ranks = table(argument);
  OK(prune_context_set_communicator(context, &ranks, 30));
  CHECK(prune_context_rank(context) == rank && prune_context_size(context) == RANKS);
  losses[rank] = fitted(context);
  prune_context_free(context);
  return NULL;
}

int main(void) {
  prune_context *context = NULL;
  OK(prune_context_create(&context));
  CHECK(prune_context_rank(context) == 0 && prune_context_size(context) == 1);
  CHECK(prune_context_rank(NULL) == 0 && prune_context_size(NULL) == 1);
  double alone = fitted(context);
  CHECK(alone > 0);

  pthread_t threads[RANKS];
  int numbers[RANKS];
  pthread_barrier_init(&meeting, NULL, RANKS);
  for (int i = 0; i < RANKS; i++) {
    numbers[i] = i;
    pthread_create(&threads[i], NULL, run_rank, &numbers[i]);
  }
  for (int i = 0; i < RANKS; i++) pthread_join(threads[i], NULL);
  CHECK(calls > 0);
  for (int i = 0; i < RANKS; i++) {
    double off = losses[i] - alone;
    CHECK(losses[i] == losses[0] && off < 1e-4 && off > -1e-4);
  }

  /* Every function is wanted, and the version that this header has. */
  int zero = 0;
  prune_communicator bad = table(&zero);
  bad.gather = NULL;
  FAILS(prune_context_set_communicator(context, &bad, 1), PRUNE_ERROR_INVALID_ARGUMENT, "has no gather");
  bad = table(&zero);
  bad.version = 2;
  FAILS(prune_context_set_communicator(context, &bad, 1), PRUNE_ERROR_UNSUPPORTED, "version 2, wanted 1");
  bad = table(&zero);
  bad.struct_size = 8;
  FAILS(prune_context_set_communicator(context, &bad, 1), PRUNE_ERROR_INVALID_ARGUMENT, "struct_size is 8");
  int five = 5;
  bad = table(&five);
  FAILS(prune_context_set_communicator(context, &bad, 1), PRUNE_ERROR_INVALID_ARGUMENT, "rank is 5 of 3");
  bad = table(&zero);
  FAILS(prune_context_set_communicator(context, &bad, -1), PRUNE_ERROR_INVALID_ARGUMENT, "timeout_seconds is -1");
  FAILS(prune_context_set_communicator(NULL, &bad, 1), PRUNE_ERROR_INVALID_ARGUMENT, "context is NULL");
  FAILS(prune_context_open_communicator(context, "/nowhere/libprune_mpi.so", 1), PRUNE_ERROR_NOT_FOUND,
        "cannot be loaded");
  CHECK(prune_context_size(context) == 1);

  /* A collective that fails is the call's error, with the reason of the host. */
  bad = table(&zero);
  bad.all_reduce = fails;
  OK(prune_context_set_communicator(context, &bad, 1));
  CHECK(fitted(context) == -1);
  CHECK(prune_last_error()->status == PRUNE_ERROR_IO && strstr(prune_last_error()->message, "the network is down"));
  prune_context_abort(context, 4);
  CHECK(aborted == 4);
  OK(prune_context_set_communicator(context, NULL, 0));
  CHECK(fitted(context) == alone);
  prune_context_free(context);
  return check_end();
}
