/* What is fuzzed: readers and what works on what they read, with the files that mutations begin with. */
#ifndef FUZZ_TARGETS_H
#define FUZZ_TARGETS_H

#include <fcntl.h>
#include <unistd.h>

#include "../ABI/check.h"

enum { LARGEST = 1 << 22, SEEDS = 12 };

typedef struct bytes {
  unsigned char *data;
  size_t size;
} bytes;

/* MARK: - Numbers that depend on the seed alone */

static uint64_t state;
static uint64_t next(void) {
  uint64_t z = (state += 0x9E3779B97F4A7C15u);
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}
static size_t below(size_t count) { return count ? (size_t)(next() % count) : 0; }

/* MARK: - Checks */

static const char *problem;

/* A status that a caller's data may cause: everything but a bug. The error says something. */
static int is_fair(prune_status status) {
  if (status == PRUNE_OK) return 1;
  const prune_error *error = prune_last_error();
  if (status == PRUNE_ERROR_INTERNAL) problem = error->message;
  if (!error->message[0]) problem = "an error without a message";
  return 0;
}
static void free_report(prune_report *report) { prune_report_free(report); }

/* MARK: - Targets */

static prune_context *context;
static char folder[] = "/tmp/prune-fuzz-XXXXXX", place[64];

static void put(const unsigned char *data, size_t size) {
  int file = open(place, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || write(file, data, size) != (ssize_t)size) problem = "the input could not be written";
  if (file >= 0) close(file);
}

/* What a session does with a model; most models of a mutated file end early. */
static void use_model(prune_model *model) {
  prune_report *report = NULL;
  prune_buffer text = {0}, again = {0};
  prune_model *other = NULL;
  if (is_fair(prune_model_stats(model, NULL, &report))) free_report(report);
  if (is_fair(prune_model_summary(model, NULL, 100, 0, &text))) prune_buffer_free(&text);
  if (is_fair(prune_model_groups(model, &report))) free_report(report);
  prune_benchmark_options benchmark = PRUNE_BENCHMARK_OPTIONS_INIT;
  benchmark.runs = 1;
  benchmark.batch_size = 2;
  if (is_fair(prune_model_benchmark(model, &benchmark, &report))) free_report(report);
  prune_prune_options options = PRUNE_PRUNE_OPTIONS_INIT;
  options.amount = 0.5;
  options.granularity = below(2) ? "channel" : "weight";
  if (is_fair(prune_model_prune(model, &options, &other, &report))) {
    free_report(report);
    prune_model_free(other);
  }
  prune_quantize_options quantize = PRUNE_QUANTIZE_OPTIONS_INIT;
  static const char *const schemes[] = {"weight_only", "dynamic", "float16", "palette"};
  quantize.scheme = schemes[below(4)];
  if (is_fair(prune_model_quantize(model, &quantize, &other, &report))) {
    free_report(report);
    prune_model_free(other);
  }
  prune_factorize_options factorize = PRUNE_FACTORIZE_OPTIONS_INIT;
  factorize.energy = 0.5;
  factorize.form = below(2) ? "channel" : "spatial";
  if (is_fair(prune_model_factorize(model, &factorize, &other, &report))) {
    free_report(report);
    prune_model_free(other);
  }
  if (is_fair(prune_model_simplify(model, &other, &report))) {
    free_report(report);
    prune_model_free(other);
  }
  /* What was read can be written and read again. */
  if (is_fair(prune_model_save_memory(model, &text))) {
    prune_model *back = NULL;
    prune_status status = prune_model_load_memory(context, text.data, text.size, &back);
    if (status != PRUNE_OK && status != PRUNE_ERROR_OUT_OF_MEMORY) problem = "what was saved cannot be read";
    if (back && is_fair(prune_model_save_memory(back, &again)) &&
        (again.size != text.size || memcmp(again.data, text.data, text.size) != 0)) {
      problem = "what was saved is saved otherwise when it is read again";
    }
    prune_model_free(back);
  }
  prune_buffer_free(&text);
  prune_buffer_free(&again);
}

