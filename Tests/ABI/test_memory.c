/* Memory: what the system refuses ends a call with PRUNE_ERROR_OUT_OF_MEMORY and nothing else, and a limit refuses work before
 * it begins. Every allocation of 64 KB or more that a call makes is refused once, alone and with all that follow it. */
#define _GNU_SOURCE
#include "check.h"
#include "refusing_allocator.h"

/* MARK: - The calls */

static prune_context *context;
static prune_dataset *digits;
static prune_model *model;
static prune_tensor *images;
static prune_tensors *arrays;
static prune_buffer file;
static char folder[] = "/tmp/prune-memory-XXXXXX", csv[64], npz[64], onnx[64], packed[64], out[64];

/* A call that makes one `object`, which is freed whatever comes of it. */
#define MAKES(name, type, call)    \
  static prune_status name(void) { \
    type *object = NULL;           \
    prune_status status = call;    \
    type##_free(object);           \
    return status;                 \
  }

static prune_status make_tensor(void) {
  const int64_t shape[] = {300, 300};
  prune_tensor *tensor = NULL;
  prune_status status = prune_tensor_create(PRUNE_FLOAT32, 2, shape, NULL, &tensor);
  prune_tensor_free(tensor);
  return status;
}
static prune_status write_tensor(void) {
  prune_tensor *copy = NULL;
  void *data = NULL;
  prune_status status = prune_dataset_x(digits, &copy);
  if (!status) status = prune_tensor_data_mutable(copy, &data);
  prune_tensor_free(copy);

  return status;
}
MAKES(read_digits, prune_dataset, prune_dataset_digits(context, &object))
MAKES(read_csv, prune_dataset, prune_dataset_csv(context, csv, NULL, &object))
MAKES(read_npz, prune_tensors, prune_tensors_load_npz(npz, &object))
static prune_status write_npz(void) { return prune_tensors_save_npz(arrays, out); }
static prune_status split(void) {
  prune_dataset *a = NULL, *b = NULL;
  prune_status status = prune_dataset_split(digits, 0.5, 1, &a, &b);
  prune_dataset_free(a);
  prune_dataset_free(b);
  return status;
}
MAKES(load, prune_model, prune_model_load(context, onnx, NULL, &object))
MAKES(load_packed, prune_model, prune_model_load(context, packed, NULL, &object))
MAKES(load_memory, prune_model, prune_model_load_memory(context, file.data, file.size, &object))
static prune_status save(void) { return prune_model_save(model, out); }
static prune_status save_packed(void) {
  char path[80];
  snprintf(path, sizeof path, "%s.prunez", out);
  return prune_model_save(model, path);
}
static prune_status save_memory(void) {
  prune_buffer buffer = {0};
  prune_status status = prune_model_save_memory(model, &buffer);
  prune_buffer_free(&buffer);
  return status;
}
MAKES(predict, prune_tensor, prune_model_predict(model, images, &object))
static prune_status with_report(prune_status status, prune_report *report) {
  prune_report_free(report);
  return status;
}
MAKES(evaluate, prune_report, prune_model_evaluate(model, digits, NULL, &object))
static prune_status benchmark(void) {
  prune_benchmark_options options = PRUNE_BENCHMARK_OPTIONS_INIT;
  options.batch_size = 64;
  options.runs = 3;
  prune_report *report = NULL;
  prune_status status = prune_model_benchmark(model, &options, &report);
  return with_report(status, report);
}
static prune_status fit(void) {
  prune_fit_options options = PRUNE_FIT_OPTIONS_INIT;
  options.batch_size = 256;
  options.optimizer = "adam";
  options.validation_split = 0.2;
  prune_report *report = NULL;
  prune_status status = prune_model_fit(model, digits, &options, &report);
  return with_report(status, report);
}
static prune_status significance(void) {
  prune_significance_options options = PRUNE_SIGNIFICANCE_OPTIONS_INIT;
  options.criterion = "taylor";
  options.data = digits;
  prune_report *report = NULL;
  prune_status status = prune_model_significance(model, &options, &report);
  return with_report(status, report);
}
static prune_status prune_by(const char *criterion, const char *granularity) {
  prune_prune_options options = PRUNE_PRUNE_OPTIONS_INIT;
  options.criterion = criterion;
  options.granularity = granularity;
  options.amount = 0.5;
  options.data = digits;
  prune_report *report = NULL;
  prune_model *slim = NULL;
  prune_status status = prune_model_prune(model, &options, &slim, &report);
  prune_model_free(slim);
  return with_report(status, report);
}
static prune_status prune_weights(void) { return prune_by("magnitude", "weight"); }
static prune_status prune_gradients(void) { return prune_by("fisher", "weight"); }
static prune_status prune_channels(void) { return prune_by("l2", "channel"); }
static prune_status quantize_by(const char *scheme) {
  prune_quantize_options options = PRUNE_QUANTIZE_OPTIONS_INIT;
  options.scheme = scheme;
  options.calibration = digits;
  prune_report *report = NULL;
  prune_model *small = NULL;
  prune_status status = prune_model_quantize(model, &options, &small, &report);
  prune_model_free(small);
  return with_report(status, report);
}
static prune_status quantize_static(void) { return quantize_by("static"); }
static prune_status quantize_weights(void) { return quantize_by("weight_only"); }
static prune_status quantize_palette(void) { return quantize_by("palette"); }
MAKES(sizes, prune_report, prune_model_sizes(model, &object))
static prune_status zoo(void) {
  const int64_t input[] = {1, 8, 8};
  prune_zoo_options options = PRUNE_ZOO_OPTIONS_INIT;
  options.input = input;
  options.input_rank = 3;
  prune_model *net = NULL;
  prune_status status = prune_zoo_create(context, "lenet_300_100", &options, &net);
  prune_model_free(net);
  return status;
}

