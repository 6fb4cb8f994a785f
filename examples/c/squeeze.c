/* squeeze MODEL.onnx IMAGES LABELS OUT.onnx: load, evaluate, prune, fine-tune, quantize, save. Without arguments it trains
 * a small network on the embedded digits first and squeezes that.
 *
 *     cc squeeze.c $(pkg-config --cflags --libs prune) -o squeeze && ./squeeze
 */
#include <prune.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program with what the library had to say. */
static void check(prune_status status, const char *what) {
  if (status == PRUNE_OK) return;
  const prune_error *error = prune_last_error();
  fprintf(stderr, "%s: %s%s%s%s%s\n", what, error->where, *error->where ? ": " : "", error->message,
          *error->hint ? "\n  hint: " : "", error->hint);
  exit(1);
}

static int show_epoch(const prune_event *event, void *user) {
  (void)user;
  if (event->kind == PRUNE_EVENT_EPOCH)
    printf("  epoch %u of %u: loss %.4f, accuracy %.4f\n", event->epoch, event->epochs, event->loss, event->accuracy);
  return 0;
}

static double accuracy(prune_model *model, const prune_dataset *data, const char *label) {
  prune_report *report = NULL;
  double value = 0;
  check(prune_model_evaluate(model, data, NULL, &report), "evaluate");
  check(prune_report_number(report, "accuracy", &value), "evaluate");
  prune_report_free(report);
  printf("%-10s accuracy %.4f\n", label, value);
  return value;
}

static void print_report(const prune_report *report) {
  prune_buffer text = {0};
  check(prune_report_to_text(report, 100, 0, &text), "print");
  puts(text.data);
  prune_buffer_free(&text);
}

int main(int argc, char **argv) {
  prune_dataset *all = NULL, *train = NULL, *test = NULL, *sample = NULL;
  prune_model *dense = NULL, *slim = NULL, *int8 = NULL;
  prune_report *report = NULL;
  const char *out = argc == 5 ? argv[4] : "squeezed.onnx";

  if (argc != 1 && argc != 5) {
    fprintf(stderr, "usage: squeeze [MODEL.onnx IMAGES.idx LABELS.idx OUT.onnx]\n");
    return 2;
  }
  if (argc == 5) check(prune_dataset_idx(NULL, argv[2], argv[3], &all), "load the data");
  else check(prune_dataset_digits(NULL, &all), "load the data");
  check(prune_dataset_split(all, 0.2, 7, &train, &test), "split the data");

  prune_fit_options fit = PRUNE_FIT_OPTIONS_INIT;
  fit.batch_size = 64;
  fit.on_event = show_epoch;
  if (argc == 5) {
    check(prune_model_load(NULL, argv[1], NULL, &dense), "load the model");
  } else {
    const int64_t input[] = {1, 8, 8};
    prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
    zoo.input = input;
    zoo.input_rank = 3;
    check(prune_zoo_create(NULL, "lenet5", &zoo, &dense), "make the model");
    fit.epochs = 10;
    check(prune_model_fit(dense, train, &fit, NULL), "train");
  }
  accuracy(dense, test, "dense");

  /* Nine weights in ten go, in three steps; each is followed by an epoch of fine-tuning, and a step that costs more than
   * two points of accuracy is undone. */
  prune_fit_options recover = PRUNE_FIT_OPTIONS_INIT;
  recover.batch_size = 64;
  recover.epochs = 2;
  prune_guard guard = PRUNE_GUARD_INIT;
  guard.data = test;
  guard.max_drop = 0.02;
  prune_prune_options prune = PRUNE_PRUNE_OPTIONS_INIT;
  prune.amount = 0.9;
  prune.schedule = "cubic";
  prune.schedule_steps = 3;
  prune.recover = &recover;
  prune.recover_data = train;
  prune.guard = &guard;
  check(prune_model_prune(dense, &prune, &slim, &report), "prune");
  print_report(report);
  prune_report_free(report);
  accuracy(slim, test, "pruned");

  fit.epochs = 2;
  fit.lr = 0.0003;
  check(prune_model_fit(slim, train, &fit, NULL), "fine-tune");
  accuracy(slim, test, "tuned");

  prune_quantize_options quantize = PRUNE_QUANTIZE_OPTIONS_INIT;
  check(prune_dataset_take(train, 200, &sample), "take a sample");
  quantize.calibration = sample;
  check(prune_model_quantize(slim, &quantize, &int8, NULL), "quantize");
  accuracy(int8, test, "int8");

  prune_model *models[] = {dense, slim, int8};
  const char *labels[] = {"dense", "pruned", "int8"};
  check(prune_model_compare(models, labels, 3, test, &report), "compare");
  print_report(report);
  prune_report_free(report);

  check(prune_model_save(int8, out), "save");
  printf("saved %s\n", out);

  prune_model_free(int8);
  prune_model_free(slim);
  prune_model_free(dense);
  prune_dataset_free(sample);
  prune_dataset_free(test);
  prune_dataset_free(train);
  prune_dataset_free(all);
  return 0;
}
