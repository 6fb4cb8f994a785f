/* Speed and memory through the public ABI, as an embedder sees them: bench [SHARED [RUNS]]
 * SHARED is the folder with models and data that developers have; what needs it is left out without it. */
#include <prune.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "large_model.h"
#include "measuring.h"

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double resident_megabytes(void) {
  long total = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file) {
    if (fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
    fclose(file);
  }
  return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static void line(const char *what, double value, const char *unit, const char *goal) {
  printf("%-58s %10.2f %-10s %s\n", what, value, unit, goal);
  fflush(stdout);
}

/* Opening a file: time of prune_model_load, and what stays resident. */
static void bench_open(const char *label, const char *path, int runs) {
  double times[64];
  prune_model *model = NULL;
  double before = resident_megabytes();
  for (int run = 0; run < runs; run++) {
    prune_model_free(model);
    double start = now();
    check(prune_model_load(NULL, path, NULL, &model));
    times[run] = (now() - start) * 1e3;
  }
  char what[128];
  snprintf(what, sizeof what, "open %s", label);
  line(what, median(times, runs), "ms", "<= 10");
  snprintf(what, sizeof what, "open %s: resident memory", label);
  line(what, resident_megabytes() - before, "MB", "no copy of the weights");
  prune_model_free(model);
}

static prune_model *network(const char *name, const int64_t *input, size_t rank, const int64_t *hidden, size_t count) {
  prune_model *model = NULL;
  prune_zoo_options options = PRUNE_ZOO_OPTIONS_INIT;
  options.input = input;
  options.input_rank = rank;
  options.hidden = hidden;
  options.hidden_count = count;
  check(prune_zoo_create(NULL, name, &options, &model));
  return model;
}

/* Pruning by magnitude over all weights of a 25-million-weight network. */
static void bench_prune(int runs) {
  const int64_t input[] = {5000}, hidden[] = {4990};
  prune_model *model = network("mlp", input, 1, hidden, 1), *pruned = NULL;
  double times[64];
  for (int run = 0; run < runs; run++) {
    prune_prune_options options = PRUNE_PRUNE_OPTIONS_INIT;
    options.amount = 0.5 + 0.01 * run;
    double start = now();
    check(prune_model_prune(model, &options, &pruned, NULL));
    times[run] = now() - start;
    prune_model_free(pruned);
  }
  line("global magnitude pruning of 25 million weights", median(times, runs), "s", "<= 0.1");
  prune_model_free(model);
}

/* Random images with classes. */
static prune_dataset *images(int64_t samples, int64_t channels, int64_t extent) {
  const int64_t shape[] = {samples, channels, extent, extent};
  prune_tensor *x = NULL, *y = NULL;
  prune_dataset *data = NULL;
  void *bytes = NULL;
  check(prune_tensor_create(PRUNE_FLOAT32, 4, shape, NULL, &x));
  check(prune_tensor_data_mutable(x, &bytes));
  unsigned state = 1;
  for (int64_t index = 0; index < samples * channels * extent * extent; index++) {
    ((float *)bytes)[index] = next_random(&state);
  }
  check(prune_tensor_create(PRUNE_INT64, 1, shape, NULL, &y));
  check(prune_tensor_data_mutable(y, &bytes));
  for (int64_t index = 0; index < samples; index++) ((int64_t *)bytes)[index] = index % 10;
  check(prune_dataset_from_tensors(NULL, x, y, &data));
  prune_tensor_free(x);
  prune_tensor_free(y);
  return data;
}

/* Scores of all weights by magnitude, 25 million of them. */
static void bench_significance(int runs) {
  const int64_t input[] = {5000}, hidden[] = {4990};
  prune_model *model = network("mlp", input, 1, hidden, 1);
  prune_report *report = NULL;
  double times[64];
  for (int run = 0; run < runs; run++) {
    prune_significance_options options = PRUNE_SIGNIFICANCE_OPTIONS_INIT;
    double start = now();
    check(prune_model_significance(model, &options, &report));
    times[run] = now() - start;
    prune_report_free(report);
  }
  line("significance by magnitude of 25 million weights", median(times, runs), "s", "<= 0.1");
  prune_model_free(model);
}

/* What criteria of the gradient cost beside the steps of training they are made of: forward, backward, and no update. The runs
 * alternate, so that both see the same machine. */
static void bench_gradients(int runs) {
  const int64_t input[] = {3, 32, 32}, samples = 512;
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  zoo.input = input;
  zoo.input_rank = 3;
  zoo.depth = 20;
  prune_model *model = NULL, *copy = NULL;
  prune_dataset *data = images(samples, 3, 32);
  check(prune_zoo_create(NULL, "resnet", &zoo, &model));
  const char *criteria[] = {"taylor", "fisher"};
  for (int criterion = 0; criterion < 2; criterion++) {
    double ratios[64];
    for (int run = 0; run < runs; run++) {
      prune_significance_options options = PRUNE_SIGNIFICANCE_OPTIONS_INIT;
      prune_fit_options fit = PRUNE_FIT_OPTIONS_INIT;
      prune_report *report = NULL;
      options.criterion = criteria[criterion];
      options.data = data;
      options.batch_size = fit.batch_size = 64;
      fit.optimizer = "sgd";
      double start = now();
      check(prune_model_significance(model, &options, &report));
      double scored = now();
      prune_report_free(report);
      check(prune_model_clone(model, &copy));
      double cloned = now();
      check(prune_model_fit(copy, data, &fit, NULL));
      ratios[run] = (scored - start) / (now() - cloned);
      prune_model_free(copy);
    }
    char what[128];
    snprintf(what, sizeof what, "significance by %s over an epoch of SGD (ResNet-20)", criteria[criterion]);
    line(what, median(ratios, runs), "", "<= 1.1");
  }
  prune_model_free(model);
  prune_dataset_free(data);
}

/* The metric against the amount, every layer at five amounts. */
static void bench_sensitivity(const char *path) {
  prune_model *model = NULL;
  prune_report *report = NULL;
  prune_dataset *data = images(1000, 3, 32);
  prune_sensitivity_options options = PRUNE_SENSITIVITY_OPTIONS_INIT;
  options.data = data;
  check(prune_model_load(NULL, path, NULL, &model));
  double start = now();
  check(prune_model_sensitivity(model, &options, &report));
  line("sensitivity of ResNet-20, 1,000 images, 5 amounts", now() - start, "s", "<= 60");
  prune_report_free(report);
  prune_model_free(model);
  prune_dataset_free(data);
}

/* Training with Adam, batches of 64. */
static void bench_training(const char *name, int64_t samples, const char *goal, int runs) {
  const int64_t input[] = {1, 28, 28};
  prune_dataset *data = images(samples, 1, 28);
  double rates[64];
  prune_model *model = network(name, input, 3, NULL, 0);
  for (int run = 0; run < runs; run++) {
    prune_fit_options options = PRUNE_FIT_OPTIONS_INIT;
    options.batch_size = 64;
    double start = now();
    check(prune_model_fit(model, data, &options, NULL));
    rates[run] = (double)samples / (now() - start);
  }
  char what[128];
  snprintf(what, sizeof what, "train %s, batch 64, Adam", name);
  line(what, median(rates, runs), "samples/s", goal);
  prune_model_free(model);
  prune_dataset_free(data);
}

static void bench_latency(const char *label, const char *path, uint32_t batch) {
  prune_model *model = NULL;
  prune_report *report = NULL;
  double median_ms = 0;
  prune_benchmark_options options = PRUNE_BENCHMARK_OPTIONS_INIT;
  options.batch_size = batch;
  check(prune_model_load(NULL, path, NULL, &model));
  check(prune_model_benchmark(model, &options, &report));
  check(prune_report_number(report, "median_ms", &median_ms));
  char what[128];
  snprintf(what, sizeof what, "run %s, batch %u", label, batch);
  line(what, median_ms, "ms", "");
  prune_report_free(report);
  prune_model_free(model);
}

int main(int argc, char **argv) {
  const char *shared = argc > 1 ? argv[1] : "";
  int runs = argc > 2 ? atoi(argv[2]) : 5;
  char path[4096];
  if (runs < 1 || runs > 64) runs = 5;

  char large[] = "/tmp/prune-bench-XXXXXX.onnx";
  int descriptor = mkstemps(large, 5);
  if (descriptor >= 0 && write_vgg16(descriptor)) bench_open("VGG-16, one file of 553 MB", large, runs);
  unlink(large);
  const char *minilm = getenv("PRUNE_MINILM");
  if (minilm && access(minilm, R_OK) == 0) bench_open("MiniLM, external data of 90 MB", minilm, runs);
  bench_prune(runs);
  bench_significance(runs);
  bench_gradients(runs);
  snprintf(path, sizeof path, "%s/models/resnet_cifar/resnet20_cifar10_jpegft.onnx", shared);
  if (access(path, R_OK) == 0) bench_sensitivity(path);
  bench_training("lenet5", 6400, ">= 4000", runs);
  bench_training("lenet_300_100", 32000, ">= 40000", runs);
  for (uint32_t batch = 1; batch <= 64; batch *= 64) {
    snprintf(path, sizeof path, "%s/models/resnet_cifar/resnet20_cifar10.onnx", shared);
    if (access(path, R_OK) == 0) bench_latency("ResNet-20 (CIFAR-10)", path, batch);
    snprintf(path, sizeof path, "%s/models/mobilenet_v2/mobilenet_v2_imagenet.onnx", shared);
    if (batch == 1 && access(path, R_OK) == 0) bench_latency("MobileNetV2 (ImageNet)", path, batch);
  }
  return 0;
}