static const struct {
  const char *name;
  prune_status (*call)(void);
} calls[] = {
    {"tensor_create", make_tensor},
    {"tensor_data_mutable", write_tensor},
    {"dataset_digits", read_digits},
    {"dataset_csv", read_csv},
    {"tensors_load_npz", read_npz},
    {"tensors_save_npz", write_npz},
    {"dataset_split", split},
    {"zoo_create", zoo},
    {"model_load", load},
    {"model_load packed", load_packed},
    {"model_load_memory", load_memory},
    {"model_save", save},
    {"model_save packed", save_packed},
    {"model_save_memory", save_memory},
    {"model_predict", predict},
    {"model_evaluate", evaluate},
    {"model_benchmark", benchmark},
    {"model_fit", fit},
    {"model_significance", significance},
    {"model_prune weights", prune_weights},
    {"model_prune by gradients", prune_gradients},
    {"model_prune channels", prune_channels},
    {"model_quantize static", quantize_static},
    {"model_quantize weight_only", quantize_weights},
    {"model_quantize palette", quantize_palette},
    {"model_sizes", sizes},
};
enum { CALLS = sizeof calls / sizeof *calls };

/* Of the model's file, byte by byte. */
static uint64_t fingerprint(void) {
  prune_buffer buffer = {0};
  uint64_t sum = 1469598103934665603u;
  OK(prune_model_save_memory(model, &buffer));
  for (size_t at = 0; at < buffer.size; at++) sum = (sum ^ (unsigned char)buffer.data[at]) * 1099511628211u;
  prune_buffer_free(&buffer);
  return sum;
}

/* Programs that a model keeps would hide what the next call allocates. */
static void renew(void) {
  prune_model_free(model);
  model = NULL;
  OK(prune_model_load_memory(context, file.data, file.size, &model));
}

static void check_call(int index, int for_good, int at_most) {
  uint64_t before = fingerprint();
  int points = 0, failed = 0, total = 0;
  /* How many there are. */
  renew();
  allocations = 0, refused = 1 << 30, refused_for_good = for_good;
  OK(calls[index].call());
  total = allocations, refused = 0;
  int stride = total / at_most + 1;
  for (int number = 1; number <= total; number += number < 12 ? 1 : stride) {
    renew();
    allocations = 0, refused_for_good = for_good, refused = number;
    prune_status status = calls[index].call();
    refused = 0;
    points++;
    failed += status != PRUNE_OK;
    if (status != PRUNE_OK && status != PRUNE_ERROR_OUT_OF_MEMORY) {
      fprintf(stderr, "%s: large allocation %d of %d refused: %s: %s: %s\n", calls[index].name, number, total,
              prune_status_name(status), prune_last_error()->where, prune_last_error()->message);
      check_failures++;
    }
    if (status != PRUNE_OK && fingerprint() != before) {
      fprintf(stderr, "%s: large allocation %d of %d refused: the model changed\n", calls[index].name, number, total);
      check_failures++;
    }
  }
  renew();
  OK(calls[index].call());
  renew();
  if (getenv("PRUNE_VERBOSE"))
    printf("%-28s %4d large allocations, %3d refused, %3d calls failed\n", calls[index].name, total, points, failed);
}

