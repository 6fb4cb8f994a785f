/* Scores of one's own, granularities, reconstruction and sensitivity from C. */
#include "check.h"

static int by_position(const char *name, const prune_tensor *weight, float *scores, void *user) {
  CHECK(name && *name);
  const float *values = prune_tensor_data(weight);
  size_t count = prune_tensor_count(weight);
  for (size_t i = 0; i < count; i++) scores[i] = values[i] == 0 ? 0 : (float)i + 1;
  ++*(int *)user;
  return 0;
}

static int refuse(const char *name, const prune_tensor *weight, float *scores, void *user) {
  (void)name, (void)weight, (void)scores, (void)user;
  return 1;
}

static double found(const prune_report *report, const char *path) {
  double value = NAN;
  OK(prune_report_number(report, path, &value));
  return value;
}

/* How many parameters are left: a metric that needs no data. */
static int by_size(prune_model *model, double *out_value, void *user) {
  prune_report *report = NULL;
  ++*(int *)user;
  if (prune_model_stats(model, NULL, &report)) return 1;
  prune_status status = prune_report_number(report, "nonzero", out_value);
  prune_report_free(report);
  return status != PRUNE_OK;
}

static int not_a_number(prune_model *model, double *out_value, void *user) {
  (void)model, (void)user;
  *out_value = NAN;
  return 0;
}

static int stop_measuring(prune_model *model, double *out_value, void *user) {
  (void)model, (void)out_value, (void)user;
  return 1;
}

/* Guards, sensitivity and cost-aware pruning by a metric of the caller's own. */
static void test_metrics(prune_model *model, const prune_dataset *data) {
  prune_model *pruned = NULL;
  prune_report *report = NULL;
  double before = 0, after = 0;
  int calls = 0;
  OK(by_size(model, &before, &calls) ? PRUNE_ERROR_INTERNAL : PRUNE_OK);
  prune_guard guard = PRUNE_GUARD_INIT;
  guard.on_metric = by_size;
  guard.user = &calls;
  guard.max_drop = before / 4;
  prune_prune_options prune = PRUNE_PRUNE_OPTIONS_INIT;
  prune.amount = 0.8;
  prune.schedule = "linear";
  prune.schedule_steps = 8;
  prune.guard = &guard;
  OK(prune_model_prune(model, &prune, &pruned, &report));
  OK(by_size(pruned, &after, &calls) ? PRUNE_ERROR_INTERNAL : PRUNE_OK);
  CHECK(after < before && after >= before - before / 4);
  prune_report_free(report);
  prune_model_free(pruned);
  guard.bound = before * 2;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "violated before");
  guard.bound = 0;
  guard.on_metric = not_a_number;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_NUMERIC, "nan");
  guard.on_metric = stop_measuring;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_CANCELLED, "asked to stop");
  guard.on_metric = NULL;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "no data");

  prune_sensitivity_options sensitivity = PRUNE_SENSITIVITY_OPTIONS_INIT;
  const double amounts[] = {0.25, 0.5};
  sensitivity.amounts = amounts;
  sensitivity.amount_count = 2;
  FAILS(prune_model_sensitivity(model, &sensitivity, &report), PRUNE_ERROR_INVALID_ARGUMENT, "there is none");
  sensitivity.on_metric = by_size;
  sensitivity.user = &calls;
  OK(prune_model_sensitivity(model, &sensitivity, &report));
  prune_report_free(report);

  /* Training before the cut, in C. */
  prune_regularizer regularizer = PRUNE_REGULARIZER_INIT;
  regularizer.kind = "greg1";
  prune_fit_options train = PRUNE_FIT_OPTIONS_INIT;
  train.epochs = 2;
  train.regularizers = &regularizer;
  train.regularizer_count = 1;
  prune = (prune_prune_options)PRUNE_PRUNE_OPTIONS_INIT;
  prune.strategy = "regularized";
  prune.train = &train;
  prune.train_data = data;
  prune.target_params = 0.5;
  OK(prune_model_prune(model, &prune, &pruned, &report));
  OK(prune_report_number(report, "kept", &after));
  CHECK(fabs(after - 0.5) < 0.02);
  prune_report_free(report);
  prune_model_free(pruned);
  prune = (prune_prune_options)PRUNE_PRUNE_OPTIONS_INIT;
  prune.strategy = "cost_aware";
  prune.amount = 0.5;
  prune.on_metric = by_size;
  prune.user = &calls;
  OK(prune_model_prune(model, &prune, &pruned, NULL));
  prune_model_free(pruned);
}

