/* Fuzzes the readers of libprune and what works on what they read, over the C ABI.
 *
 *   fuzz TARGET SECONDS SEED     mutates the target's seeds for so long; a failing input is kept in the working folder
 *   fuzz TARGET FILE             runs one input, to look at it again
 *   fuzz                         lists the targets
 *
 * Every input is made from the seed and its own number alone. The work is done in a child: an input that kills it, or takes more
 * than 30 seconds, is a failure, as is an answer that breaks a promise of prune.h. Compiled with -fsanitize=fuzzer and
 * -DTARGET=name, against a library that is instrumented, it is a libFuzzer target instead. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "targets.h"

/* MARK: - Mutations */

static size_t mutate(unsigned char *out) {
  static const unsigned char edges[] = {0, 1, 0x7F, 0x80, 0xFF, 0x20, '\n', ',', '-', '9', 0x40, 0xC0};
  bytes from = seeds[below(seed_count)];
  size_t size = from.size;
  memcpy(out, from.data, size);
  for (size_t rounds = 1 + below(below(4) ? 4 : 40); rounds > 0; rounds--) {
    size_t at = below(size), count = 1 + below(below(3) ? 8 : size / 2 + 1);
    if (count > size - at) count = size - at;
    switch (below(9)) {
    case 0:
      if (size) out[at] ^= (unsigned char)(1u << below(8));
      break;
    case 1:
      if (size) out[at] = edges[below(sizeof edges)];
      break;
    case 2:
      for (size_t i = 0; i < count; i++) out[at + i] = (unsigned char)next();
      break;
    case 3: /* a part is missing */
      memmove(out + at, out + at + count, size - at - count);
      size -= count;
      break;
    case 4: /* a part is there twice */
      if (size + count > LARGEST) break;
      memmove(out + at + count, out + at, size - at);
      size += count;
      break;
    case 5: /* a part of another seed */
    {
      bytes other = seeds[below(seed_count)];
      size_t start = below(other.size), length = 1 + below(64);
      if (length > other.size - start) length = other.size - start;
      if (length > size - at) length = size - at;
      memcpy(out + at, other.data + start, length);
      break;
    }
    case 6:
      if (below(8) == 0) size = at;
      break;
    case 7: /* a large number, as protobuf and others write them */
      for (size_t i = 0; i < count && i < 10; i++) out[at + i] = i + 1 < count ? 0xFF : 0x7F;
      break;
    default: /* a number a little off */
      if (size) out[at] = (unsigned char)(out[at] + below(7) - 3);
    }
  }
  return size;
}

/* MARK: - Running */

static const struct target *target;

static void start(void) {
  OK(prune_context_create(&context));
  OK(prune_context_set_threads(context, 1));
  OK(prune_dataset_digits(context, &digits));
  prune_dataset *few = NULL;
  OK(prune_dataset_take(digits, 64, &few));
  prune_dataset_free(digits);
  digits = few;
  small = network("mlp", 8);
  /* Inputs may ask for any size of memory; they get little. */
  OK(prune_context_set_memory_limit(context, 256 << 20));
  OK(prune_context_set_memory_limit(NULL, 256 << 20));
}

static void finish(void) {
  prune_model_free(small);
  prune_dataset_free(digits);
  prune_context_free(context);
  char command[64];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  if (system(command) != 0) fprintf(stderr, "%s is left\n", folder);
}

/* What the parent sees of the child. */
static struct shared {
  size_t number, size, accepted;
  unsigned char input[LARGEST + 64];
} * shared;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void work(uint64_t seed, double until) {
  while (now() < until) {
    shared->number++;
    state = seed * 0x2545F4914F6CDD1Du + shared->number;
    shared->size = mutate(shared->input);
    problem = NULL;
    alarm(30);
    target->run(shared->input, shared->size);
    alarm(0);
    if (problem) {
      fprintf(stderr, "fuzz %s: input %zu: %s\n", target->name, shared->number, problem);
      _exit(1);
    }
  }
  _exit(0);
}

static int fuzz(uint64_t seed, double seconds) {
  double until = now() + seconds;
  int failures = 0;
  while (now() < until && failures < 10) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) work(seed, until);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return 2;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
    char path[80];
    snprintf(path, sizeof path, "fuzz-%s-%zu", target->name, shared->number);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0 || write(file, shared->input, shared->size) != (ssize_t)shared->size) perror(path);
    if (file >= 0) close(file);
    failures++;
    fprintf(stderr, "fuzz %s: seed %llu, input %zu: %s; kept as %s\n", target->name, (unsigned long long)seed,
            shared->number,
            !WIFSIGNALED(status)          ? "a broken promise"
            : WTERMSIG(status) == SIGALRM ? "no end in 30 seconds"
                                          : strsignal(WTERMSIG(status)),
            path);
  }
  printf("fuzz %s: seed %llu, %zu inputs, %d failures\n", target->name, (unsigned long long)seed, shared->number,
         failures);
  return failures != 0;
}

static int prepare(const char *name) {
  for (int index = 0; index < TARGETS; index++) {
    if (strcmp(targets[index].name, name) == 0) target = &targets[index];
  }
  if (!target) {
    fprintf(stderr, "fuzz: there is no target '%s'\n", name);
    return 2;
  }
  if (!mkdtemp(folder)) return 2;
  snprintf(place, sizeof place, "%s/%s", folder, target->suffix);
  start();
  target->prepare();
  return check_failures != 0;
}

#ifdef TARGET
#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!target && prepare(TEXT(TARGET)) != 0) abort();
  problem = NULL;
  state = size;
  target->run(data, size);
  if (problem) {
    fprintf(stderr, "%s\n", problem);
    abort();
  }
  return 0;
}
#else
int main(int argc, char **argv) {
  if (argc < 3) {
    for (int index = 0; index < TARGETS; index++) puts(targets[index].name);
    return argc != 1;
  }
  int status = prepare(argv[1]);
  if (status == 0 && argc == 3) {
    static unsigned char input[LARGEST];
    int file = open(argv[2], O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, input, sizeof input);
    if (size < 0) perror(argv[2]);
    for (state = 0; size >= 0 && state < 8 && !problem; state++) target->run(input, (size_t)size);
    if (problem) fprintf(stderr, "fuzz %s: %s\n", target->name, problem);
    status = size < 0 || problem;
  } else if (status == 0) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    status = shared == MAP_FAILED ? 2 : fuzz(strtoull(argv[3], NULL, 10), atof(argv[2]));
  }
  finish();
  return status;
}
#endif
