/* The main job: train, look, prune, fine-tune, quantize, save, reload; callbacks, cancelling, errors. */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

static int stop_after_two(const prune_event *event, void *user) {
  CHECK(event->struct_size >= sizeof *event);
  return event->kind == PRUNE_EVENT_STEP && ++*(int *)user >= 2;
}

static int count_epochs(const prune_event *event, void *user) {
  if (event->kind == PRUNE_EVENT_EPOCH) ++*(int *)user;
  return 0;
}

static double metric(prune_model *model, const prune_dataset *data, const char *name) {
  prune_report *report = NULL;
  double value = NAN;
  OK(prune_model_evaluate(model, data, NULL, &report));
  OK(prune_report_number(report, name, &value));
  prune_report_free(report);
  return value;
}

static double sparsity(const prune_model *model) {
  prune_report *report = NULL;
  double value = NAN;
  OK(prune_model_stats(model, NULL, &report));
  OK(prune_report_number(report, "sparsity", &value));
  prune_report_free(report);
  return value;
}

/* Number of exact zeros in a parameter. */
static size_t zeros(const prune_model *model, const char *name) {
  prune_tensor *tensor = NULL;
  size_t count = 0;
  OK(prune_model_parameter(model, name, &tensor));
  const float *values = prune_tensor_data(tensor);
  for (size_t index = 0; index < prune_tensor_count(tensor); index++) count += values[index] == 0;
  prune_tensor_free(tensor);
  return count;
}