int main(void) {
  prune_dataset *digits = NULL, *data = NULL;
  prune_model *model = NULL, *pruned = NULL;
  prune_report *report = NULL;
  prune_tensor *weight = NULL;
  int calls = 0;

  OK(prune_dataset_digits(NULL, &digits));
  OK(prune_dataset_take(digits, 128, &data));
  const int64_t input[] = {1, 8, 8}, hidden[] = {16};
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  zoo.input = input;
  zoo.input_rank = 3;
  zoo.hidden = hidden;
  zoo.hidden_count = 1;
  OK(prune_zoo_create(NULL, "mlp", &zoo, &model));

  /* A callback: the first half of each layer goes. */
  prune_prune_options prune = PRUNE_PRUNE_OPTIONS_INIT;
  prune.strategy = "local";
  prune.amount = 0.5;
  prune.on_score = by_position;
  prune.user = &calls;
  OK(prune_model_prune(model, &prune, &pruned, &report));
  CHECK(calls >= 2);
  OK(prune_model_parameter(pruned, "fc1.weight", &weight));
  const float *values = prune_tensor_data(weight);
  CHECK(values[0] == 0 && values[511] == 0 && values[512] != 0 && values[1023] != 0);
  prune_tensor_free(weight);
  prune_report_free(report);
  prune_model_free(pruned);
  prune.on_score = refuse;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_CANCELLED, "score");

  /* Tensors by name. */
  prune_tensors *scores = NULL;
  OK(prune_tensors_create(&scores));
  prune.on_score = NULL;
  prune.scores = scores;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_NOT_FOUND, "fc1.weight");
  prune.on_score = by_position;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "both");
  prune_tensors_free(scores);

  test_metrics(model, data);

  /* n:m with reconstruction. */
  prune = (prune_prune_options)PRUNE_PRUNE_OPTIONS_INIT;
  prune.granularity = "2:4";
  prune.reconstruct = "sparsegpt";
  prune.data = data;
  OK(prune_model_prune(model, &prune, &pruned, &report));
  CHECK(fabs(found(report, "sparsity") - 0.5) < 0.01);
  prune_report_free(report);
  prune_model_free(pruned);
  prune.amount = 0.9;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "2:4");

  /* Sub-blocks by name, strides behind a slash; matrices have none. */
  prune = (prune_prune_options)PRUNE_PRUNE_OPTIONS_INIT;
  prune.granularity = "block:1x1x4x4";
  prune.amount = 0.5;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "are of kernels");
  prune.granularity = "block:2x2x1x1/1x1x1x1";
  OK(prune_model_prune(model, &prune, &pruned, &report));
  CHECK(found(report, "sparsity") > 0.4);
  prune_report_free(report);
  prune_model_free(pruned);

  /* Several targets: each is the most that may be left. */
  prune = (prune_prune_options)PRUNE_PRUNE_OPTIONS_INIT;
  prune.granularity = "channel";
  prune.target_macs = 0.9;
  prune.target_params = 0.5;
  OK(prune_model_prune(model, &prune, &pruned, &report));
  CHECK(found(report, "params_kept") < 0.52 && found(report, "macs_kept") < 0.92);
  prune_report_free(report);
  prune_model_free(pruned);

  /* Layer after layer, which takes a guard. */
  prune = (prune_prune_options)PRUNE_PRUNE_OPTIONS_INIT;
  prune.strategy = "layerwise";
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "as far as a guard allows");
  prune_guard layers = PRUNE_GUARD_INIT;
  layers.data = data;
  layers.max_drop = 1;
  prune.guard = &layers;
  prune.amount = 0.5;
  OK(prune_model_prune(model, &prune, &pruned, &report));
  CHECK(fabs(found(report, "sparsity") - 0.5) < 0.01);
  prune_report_free(report);
  prune_model_free(pruned);

  /* Residual streams: neither yes nor no unless said, and no matter of single weights. */
  prune = (prune_prune_options)PRUNE_PRUNE_OPTIONS_INIT;
  CHECK(prune.residual == PRUNE_FLAG_NOT_GIVEN);
  prune.amount = 0.5;
  prune.residual = 0;
  FAILS(prune_model_prune(model, &prune, &pruned, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "residual");
  prune.granularity = "channel";
  OK(prune_model_prune(model, &prune, &pruned, NULL));
  prune_model_free(pruned);

  /* A step brought back, and taken again by its recipe. */
  prune = (prune_prune_options)PRUNE_PRUNE_OPTIONS_INIT;
  prune.amount = 0.6;
  prune.schedule = "linear";
  prune.schedule_steps = 2;
  OK(prune_model_prune(model, &prune, &pruned, &report));
  prune_model *earlier = NULL, *again = NULL;
  prune_buffer recipe = {0};
  OK(prune_report_restore(report, 0, &earlier));
  FAILS(prune_report_restore(report, 5, &again), PRUNE_ERROR_NOT_FOUND, "5");
  OK(prune_report_recipe(report, &recipe));
  prune = (prune_prune_options)PRUNE_PRUNE_OPTIONS_INIT;
  prune.recipe = recipe.data;
  OK(prune_model_prune(model, &prune, &again, NULL));
  prune_tensor *one = NULL, *two = NULL;
  OK(prune_model_parameter(pruned, "fc1.weight", &one));
  OK(prune_model_parameter(again, "fc1.weight", &two));
  CHECK(memcmp(prune_tensor_data(one), prune_tensor_data(two), prune_tensor_byte_count(one)) == 0);
  prune_tensor_free(one);
  prune_tensor_free(two);
  prune_buffer_free(&recipe);
  prune_model_free(earlier);
  prune_model_free(again);
  prune_model_free(pruned);
  prune_report_free(report);

  prune_significance_options significance = PRUNE_SIGNIFICANCE_OPTIONS_INIT;
  significance.criterion = "fisher";
  significance.data = data;
  OK(prune_model_significance(model, &significance, &report));
  CHECK(found(report, "layers.0.sum") > 0 && found(report, "bottom.0.unit") >= 1);
  prune_report_free(report);

  prune_sensitivity_options sensitivity = PRUNE_SENSITIVITY_OPTIONS_INIT;
  const double amounts[] = {0.1, 0.9};
  FAILS(prune_model_sensitivity(model, &sensitivity, &report), PRUNE_ERROR_INVALID_ARGUMENT, "data");
  sensitivity.data = data;
  sensitivity.amounts = amounts;
  sensitivity.amount_count = 2;
  OK(prune_model_sensitivity(model, &sensitivity, &report));
  CHECK(found(report, "layers.1.values.1") >= 0 && found(report, "baseline") >= 0);
  prune_report_free(report);

  prune_model *pair[] = {model, model}, *joined = NULL;
  prune_ensemble_options ensemble = PRUNE_ENSEMBLE_OPTIONS_INIT;
  ensemble.data = data;
  OK(prune_ensemble_create(pair, 2, &ensemble, &joined, &report));
  CHECK(found(report, "ensemble.accuracy") == found(report, "members.0.accuracy"));
  prune_report_free(report);
  prune_model_free(joined);
  FAILS(prune_ensemble_create(pair, 1, NULL, &joined, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "two");

  prune_model_free(model);
  prune_dataset_free(data);
  prune_dataset_free(digits);
  return check_end();
}
