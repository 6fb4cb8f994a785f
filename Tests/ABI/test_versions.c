/* Headers and libraries of different versions: a struct of any earlier header is read no further than it reaches, results are
 * written no further than there is room, a later one is refused; and the library bears to be opened a thousand times. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

static prune_model *model;
static prune_dataset *digits;

/* `size` bytes right before a page that nobody may touch. */
static unsigned char *at_edge(size_t size) {
  static unsigned char *pages;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (!pages) {
    pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + 2 * page, page, PROT_NONE) != 0) exit(1);
  }
  return pages + 2 * page - size;
}

/* MARK: - Calls with options, nothing of which the test changes */

static prune_status stats(const void *o) {
  prune_report *report = NULL;
  prune_status status = prune_model_stats(model, o, &report);
  prune_report_free(report);
  return status;
}
static prune_status zoo(const void *o) {
  prune_model *made = NULL;
  prune_status status = prune_zoo_create(NULL, "mlp", o, &made);
  prune_model_free(made);
  return status;
}
static prune_status fit(const void *o) {
  prune_model *copy = NULL;
  OK(prune_model_clone(model, &copy));
  prune_status status = prune_model_fit(copy, digits, o, NULL);
  prune_model_free(copy);
  return status;
}
static prune_status evaluate(const void *o) {
  prune_report *report = NULL;
  prune_status status = prune_model_evaluate(model, digits, o, &report);
  prune_report_free(report);
  return status;
}
static prune_status benchmark(const void *o) {
  prune_report *report = NULL;
  prune_status status = prune_model_benchmark(model, o, &report);
  prune_report_free(report);
  return status;
}
static prune_status significance(const void *o) {
  prune_report *report = NULL;
  prune_status status = prune_model_significance(model, o, &report);
  prune_report_free(report);
  return status;
}
static prune_status prune(const void *o) {
  prune_model *slim = NULL;
  prune_status status = prune_model_prune(model, o, &slim, NULL);
  prune_model_free(slim);
  return status;
}
static prune_status quantize(const void *o) {
  prune_model *small = NULL;
  prune_status status = prune_model_quantize(model, o, &small, NULL);
  prune_model_free(small);
  return status;
}

typedef prune_status (*user)(const void *);

/* Every size that an earlier header's struct may have had: it is as if what is missing had its default. */
static void check_options(const char *name, const void *whole, size_t size, user use) {
  unsigned char *place;
  for (size_t part = 8; part <= size; part += 8) {
    place = at_edge(part);
    memcpy(place, whole, part);
    memcpy(place, &(uint32_t){(uint32_t)part}, 4);
    prune_status status = use(place);
    /* Without a field that the call needs it says so, as if it were not given. */
    if (status != PRUNE_OK && status != PRUNE_ERROR_INVALID_ARGUMENT) {
      fprintf(stderr, "%s of %zu bytes: %s: %s\n", name, part, prune_status_name(status), prune_last_error()->message);
      check_failures++;
    }
    if (part == size) OK(status);
  }
  for (size_t part = 0; part < 8; part++) {
    place = at_edge(8);
    memcpy(place, whole, 8);
    memcpy(place, &(uint32_t){(uint32_t)part}, 4);
    FAILS(use(place), PRUNE_ERROR_INVALID_ARGUMENT, "");
  }
  /* Sizes that no struct has. */
  const uint32_t sizes[] = {1u << 16, 0x7fffffffu, 0xffffffffu};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    place = at_edge(8);
    memcpy(place, whole, 8);
    memcpy(place, &sizes[i], 4);
    FAILS(use(place), PRUNE_ERROR_UNSUPPORTED, "newer");
  }
}