int main(void) {
  prune_context *context = NULL;
  prune_dataset *digits = NULL, *train = NULL, *test = NULL;
  prune_model *model = NULL, *pruned = NULL, *int8 = NULL, *loaded = NULL, *kept = NULL;
  prune_report *report = NULL;
  prune_buffer text = {0};
  prune_report_entry entry = {.struct_size = sizeof entry};
  char path[] = "/tmp/prune-test-XXXXXX.onnx";
  int epochs = 0, steps = 0;

  OK(prune_context_create(&context));
  OK(prune_dataset_digits(context, &digits));
  OK(prune_dataset_split(digits, 0.2, 7, &train, &test));
  const int64_t input[] = {1, 8, 8}, hidden[] = {64};
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  zoo.input = input;
  zoo.input_rank = 3;
  zoo.hidden = hidden;
  zoo.hidden_count = 1;
  OK(prune_zoo_create(context, "mlp", &zoo, &model));
  prune_value_info info = {.struct_size = sizeof info};
  OK(prune_model_input(model, 0, &info));
  CHECK(info.rank == 4 && info.shape[0] == -1 && strcmp(info.symbols[0], "N") == 0 && info.shape[2] == 8);
  FAILS(prune_model_input(model, 1, &info), PRUNE_ERROR_NOT_FOUND, "1 inputs");

  prune_fit_options fit = PRUNE_FIT_OPTIONS_INIT;
  fit.epochs = 12;
  fit.batch_size = 32;
  fit.validation_split = 0.1;
  fit.on_event = count_epochs;
  fit.user = &epochs;
  OK(prune_model_fit(model, train, &fit, &report));
  CHECK(epochs == 12);
  OK(prune_report_find(report, "epochs.11.loss", &entry));
  CHECK(entry.kind == PRUNE_REPORT_NUMBER && entry.number < 0.3);
  prune_report_free(report);
  double dense = metric(model, test, "accuracy");
  CHECK(dense > 0.93);

  /* Bad options leave the model as it was. */
  fit.optimizer = "adamm";
  FAILS(prune_model_fit(model, train, &fit, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "adamm");
  fit.optimizer = NULL;
  fit.lr = -1;
  FAILS(prune_model_fit(model, train, &fit, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "lr");
  fit.struct_size = 0;
  FAILS(prune_model_fit(model, train, &fit, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "not initialized");
  prune_fit_options blank;
  memset(&blank, 0, sizeof blank);
  blank.struct_size = sizeof blank;
  FAILS(prune_model_fit(model, train, &blank, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "not initialized");
  CHECK(strstr(prune_last_error()->hint, "PRUNE_FIT_OPTIONS_INIT"));
  prune_fit_options_init(&blank, sizeof blank);
  CHECK(blank.epochs == 1 && blank.shuffle == 1 && blank.lr == PRUNE_NOT_GIVEN);
  const prune_fit_options initial = PRUNE_FIT_OPTIONS_INIT;
  CHECK(blank.struct_size == initial.struct_size && blank.beta2 == initial.beta2 &&
        blank.batch_size == initial.batch_size);
  blank.epochs = 0;
  FAILS(prune_model_fit(model, train, &blank, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "epochs is 0");
  /* A struct of an earlier header, which ends sooner, gets the defaults of what it lacks. */
  prune_fit_options earlier = PRUNE_FIT_OPTIONS_INIT;
  earlier.struct_size = offsetof(prune_fit_options, shuffle);
  earlier.optimizer = "nonsense";
  earlier.shuffle = 0;
  prune_model *fitted = NULL;
  OK(prune_model_clone(model, &fitted));
  OK(prune_model_fit(fitted, train, &earlier, NULL));
  prune_model_free(fitted);
  struct {
    prune_fit_options known;
    int64_t unknown;
  } newer = {PRUNE_FIT_OPTIONS_INIT, 1};
  newer.known.struct_size = sizeof newer;
  FAILS(prune_model_fit(model, train, &newer.known, NULL), PRUNE_ERROR_UNSUPPORTED, "newer");
  CHECK(metric(model, test, "accuracy") == dense);

  /* Stopped by a callback, and by another's request: the model stays usable. */
  prune_fit_options stopped = PRUNE_FIT_OPTIONS_INIT;
  stopped.on_event = stop_after_two;
  stopped.user = &steps;
  OK(prune_model_clone(model, &kept));
  FAILS(prune_model_fit(kept, train, &stopped, NULL), PRUNE_ERROR_CANCELLED, "");
  CHECK(metric(kept, test, "accuracy") > 0.8);
  prune_context_request_cancel(context);
  FAILS(prune_model_evaluate(kept, test, NULL, &report), PRUNE_ERROR_CANCELLED, "");
  prune_context_clear_cancel(context);
  prune_model_free(kept);

  /* Inputs by name: a wrong name and a missing one are told apart, and nothing is given back. */
  prune_tensors *inputs = NULL, *outputs = NULL;
  prune_tensor *x = NULL;
  OK(prune_tensors_create(&inputs));
  FAILS(prune_model_run(model, inputs, &outputs), PRUNE_ERROR_NOT_FOUND, "'input' is missing");
  OK(prune_dataset_x(test, &x));
  OK(prune_tensors_set(inputs, "inpt", x));
  FAILS(prune_model_run(model, inputs, &outputs), PRUNE_ERROR_NOT_FOUND, "no input 'inpt'");
  CHECK(outputs == NULL);
  prune_tensors_free(inputs);
  prune_tensor_free(x);

  OK(prune_model_summary(model, NULL, 100, 0, &text));
  CHECK(strstr(text.data, "4,810") != NULL && strlen(text.data) == text.size); /* 64*64+64 + 64*10+10 */
  prune_buffer_free(&text);
  CHECK(text.data == NULL);

  prune_significance_options significance = PRUNE_SIGNIFICANCE_OPTIONS_INIT;
  significance.criterion = "taylor";
  FAILS(prune_model_significance(model, &significance, &report), PRUNE_ERROR_INVALID_ARGUMENT, "data");
  significance.data = train;
  OK(prune_model_significance(model, &significance, &report));
  OK(prune_report_find(report, "layers.0.share", &entry));
  CHECK(entry.number > 0 && entry.number < 1);
  const char *first[] = {"fc1*"}, *none[] = {"conv9"};
  prune_report *scoped = NULL;
  significance.scope = first;
  significance.scope_count = 1;
  OK(prune_model_significance(model, &significance, &scoped));
  OK(prune_report_find(scoped, "layers", &entry));
  CHECK(prune_report_count(entry.child) == 1);
  prune_report_free(scoped);
  significance.scope = none;
  FAILS(prune_model_significance(model, &significance, &scoped), PRUNE_ERROR_NOT_FOUND, "conv9");

  OK(prune_report_to_json(report, &text));
  CHECK(text.data[0] == '{' && strstr(text.data, "\"layers\""));
  prune_buffer_free(&text);
  OK(prune_report_to_text_as(report, "html", &text));
  CHECK(strstr(text.data, "<!DOCTYPE html>") == text.data);
  prune_buffer_free(&text);
  FAILS(prune_report_to_text_as(report, "htm", &text), PRUNE_ERROR_INVALID_ARGUMENT, "htm");
  OK(prune_report_save(report, "session-report.csv"));
  CHECK(remove("session-report.csv") == 0);
  FAILS(prune_report_save(report, "session-report.pdf"), PRUNE_ERROR_INVALID_ARGUMENT, "session-report.pdf");
  FAILS(prune_report_save(NULL, "session-report.csv"), PRUNE_ERROR_INVALID_ARGUMENT, "");
  prune_report *about = NULL;
  double threads = 0;
  OK(prune_library_info(NULL, &about));
  OK(prune_report_number(about, "threads", &threads));
  CHECK(threads >= 1);
  prune_report_free(about);
  prune_report_free(report);

  /* Pruning: bad amounts, then 80 % of the weights in three steps; zeros stay zero through training. */
  prune_prune_options prune = PRUNE_PRUNE_OPTIONS_INIT;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "amount");
  prune.amount = 1.5;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "1.5");
  prune.amount = NAN;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "nan");
  prune.amount = 0.8;
  prune.criterion = "magnitud";
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "magnitude");
  prune.criterion = NULL;
  prune.device = "cuda";
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "cuda");
  prune.device = "cpu";
  prune.schedule = "cubic";
  prune.schedule_steps = 3;
  prune.validate = test;
  prune_fit_options recover = PRUNE_FIT_OPTIONS_INIT;
  recover.epochs = 2;
  prune.recover = &recover;
  prune.recover_data = train;
  CHECK(pruned == NULL);
  OK(prune_model_prune(model, &prune, &pruned, &report));
  OK(prune_report_find(report, "after.accuracy", &entry));
  CHECK(entry.number > 0.9);
  prune_report_free(report);
  CHECK(fabs(sparsity(pruned) - 0.8) < 0.02);
  CHECK(sparsity(model) < 0.01);
  OK(prune_model_save(pruned, mkstemps(path, 5) >= 0 ? path : ""));
  OK(prune_model_load(context, path, NULL, &loaded));
  size_t before = zeros(loaded, prune_model_parameter_name(loaded, 0));
  CHECK(before > 0);
  recover.optimizer = "sgd";
  recover.lr = 0.05;
  recover.momentum = 0.9;
  OK(prune_model_fit(loaded, train, &recover, NULL));
  CHECK(zeros(loaded, prune_model_parameter_name(loaded, 0)) == before);

  /* A guard that tolerates nothing gives the model back. */
  prune_guard guard = PRUNE_GUARD_INIT;
  guard.data = test;
  prune.guard = &guard;
  prune.amount = 0.99;
  prune.schedule = NULL;
  prune.schedule_steps = 0;
  prune.recover = NULL;
  OK(prune_model_prune(model, &prune, &kept, &report));
  OK(prune_report_find(report, "rolled_back", &entry));
  CHECK(entry.kind == PRUNE_REPORT_FLAG && entry.integer == 1);
  CHECK(metric(kept, test, "accuracy") == dense);
  prune_report_free(report);
  prune_model_free(kept);

  prune_quantize_options quantize = PRUNE_QUANTIZE_OPTIONS_INIT;
  FAILS(prune_model_quantize(loaded, &quantize, &int8, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "calibration");
  quantize.calibration = train;
  OK(prune_model_quantize(loaded, &quantize, &int8, NULL));
  CHECK(metric(int8, test, "accuracy") > metric(loaded, test, "accuracy") - 0.02);
  prune_model *symmetric = NULL;
  quantize.symmetric = 1;
  OK(prune_model_quantize(loaded, &quantize, &symmetric, NULL));
  CHECK(metric(symmetric, test, "accuracy") > metric(loaded, test, "accuracy") - 0.03);
  prune_model_free(symmetric);
  static const struct {
    const char *scheme, *calibrator, *format;
    uint32_t bits, block_size;
  } kinds[] = {
      {"static", "entropy", NULL, 0, 0},  {"static", "percentile", NULL, 8, 0},
      {"dynamic", NULL, NULL, 0, 0},      {"weight_only", NULL, NULL, 8, 0},
      {"weight_only", NULL, NULL, 4, 16}, {"weight_only", NULL, "matmul_nbits", 4, 0},
      {"float16", NULL, NULL, 0, 0},      {"bfloat16", NULL, NULL, 0, 0},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    prune_quantize_options other = PRUNE_QUANTIZE_OPTIONS_INIT;
    prune_model *made = NULL;
    other.scheme = kinds[i].scheme;
    other.calibrator = kinds[i].calibrator;
    other.format = kinds[i].format;
    other.bits = kinds[i].bits;
    other.block_size = kinds[i].block_size;
    other.percentile = 99.9;
    other.calibration = train;
    OK(prune_model_quantize(loaded, &other, &made, NULL));
    CHECK(metric(made, test, "accuracy") > metric(loaded, test, "accuracy") - 0.03);
    prune_model_free(made);
  }
  quantize.symmetric = 0;
  quantize.percentile = 101;
  FAILS(prune_model_quantize(loaded, &quantize, &symmetric, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "percentile");
  OK(prune_model_save(int8, path));
  prune_model_free(loaded);
  OK(prune_model_load(context, path, NULL, &loaded));
  CHECK(metric(loaded, test, "accuracy") == metric(int8, test, "accuracy"));

  prune_model *models[] = {model, pruned, int8};
  OK(prune_model_compare(models, NULL, 3, NULL, &report));
  FAILS(prune_report_number(report, "models.0.accuracy", &(double){0}), PRUNE_ERROR_NOT_FOUND, "");
  prune_report_free(report);
  report = NULL;
  double same = 0;
  OK(prune_model_diff(models[0], models[0], &report));
  OK(prune_report_number(report, "same", &same));
  CHECK(same == 1);
  prune_report_free(report);
  report = NULL;
  FAILS(prune_model_diff(models[0], NULL, &report), PRUNE_ERROR_INVALID_ARGUMENT, "");
  OK(prune_model_compare(models, NULL, 3, test, &report));
  OK(prune_report_find(report, "models.2.bytes", &entry));
  CHECK(entry.integer > 0);
  prune_report_free(report);
  prune_differences_options apart = PRUNE_DIFFERENCES_OPTIONS_INIT;
  apart.samples = 8;
  OK(prune_model_differences(model, int8, test, &apart, &report));
  OK(prune_report_find(report, "values.0.distance", &entry));
  CHECK(entry.number > 0);
  OK(prune_report_find(report, "outputs.0.cosine", &entry));
  CHECK(entry.number > 0.9);
  prune_report_free(report);
  FAILS(prune_model_differences(model, NULL, test, NULL, &report), PRUNE_ERROR_INVALID_ARGUMENT, "NULL");
  prune_benchmark_options benchmark = PRUNE_BENCHMARK_OPTIONS_INIT;
  benchmark.runs = 3;
  OK(prune_model_benchmark(model, &benchmark, &report));
  OK(prune_report_find(report, "median_ms", &entry));
  CHECK(entry.number > 0);
  prune_report_free(report);

  /* Low rank: half of the parameters, and what cannot be. */
  prune_model *small = NULL;
  prune_factorize_options rank = PRUNE_FACTORIZE_OPTIONS_INIT;
  rank.target_params = 0.5;
  rank.data = test;
  OK(prune_model_factorize(model, &rank, &small, &report));
  OK(prune_report_find(report, "kept", &entry));
  CHECK(entry.number > 0 && entry.number <= 0.5);
  OK(prune_report_find(report, "layers.0.rank", &entry));
  CHECK(entry.integer > 0);
  prune_report_free(report);
  prune_model_free(small);
  small = NULL;
  rank.rank = 4;
  FAILS(prune_model_factorize(model, &rank, &small, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "rank and target");
  rank.target_params = PRUNE_NOT_GIVEN;
  rank.form = "spacial";
  FAILS(prune_model_factorize(model, &rank, &small, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "form is 'spacial'");
  CHECK(small == NULL);

  unlink(path);
  prune_model_free(model);
  prune_model_free(pruned);
  prune_model_free(int8);
  prune_model_free(loaded);
  prune_dataset_free(digits);
  prune_dataset_free(train);
  prune_dataset_free(test);
  prune_context_free(context);
  return check_end();
}