static void prepare(void) {
  CHECK(mkdtemp(folder) != NULL);
  snprintf(csv, sizeof csv, "%s/a.csv", folder);
  snprintf(npz, sizeof npz, "%s/a.npz", folder);
  snprintf(onnx, sizeof onnx, "%s/a.onnx", folder);
  snprintf(packed, sizeof packed, "%s/a.prunez", folder);
  snprintf(out, sizeof out, "%s/out", folder);
  FILE *text = fopen(csv, "w");
  for (int row = 0; text && row < 3000; row++) {
    for (int column = 0; column < 30; column++) fprintf(text, "%d.5,", row * column % 97);
    fprintf(text, "%d\n", row % 7);
  }
  if (text) fclose(text);
  OK(prune_context_create(&context));
  OK(prune_context_set_threads(context, 1));
  OK(prune_dataset_digits(context, &digits));
  OK(prune_dataset_x(digits, &images));
  OK(prune_tensors_create(&arrays));
  OK(prune_tensors_set(arrays, "x", images));
  OK(prune_tensors_save_npz(arrays, npz));
  const int64_t input[] = {1, 8, 8};
  prune_zoo_options options = PRUNE_ZOO_OPTIONS_INIT;
  options.input = input;
  options.input_rank = 3;
  OK(prune_zoo_create(context, "lenet5", &options, &model));
  OK(prune_model_save_memory(model, &file));
  OK(prune_model_save(model, onnx));
  OK(prune_model_save(model, packed));
}

/* MARK: - Limits */

static void check_limits(void) {
  prune_context *small = NULL;
  prune_dataset *data = NULL;
  prune_model *net = NULL;
  int64_t used = -1, peak = -1;
  OK(prune_context_create(&small));
  FAILS(prune_context_set_memory_limit(small, -1), PRUNE_ERROR_INVALID_ARGUMENT, "bytes is -1");
  OK(prune_context_memory(small, &used, &peak));
  CHECK(used == 0 && peak == 0);
  OK(prune_context_set_memory_limit(small, 100000));
  FAILS(prune_dataset_digits(small, &data), PRUNE_ERROR_OUT_OF_MEMORY, "memory limit");
  CHECK(data == NULL);
  OK(prune_context_memory(small, &used, NULL));
  CHECK(used == 0);
  OK(prune_context_set_memory_limit(small, 0));
  OK(prune_dataset_digits(small, &data));
  OK(prune_context_memory(small, &used, &peak));
  CHECK(used >= 1797 * 64 * 4 && peak >= used && used < 4 << 20);
  /* A model's calls follow the context that it was made with. */
  OK(prune_model_load_memory(small, file.data, file.size, &net));
  prune_report *report = NULL;
  OK(prune_model_evaluate(net, data, NULL, &report));
  double loss = NAN, again = NAN;
  OK(prune_report_number(report, "loss", &loss));
  prune_report_free(report);
  prune_model_free(net);
  OK(prune_model_load_memory(small, file.data, file.size, &net));
  OK(prune_context_memory(small, &used, NULL));
  OK(prune_context_set_memory_limit(small, used + 300000));
  prune_fit_options fit = PRUNE_FIT_OPTIONS_INIT;
  fit.batch_size = 1024;
  fit.optimizer = "adam";
  uint64_t before = fingerprint();
  FAILS(prune_model_fit(net, data, &fit, NULL), PRUNE_ERROR_OUT_OF_MEMORY, "memory limit");
  FAILS(prune_model_evaluate(net, data, NULL, &report), PRUNE_ERROR_OUT_OF_MEMORY, "memory limit");
  CHECK(fingerprint() == before);
  OK(prune_context_set_memory_limit(small, 0));
  OK(prune_model_evaluate(net, data, NULL, &report));
  OK(prune_report_number(report, "loss", &again));
  prune_report_free(report);
  CHECK(again == loss);
  prune_model_free(net);
  prune_dataset_free(data);
  OK(prune_context_memory(small, &used, NULL));
  CHECK(used == 0);
  /* Without a context. */
  OK(prune_context_memory(NULL, &used, NULL));
  OK(prune_context_set_memory_limit(NULL, used + 1000));
  const int64_t shape[] = {1000};
  prune_tensor *tensor = NULL;
  FAILS(prune_tensor_create(PRUNE_FLOAT32, 1, shape, NULL, &tensor), PRUNE_ERROR_OUT_OF_MEMORY, "memory limit");
  OK(prune_context_set_memory_limit(NULL, 0));
  OK(prune_tensor_create(PRUNE_FLOAT32, 1, shape, NULL, &tensor));
  prune_tensor_free(tensor);
  /* What outlives its context is still given back. */
  OK(prune_dataset_digits(small, &data));
  prune_context_free(small);
  prune_dataset_free(data);
}

int main(int argc, char **argv) {
  (void)argc;
  /* The number of points of each call, more in a long run. */
  int at_most = getenv("PRUNE_POINTS") ? atoi(getenv("PRUNE_POINTS")) : 12;
  const char *only = getenv("PRUNE_ONLY");
  prepare();
  if (check_failures) return check_end();
  check_limits();
  for (int index = 0; index < CALLS; index++) {
    if (only && strcmp(only, calls[index].name) != 0) continue;
    check_call(index, 0, at_most);
    check_call(index, 1, at_most);
  }
  prune_tensors_free(arrays);
  prune_tensor_free(images);
  prune_dataset_free(digits);
  prune_model_free(model);
  prune_buffer_free(&file);
  prune_context_free(context);
  char command[80];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  CHECK(system(command) == 0);
  (void)argv;
  return check_end();
}