static void check_all_options(void) {
  const int64_t input[] = {1, 8, 8}, hidden[] = {8};
  prune_zoo_options a = PRUNE_ZOO_OPTIONS_INIT;
  a.input = input, a.input_rank = 3, a.hidden = hidden, a.hidden_count = 1;
  check_options("prune_zoo_options", &a, sizeof a, zoo);
  prune_stats_options b = PRUNE_STATS_OPTIONS_INIT;
  check_options("prune_stats_options", &b, sizeof b, stats);
  prune_fit_options c = PRUNE_FIT_OPTIONS_INIT;
  check_options("prune_fit_options", &c, sizeof c, fit);
  prune_evaluate_options d = PRUNE_EVALUATE_OPTIONS_INIT;
  check_options("prune_evaluate_options", &d, sizeof d, evaluate);
  prune_benchmark_options e = PRUNE_BENCHMARK_OPTIONS_INIT;
  e.runs = 1;
  check_options("prune_benchmark_options", &e, sizeof e, benchmark);
  prune_significance_options f = PRUNE_SIGNIFICANCE_OPTIONS_INIT;
  check_options("prune_significance_options", &f, sizeof f, significance);
  prune_prune_options g = PRUNE_PRUNE_OPTIONS_INIT;
  g.amount = 0.5;
  check_options("prune_prune_options", &g, sizeof g, prune);
  prune_quantize_options h = PRUNE_QUANTIZE_OPTIONS_INIT;
  h.scheme = "weight_only";
  check_options("prune_quantize_options", &h, sizeof h, quantize);
}

/* Results in structs of an earlier header: nothing behind them is written. */
static void check_results(void) {
  prune_report *report = NULL;
  OK(prune_model_stats(model, NULL, &report));
  for (size_t part = 8; part <= sizeof(prune_report_entry); part += 4) {
    prune_report_entry *entry = (void *)at_edge(part);
    memset(entry, 0, part);
    entry->struct_size = (uint32_t)part;
    OK(prune_report_at(report, 0, entry));
    CHECK(entry->struct_size == part && entry->kind != 0);
  }
  for (size_t part = 8; part <= sizeof(prune_value_info); part += 4) {
    prune_value_info *info = (void *)at_edge(part);
    memset(info, 0, part);
    info->struct_size = (uint32_t)part;
    OK(prune_model_input(model, 0, info));
    CHECK(info->struct_size == part && info->dtype == PRUNE_FLOAT32);
  }
  prune_report_free(report);
}

static int count(const char *folder) {
  DIR *open = opendir(folder);
  int found = 0;
  for (struct dirent *entry; open && (entry = readdir(open));) found += entry->d_name[0] != '.';
  if (open) closedir(open);
  return found;
}
static long resident(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
  if (file) fclose(file);
  return pages;
}

/* Opened and closed by many plugins, used now and then. */
static void open_often(const char *path) {
  long before = 0;
  int threads = 0, files = 0;
  for (int round = 0; round < 1000; round++) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    if (!library) return;
    if (round % 50 == 0) {
      int (*create)(void **) = (int (*)(void **))dlsym(library, "prune_context_create");
      void (*release)(void *) = (void (*)(void *))dlsym(library, "prune_context_free");
      void *context = NULL;
      CHECK(create && release && create(&context) == 0);
      if (release) release(context);
    }
    CHECK(dlclose(library) == 0);
    if (round == 100) before = resident(), threads = count("/proc/self/task"), files = count("/proc/self/fd");
  }
  CHECK(resident() < before + 256 && count("/proc/self/task") == threads && count("/proc/self/fd") == files);
}

int main(int argc, char **argv) {
  const int64_t input[] = {1, 8, 8}, hidden[] = {8};
  prune_zoo_options options = PRUNE_ZOO_OPTIONS_INIT;
  prune_dataset *all = NULL;
  options.input = input;
  options.input_rank = 3;
  options.hidden = hidden;
  options.hidden_count = 1;
  OK(prune_zoo_create(NULL, "mlp", &options, &model));
  OK(prune_dataset_digits(NULL, &all));
  OK(prune_dataset_take(all, 32, &digits));
  prune_dataset_free(all);
  check_all_options();
  check_results();
  if (argc > 1) open_often(argv[1]);
  prune_dataset_free(digits);
  prune_model_free(model);
  return check_end();
}
