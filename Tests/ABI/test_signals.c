/* A host's ordinary signal handlers, with no stack of their own, five thousand times a second: results are those without. */
#include <signal.h>
#include <sys/time.h>

#include "check.h"

static volatile sig_atomic_t handled;
static void handler(int number) {
  (void)number;
  handled++;
}

static void ring(int microseconds) {
  struct itimerval every = {{0, microseconds}, {0, microseconds}};
  setitimer(ITIMER_REAL, &every, NULL);
  setitimer(ITIMER_PROF, &every, NULL);
}

static prune_tensor *numbers(int rank, const int64_t *shape) {
  int64_t count = 1;
  for (int axis = 0; axis < rank; axis++) count *= shape[axis];
  float *values = malloc((size_t)count * sizeof *values);
  for (int64_t i = 0; i < count; i++) values[i] = (float)sin(0.7 * (double)i);
  prune_tensor *tensor = NULL;
  OK(prune_tensor_create(PRUNE_FLOAT32, rank, shape, values, &tensor));
  free(values);
  return tensor;
}

/* Outputs of one network after all that is done to it, one after the other. */
static void session(const char *name, prune_dataset *data, float *y, int *count) {
  int64_t input[] = {1, 8, 8}, hidden[] = {512, 400}, shape[] = {64, 1, 8, 8};
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  zoo.input = input;
  zoo.input_rank = 3;
  zoo.classes = 10;
  zoo.seed = 3;
  if (!strcmp(name, "mlp")) {
    zoo.hidden = hidden;
    zoo.hidden_count = 2;
  }
  prune_model *model = NULL, *sparse = NULL, *small = NULL;
  prune_report *report = NULL;
  OK(prune_zoo_create(NULL, name, &zoo, &model));
  prune_fit_options fit = PRUNE_FIT_OPTIONS_INIT;
  fit.epochs = 12;
  fit.batch_size = 300;
  fit.seed = 5;
  OK(prune_model_fit(model, data, &fit, NULL));
  prune_prune_options prune = PRUNE_PRUNE_OPTIONS_INIT;
  prune.amount = 0.5;
  prune.reconstruct = "sparsegpt";
  prune.data = data;
  OK(prune_model_prune(model, &prune, &sparse, NULL));
  prune_quantize_options quantize = PRUNE_QUANTIZE_OPTIONS_INIT;
  quantize.calibration = data;
  OK(prune_model_quantize(sparse, &quantize, &small, NULL));
  OK(prune_model_benchmark(model, NULL, &report));
  prune_report_free(report);
  prune_tensor *x = numbers(4, shape);
  prune_model *all[] = {model, sparse, small};
  for (int i = 0; i < 3; i++) {
    prune_tensor *result = NULL;
    OK(prune_model_predict(all[i], x, &result));
    if (result) {
      memcpy(y + *count, prune_tensor_data(result), 640 * sizeof *y);
      *count += 640;
    }
    prune_tensor_free(result);
    prune_model_free(all[i]);
  }
  prune_tensor_free(x);
}

int main(void) {
  prune_dataset *all = NULL, *data = NULL;
  OK(prune_dataset_digits(NULL, &all));
  OK(prune_dataset_take(all, 600, &data));
  static float quiet[4000], loud[4000];
  int quiet_count = 0, loud_count = 0;
  const char *networks[] = {"mlp", "lenet5"};
  for (int i = 0; i < 2; i++) session(networks[i], data, quiet, &quiet_count);

  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  sigaction(SIGPROF, &action, NULL);
  ring(200);
  for (int i = 0; i < 2; i++) session(networks[i], data, loud, &loud_count);
  ring(0);
  CHECK(handled > 50);
  CHECK(quiet_count == 2 * 3 * 640 && loud_count == quiet_count);
  CHECK(!memcmp(quiet, loud, sizeof quiet));
  prune_dataset_free(data);
  prune_dataset_free(all);
  return check_end();
}