static void model_file(const unsigned char *data, size_t size) {
  prune_model *model = NULL;
  put(data, size);
  if (is_fair(prune_model_load(context, place, NULL, &model))) use_model(model);
  prune_model_free(model);
}
static void model_memory(const unsigned char *data, size_t size) {
  prune_model *model = NULL;
  if (is_fair(prune_model_load_memory(context, data, size, &model))) use_model(model);
  prune_model_free(model);
}
static void use_dataset(prune_status status, prune_dataset *data) {
  prune_dataset *a = NULL, *b = NULL;
  prune_tensor *x = NULL;
  if (!is_fair(status)) return;
  if (prune_dataset_count(data) == 0) problem = "a data set without a sample";
  if (is_fair(prune_dataset_split(data, 0.5, 1, &a, &b))) {
    prune_dataset_free(a);
    prune_dataset_free(b);
  }
  if (is_fair(prune_dataset_x(data, &x))) prune_tensor_free(x);
  prune_dataset_free(data);
}
static void table(const unsigned char *data, size_t size) {
  prune_dataset *made = NULL;
  put(data, size);
  static const char *const labels[] = {NULL, "0", "label"};
  prune_status status = prune_dataset_csv(context, place, labels[below(3)], &made);
  use_dataset(status, made);
}
static void images(const unsigned char *data, size_t size) {
  prune_dataset *made = NULL;
  put(data, size);
  prune_status status = prune_dataset_idx(context, place, place, &made);
  use_dataset(status, made);
  const char *paths[] = {place};
  made = NULL;
  status = prune_dataset_cifar10(context, paths, 1, &made);
  use_dataset(status, made);
}
static void arrays(const unsigned char *data, size_t size) {
  prune_tensors *tensors = NULL;
  prune_dataset *made = NULL;
  put(data, size);
  if (is_fair(prune_tensors_load_npz(place, &tensors))) {
    for (size_t index = 0; index < prune_tensors_count(tensors); index++) {
      prune_tensor *tensor = NULL;
      if (!is_fair(prune_tensors_get(tensors, prune_tensors_name(tensors, index), &tensor))) continue;
      const unsigned char *all = prune_tensor_data(tensor);
      volatile unsigned char sum = 0;
      for (size_t at = 0; at < prune_tensor_byte_count(tensor); at++) sum = (unsigned char)(sum + all[at]);
      prune_tensor_free(tensor);
    }
    prune_tensors_free(tensors);
  }
  prune_status status = prune_dataset_npz(context, place, NULL, NULL, &made);
  use_dataset(status, made);
}
static prune_model *small;
static prune_dataset *digits;
static void recipe(const unsigned char *data, size_t size) {
  char *text = malloc(size + 1);
  prune_model *slim = NULL;
  prune_report *report = NULL;
  if (!text) return;
  memcpy(text, data, size);
  text[size] = 0;
  prune_prune_options options = PRUNE_PRUNE_OPTIONS_INIT;
  options.recipe = text;
  options.data = digits;
  if (is_fair(prune_model_prune(small, &options, &slim, &report))) {
    free_report(report);
    prune_model_free(slim);
  }
  free(text);
}

/* MARK: - Seeds */

static bytes seeds[SEEDS];
static size_t seed_count;

