/* Fit's options: losses, groups, early stopping, checkpoints, numbers that run away. */
#include <math.h>
#include <unistd.h>

#include "check.h"

static prune_model *network(uint64_t seed) {
  int64_t input[] = {1, 8, 8}, hidden[] = {8};
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  zoo.input = input;
  zoo.input_rank = 3;
  zoo.hidden = hidden;
  zoo.hidden_count = 1;
  zoo.seed = seed;
  prune_model *model = NULL;
  OK(prune_zoo_create(NULL, "mlp", &zoo, &model));
  return model;
}

static float weight(prune_model *model, int index) {
  prune_tensor *tensor = NULL;
  OK(prune_model_parameter(model, "fc1.weight", &tensor));
  float value = ((const float *)prune_tensor_data(tensor))[index];
  prune_tensor_free(tensor);
  return value;
}

static int stop_after_epoch(const prune_event *event, void *user) {
  (void)user;
  return event->kind == PRUNE_EVENT_EPOCH && event->epoch == 1;
}

static void losses(void) {
  int64_t shape[] = {4};
  float truth[] = {3, -0.5f, 2, 7}, predicted[] = {2.5f, 0, 2, 8};
  prune_tensor *t = NULL, *p = NULL;
  double loss = 0;
  OK(prune_tensor_create(PRUNE_FLOAT32, 1, shape, truth, &t));
  OK(prune_tensor_create(PRUNE_FLOAT32, 1, shape, predicted, &p));
  OK(prune_loss_compute("mae", t, p, NULL, &loss));
  CHECK(fabs(loss - 0.5) < 1e-9);
  prune_loss_options options = PRUNE_LOSS_OPTIONS_INIT;
  options.delta = 0.5;
  OK(prune_loss_compute("huber", t, p, &options, &loss));
  CHECK(fabs(loss - (0.125 + 0.125 + 0.375) / 4) < 1e-9);
  FAILS(prune_loss_compute("mea", t, p, NULL, &loss), PRUNE_ERROR_INVALID_ARGUMENT, "loss is 'mea'");
  FAILS(prune_loss_compute("mae", t, NULL, NULL, &loss), PRUNE_ERROR_INVALID_ARGUMENT, "tensor is NULL");
  options.class_weight_count = 2;
  FAILS(prune_loss_compute("mae", t, p, &options, &loss), PRUNE_ERROR_INVALID_ARGUMENT, "class_weights is NULL");
  prune_tensor_free(t);
  prune_tensor_free(p);
}

