/* libprune_mpi.so: the communicator of prune.h over MPI (Open MPI or MPICH), loaded when prune_context_open_communicator asks
 * for it. libprune.so itself needs no MPI.
 *
 * Every collective is a non-blocking one that is asked until it is done or its time is up: a rank that stopped answering
 * ends the wait of the others with a message, not never.
 */
#define _GNU_SOURCE
#include <mpi.h>
#include <prune.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static MPI_Comm ranks = MPI_COMM_NULL;
static int rank_number, rank_count, is_ours, is_over;
static char text[MPI_MAX_ERROR_STRING + 200];

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int32_t failed(const char *what, int code) {
  char reason[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, reason, &length);
  snprintf(text, sizeof text, "%s failed: %s", what, reason);
  return 1;
}

/* Waits for a collective that was begun with `code`. */
static int32_t finish(const char *what, int code, MPI_Request *request, double seconds) {
  if (code != MPI_SUCCESS) return failed(what, code);
  double start = now();
  int done = 0;
  for (unsigned turn = 0;; turn++) {
    code = MPI_Test(request, &done, MPI_STATUS_IGNORE);
    if (code != MPI_SUCCESS) return failed(what, code);
    if (done) return 0;
    /* There may be more ranks than processors: a rank that waits yields to the others. */
    if (turn < 64) continue;
    sched_yield();
    if ((turn & 63) == 0 && seconds > 0 && now() - start > seconds) {
      is_over = 1;
      snprintf(text, sizeof text, "%s did not end within %g s: another rank stopped, or is elsewhere", what, seconds);
      return 2;
    }
  }
}

static int32_t get_rank(void *user) {
  (void)user;
  return rank_number;
}

static int32_t get_size(void *user) {
  (void)user;
  return rank_count;
}

static int32_t all_reduce(void *user, void *values, size_t count, prune_reduce_type type, prune_reduce_op op,
                          double seconds) {
  (void)user;
  MPI_Datatype kind = type == PRUNE_REDUCE_FLOAT32   ? MPI_FLOAT
                      : type == PRUNE_REDUCE_FLOAT64 ? MPI_DOUBLE
                                                     : MPI_INT64_T;
  MPI_Request request;
  int code = MPI_Iallreduce(MPI_IN_PLACE, values, (int)count, kind, op == PRUNE_REDUCE_MAX ? MPI_MAX : MPI_SUM, ranks,
                            &request);
  return finish("an all-reduce", code, &request, seconds);
}

static int32_t broadcast(void *user, void *bytes, size_t count, int32_t root, double seconds) {
  (void)user;
  MPI_Request request;
  int code = MPI_Ibcast(bytes, (int)count, MPI_BYTE, root, ranks, &request);
  return finish("a broadcast", code, &request, seconds);
}

static int32_t gather(void *user, const void *bytes, size_t count, void *all, int32_t root, double seconds) {
  (void)user;
  MPI_Request request;
  int code = MPI_Igather(bytes, (int)count, MPI_BYTE, all, (int)count, MPI_BYTE, root, ranks, &request);
  return finish("a gather", code, &request, seconds);
}

static int32_t barrier(void *user, double seconds) {
  (void)user;
  MPI_Request request;
  int code = MPI_Ibarrier(ranks, &request);
  return finish("a barrier", code, &request, seconds);
}

static void end_all(void *user, int32_t status) {
  (void)user;
  is_over = 1;
  MPI_Abort(ranks, status ? status : 1);
}

static const char *message(void *user) {
  (void)user;
  return text;
}

/* A process that fails ends all; one that ends well waits for the others. */
static void at_exit(int status, void *unused) {
  (void)unused;
  int done = 0;
  MPI_Finalized(&done);
  if (done || !is_ours) return;
  if (status != 0 || is_over) {
    MPI_Abort(ranks, status ? status : 1);
  } else {
    MPI_Finalize();
  }
}

/* Whether a launcher started this process: alone, MPI would make every process rank 0 of 1. */
static int is_launched(void) {
  static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (getenv(names[i])) return 1;
  }
  return 0;
}

static const prune_communicator *fail(char *reason, size_t size, const char *why) {
  snprintf(reason, size, "%s", why);
  return NULL;
}

/* The one function of the plugin: the communicator over all processes that were started together, or NULL and why not. */
__attribute__((visibility("default"))) const prune_communicator *prune_mpi_communicator(uint32_t version, char *reason,
                                                                                        size_t size) {
  static prune_communicator table = {
      .struct_size = sizeof table,
      .version = PRUNE_COMMUNICATOR_VERSION,
      .rank = get_rank,
      .size = get_size,
      .all_reduce = all_reduce,
      .broadcast = broadcast,
      .gather = gather,
      .barrier = barrier,
      .abort = end_all,
      .message = message,
  };
  if (version != PRUNE_COMMUNICATOR_VERSION) return &table; /* libprune says what is wrong */
  if (ranks != MPI_COMM_NULL) return &table;
  int is_up = 0, is_done = 0, provided = 0;
  MPI_Initialized(&is_up);
  MPI_Finalized(&is_done);
  if (is_done) return fail(reason, size, "MPI was used and ended in this process already");
  if (!is_up) {
    if (!is_launched()) { return fail(reason, size, "no mpirun, srun or the like started this process"); }
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided) != MPI_SUCCESS) {
      return fail(reason, size, "MPI could not start");
    }
    is_ours = 1;
    on_exit(at_exit, NULL);
  }
  if (MPI_Comm_dup(MPI_COMM_WORLD, &ranks) != MPI_SUCCESS) return fail(reason, size, "MPI gave no communicator");
  MPI_Comm_set_errhandler(ranks, MPI_ERRORS_RETURN);
  MPI_Comm_rank(ranks, &rank_number);
  MPI_Comm_size(ranks, &rank_count);
  return &table;
}