static void add_seed(const void *data, size_t size) {
  if (seed_count == SEEDS || size > LARGEST / 2) return;
  unsigned char *copy = malloc(size + 1);
  if (!copy) return;
  memcpy(copy, data, size);
  seeds[seed_count++] = (bytes){copy, size};
}
static void add_file(const char *path) {
  static unsigned char buffer[LARGEST];
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t size = file < 0 ? -1 : read(file, buffer, sizeof buffer);
  if (file >= 0) close(file);
  if (size >= 0) add_seed(buffer, (size_t)size);
}
static prune_model *network(const char *name, int64_t width) {
  const int64_t input[] = {1, 8, 8}, hidden[] = {width};
  prune_model *made = NULL;
  prune_zoo_options options = PRUNE_ZOO_OPTIONS_INIT;
  options.input = input;
  options.input_rank = 3;
  if (strcmp(name, "mlp") == 0 || strcmp(name, "lstm") == 0) options.hidden = hidden, options.hidden_count = 1;
  OK(prune_zoo_create(context, name, &options, &made));
  return made;
}
static void model_seeds(const char *suffix) {
  static const char *const names[] = {"mlp", "lstm", "mlp"};
  static const char *const schemes[] = {NULL, NULL, "dynamic", "palette"};
  for (int index = 0; index < 4; index++) {
    prune_model *made = network(names[index % 3], 6), *other = NULL;
    char path[80];
    snprintf(path, sizeof path, "%s/seed%s", folder, suffix);
    if (schemes[index]) {
      prune_quantize_options options = PRUNE_QUANTIZE_OPTIONS_INIT;
      options.scheme = schemes[index];
      OK(prune_model_quantize(made, &options, &other, NULL));
    }
    OK(prune_model_save(other ? other : made, path));
    add_file(path);
    prune_model_free(made);
    prune_model_free(other);
  }
}
static void onnx_seeds(void) { model_seeds(".onnx"); }
static void packed_seeds(void) { model_seeds(".prunez"); }
static void table_seeds(void) {
  add_seed("a,b,label\n1,2,x\n3.5,-4e3,y\n\"5\",6,x\n", 36);
  add_seed("1;2;0\r\n3;4;1\r\n\r\n5;nan;2\n", 25);
  add_seed(
      "\xEF\xBB\xBF"
      "1\t2\n.5\t+1\ninf\t-0\n",
      20);
  add_seed(
      "\x1f\x8b\x08\0\0\0\0\0\0\x03\x33\xd4\x31\xd2\x31\xe0\x32\xd6\x31\xd1\x31\xe4\x02\0\x5c\x79\x06\x71\x0c\0\0\0",
      32);
}
static void image_seeds(void) {
  unsigned char file[16 + 2 * 9] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3},
                              labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};
  add_seed(file, sizeof file);
  add_seed(labels, sizeof labels);
  static unsigned char record[2 * 3073];
  add_seed(record, sizeof record);
}
static void array_seeds(void) {
  char path[80];
  snprintf(path, sizeof path, "%s/seed.npz", folder);
  for (int round = 0; round < 2; round++) {
    prune_tensors *tensors = NULL;
    OK(prune_tensors_create(&tensors));
    for (int index = 0; index < 3; index++) {
      static const prune_dtype types[] = {PRUNE_FLOAT32, PRUNE_INT64, PRUNE_UINT8};
      const int64_t shape[] = {4, 2};
      prune_tensor *tensor = NULL;
      OK(prune_tensor_create(types[index], round && index == 1 ? 1 : 2, shape, NULL, &tensor));
      OK(prune_tensors_set(tensors, index == 0 ? "x" : index == 1 ? "y" : "z", tensor));
      prune_tensor_free(tensor);
    }
    OK(prune_tensors_save_npz(tensors, path));
    add_file(path);
    prune_tensors_free(tensors);
  }
  static const char npy[] =
      "\x93NUMPY\1\0\x46\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n";
  unsigned char array[sizeof npy - 1 + 24] = {0};
  memcpy(array, npy, sizeof npy - 1);
  add_seed(array, sizeof array);
}
static void recipe_seeds(void) {
  static const char *const granularities[] = {"weight", "channel", "2:4"};
  for (int index = 0; index < 3; index++) {
    prune_prune_options options = PRUNE_PRUNE_OPTIONS_INIT;
    prune_fit_options recover = PRUNE_FIT_OPTIONS_INIT;
    prune_model *slim = NULL;
    prune_report *report = NULL;
    prune_buffer text = {0};
    options.granularity = granularities[index];
    if (index < 2) options.amount = 0.5;
    if (index == 1) options.recover = &recover, options.data = digits;
    OK(prune_model_prune(small, &options, &slim, &report));
    OK(prune_report_recipe(report, &text));
    add_seed(text.data, text.size);
    prune_buffer_free(&text);
    prune_report_free(report);
    prune_model_free(slim);
  }
}

static const struct target {
  const char *name, *suffix;
  void (*prepare)(void);
  void (*run)(const unsigned char *data, size_t size);
} targets[] = {
    {"onnx", "x.onnx", onnx_seeds, model_memory},
    {"onnx_file", "x.onnx", onnx_seeds, model_file},
    {"prunez", "x.prunez", packed_seeds, model_file},
    {"csv", "x.csv", table_seeds, table},
    {"idx", "x.idx", image_seeds, images},
    {"npz", "x.npz", array_seeds, arrays},
    {"recipe", "x.txt", recipe_seeds, recipe},
};
enum { TARGETS = sizeof targets / sizeof *targets };

#endif