int main(void) {
  losses();
  prune_dataset *all = NULL, *data = NULL;
  prune_report *report = NULL;
  prune_report_entry entry = {.struct_size = sizeof entry};
  OK(prune_dataset_digits(NULL, &all));
  OK(prune_dataset_take(all, 256, &data));

  /* Groups, limits on gradients, a smoothed and weighted loss. */
  prune_model *model = network(1);
  const char *first[] = {"fc1.*"};
  prune_parameter_group group = PRUNE_PARAMETER_GROUP_INIT;
  group.parameters = first;
  group.parameter_count = 1;
  group.lr = 1e-30;
  double weights[10] = {1, 1, 1, 2, 1, 1, 1, 1, 1, 1};
  prune_fit_options fit = PRUNE_FIT_OPTIONS_INIT;
  fit.optimizer = "rmsprop";
  fit.groups = &group;
  fit.group_count = 1;
  fit.clip_norm = 1;
  fit.label_smoothing = 0.1;
  fit.class_weights = weights;
  fit.class_weight_count = 10;
  fit.schedule = "one_cycle";
  fit.epochs = 3;
  float before = weight(model, 7);
  OK(prune_model_fit(model, data, &fit, &report));
  CHECK(weight(model, 7) == before);
  double losses[2];
  OK(prune_report_number(report, "epochs.0.loss", &losses[0]));
  OK(prune_report_number(report, "epochs.2.loss", &losses[1]));
  CHECK(losses[1] < losses[0]);
  prune_report_free(report);
  group.struct_size = 4;
  FAILS(prune_model_fit(model, data, &fit, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "groups[0]");
  group.struct_size = sizeof group;
  fit.class_weight_count = 3;
  FAILS(prune_model_fit(model, data, &fit, NULL), PRUNE_ERROR_MISMATCH, "3 class_weights");
  prune_model_free(model);

  /* A teacher, and pulls on weights. */
  prune_model *teacher = network(2), *student = network(3);
  prune_fit_options eight = PRUNE_FIT_OPTIONS_INIT;
  eight.epochs = 8;
  eight.lr = 0.01;
  OK(prune_model_fit(teacher, data, &eight, NULL));
  prune_regularizer regularizers[] = {PRUNE_REGULARIZER_INIT, PRUNE_REGULARIZER_INIT};
  regularizers[0].kind = "group_lasso";
  regularizers[0].strength = 1e-4;
  regularizers[1].kind = "max_norm";
  regularizers[1].strength = 0.5;
  regularizers[1].scope = first;
  regularizers[1].scope_count = 1;
  eight.regularizers = regularizers;
  eight.regularizer_count = 2;
  eight.teacher = teacher;
  eight.temperature = 2;
  eight.dropout = 0.1;
  OK(prune_model_fit(student, data, &eight, &report));
  OK(prune_report_number(report, "epochs.0.loss", &losses[0]));
  OK(prune_report_number(report, "epochs.7.loss", &losses[1]));
  CHECK(losses[1] < 0.8 * losses[0]);
  prune_report_free(report);
  CHECK(fabsf(weight(student, 3)) <= 0.5f);
  prune_augmentation augment = PRUNE_AUGMENTATION_INIT;
  augment.crop = 1;
  augment.mixup = 0.2;
  eight.augment = &augment;
  OK(prune_model_fit(student, data, &eight, NULL));
  augment.cutmix = 1;
  OK(prune_model_fit(student, data, &eight, NULL));
  augment.mixup = -1;
  FAILS(prune_model_fit(student, data, &eight, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "mixup is -1");
  eight.augment = NULL;
  eight.dropout = 1.5;
  FAILS(prune_model_fit(student, data, &eight, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "dropout");
  eight.dropout = 0;
  regularizers[0].kind = NULL;
  FAILS(prune_model_fit(student, data, &eight, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "kind");
  eight.regularizer_count = 0;
  eight.teacher = NULL;
  FAILS(prune_model_fit(student, data, &eight, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "no teacher");

  /* Shared values are trained; what a model answers are labels. */
  prune_quantize_options palette = PRUNE_QUANTIZE_OPTIONS_INIT;
  palette.scheme = "palette";
  palette.bits = 2;
  prune_model *few = NULL;
  OK(prune_model_quantize(student, &palette, &few, NULL));
  prune_fit_options shared = PRUNE_FIT_OPTIONS_INIT;
  shared.palettes = 1;
  OK(prune_model_fit(few, data, &shared, NULL));
  shared.batch_norm = 1;
  FAILS(prune_model_fit(few, data, &shared, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "batch_norm and palettes");
  int values = 0;
  float seen[512];
  for (int i = 0; i < 512; i++) {
    int known = 0;
    float value = weight(few, i);
    for (int j = 0; j < values; j++) known |= seen[j] == value;
    if (!known) seen[values++] = value;
  }
  CHECK(values > 1 && values <= 4);
  prune_dataset *answered = NULL;
  OK(prune_dataset_labelled(data, few, &answered));
  OK(prune_model_evaluate(few, answered, NULL, &report));
  OK(prune_report_number(report, "accuracy", &losses[0]));
  CHECK(losses[0] == 1);
  FAILS(prune_dataset_labelled(data, NULL, &answered), PRUNE_ERROR_INVALID_ARGUMENT, "");
  prune_report_free(report);
  prune_dataset_free(answered);
  prune_model_free(few);
  prune_model_free(teacher);
  prune_model_free(student);

  /* A checkpoint continues as if nothing had stopped. */
  char path[] = "/tmp/prune-test-XXXXXX";
  int file = mkstemp(path);
  CHECK(file >= 0);
  close(file);
  prune_model *whole = network(1), *part = network(1), *resumed = network(9);
  prune_fit_options three = PRUNE_FIT_OPTIONS_INIT;
  three.epochs = 3;
  three.batch_size = 64;
  OK(prune_model_fit(whole, data, &three, NULL));
  three.checkpoint = path;
  three.on_event = stop_after_epoch;
  FAILS(prune_model_fit(part, data, &three, NULL), PRUNE_ERROR_CANCELLED, "");
  three.checkpoint = NULL;
  three.on_event = NULL;
  three.resume = path;
  OK(prune_model_fit(resumed, data, &three, NULL));
  CHECK(weight(resumed, 3) == weight(whole, 3) && weight(resumed, 500) == weight(whole, 500));
  three.resume_optimizer = 1;
  FAILS(prune_model_fit(resumed, data, &three, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "both resume");
  three.resume = "/nowhere/at/all";
  three.resume_optimizer = 0;
  FAILS(prune_model_fit(resumed, data, &three, NULL), PRUNE_ERROR_IO, "");
  unlink(path);
  prune_model_free(whole);
  prune_model_free(part);

  /* Early stopping, and numbers that run away: the weights stay finite. */
  prune_fit_options wild = PRUNE_FIT_OPTIONS_INIT;
  wild.optimizer = "sgd";
  wild.lr = 3;
  wild.epochs = 40;
  wild.early_stopping = 2;
  wild.restore_best = 1;
  wild.validation_split = 0.3;
  OK(prune_model_fit(resumed, data, &wild, &report));
  OK(prune_report_find(report, "reason", &entry));
  CHECK(strcmp(entry.text, "early_stopping") == 0);
  prune_report_free(report);
  int64_t shape[] = {256, 10};
  prune_tensor *x = NULL, *y = NULL;
  prune_dataset *rows = NULL;
  OK(prune_dataset_x(data, &x));
  OK(prune_tensor_create(PRUNE_FLOAT32, 2, shape, NULL, &y));
  OK(prune_dataset_from_tensors(NULL, x, y, &rows));
  wild.lr = 1e6;
  wild.loss = "mse";
  FAILS(prune_model_fit(resumed, rows, &wild, NULL), PRUNE_ERROR_NUMERIC, "largest gradient");
  prune_tensor_free(x);
  prune_tensor_free(y);
  prune_dataset_free(rows);
  CHECK(isfinite(weight(resumed, 3)));
  wild.monitor = "f1";
  FAILS(prune_model_fit(resumed, data, &wild, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "f1");
  prune_model_free(resumed);
  /* Data for a model of several inputs. */
  prune_tensors *inputs = NULL, *back = NULL;
  prune_dataset *pair = NULL, *half = NULL;
  OK(prune_tensors_create(&inputs));
  int64_t wide[] = {4, 3}, tokens[] = {4, 2};
  prune_tensor *table = NULL, *ids = NULL, *third = NULL;
  OK(prune_tensor_create(PRUNE_FLOAT32, 2, wide, NULL, &table));
  OK(prune_tensor_create(PRUNE_INT32, 2, tokens, NULL, &ids));
  OK(prune_tensors_set(inputs, "table", table));
  FAILS(prune_dataset_from_inputs(NULL, NULL, NULL, &pair), PRUNE_ERROR_INVALID_ARGUMENT, "");
  OK(prune_tensors_set(inputs, "ids", ids));
  OK(prune_dataset_from_inputs(NULL, inputs, NULL, &pair));
  CHECK(prune_dataset_count(pair) == 4);
  OK(prune_dataset_take(pair, 2, &half));
  FAILS(prune_dataset_x(half, &third), PRUNE_ERROR_UNSUPPORTED, "'ids', 'table'");
  OK(prune_dataset_inputs(half, &back));
  CHECK(prune_tensors_count(back) == 2 && strcmp(prune_tensors_name(back, 0), "ids") == 0);
  OK(prune_tensors_get(back, "ids", &third));
  CHECK(prune_tensor_dtype(third) == PRUNE_INT64 && prune_tensor_shape(third)[0] == 2);
  prune_tensors_free(back);
  OK(prune_dataset_inputs(data, &back));
  CHECK(prune_tensors_count(back) == 1 && prune_tensors_name(back, 0)[0] == 0);
  prune_model *one = NULL;
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  OK(prune_zoo_create(NULL, "mlp", &zoo, &one));
  FAILS(prune_model_evaluate(one, pair, NULL, &report), PRUNE_ERROR_INVALID_ARGUMENT, "no targets");
  FAILS(prune_model_fit(one, pair, NULL, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "no targets");
  prune_model_free(one);
  prune_tensors_free(back);
  prune_tensors_free(inputs);
  prune_tensor_free(table);
  prune_tensor_free(ids);
  prune_tensor_free(third);
  prune_dataset_free(pair);
  prune_dataset_free(half);
  prune_dataset_free(data);
  prune_dataset_free(all);
  return check_end();
}
