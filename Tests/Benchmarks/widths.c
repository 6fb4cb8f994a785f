/* Whether fewer channels take less time: widths SHARED [ROUNDS]
 * Layers of any count of channels beside those of the next multiple that vectors are long, and pruned networks beside dense ones.
 * One thread. Both of a pair run in turns (A B A B); a round's time is the least of its runs, a ratio the median over the rounds. */
#include <prune.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "measuring.h"
#include "onnx_writer.h"

enum { SIDE = 28, LAYERS = 4, FIXED = 64, MOST_ROUNDS = 32 };

/* A model, and what it is run on. */
typedef struct {
  prune_model *model;
  prune_tensor *x;
} subject;

static subject subject_of(prune_model *model, size_t rank, const int64_t *shape) {
  subject s = {model, NULL};
  void *bytes = NULL;
  int64_t count = 1;
  unsigned state = 1;
  for (size_t axis = 0; axis < rank; axis++) count *= shape[axis];
  check(prune_tensor_create(PRUNE_FLOAT32, rank, shape, NULL, &s.x));
  check(prune_tensor_data_mutable(s.x, &bytes));
  for (int64_t index = 0; index < count; index++) { ((float *)bytes)[index] = next_random(&state) - 0.5f; }
  return s;
}

static void release(subject s) {
  prune_model_free(s.model);
  prune_tensor_free(s.x);
}

/* The processor's time: other programs of a busy machine do not count, but for what they do to the caches. */
static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return 1e3 * (double)time.tv_sec + 1e-6 * (double)time.tv_nsec;
}

static double least_ms(subject s, int runs) {
  double least = 1e30;
  for (int run = 0; run < runs; run++) {
    prune_tensor *y = NULL;
    const double start = now_ms();
    check(prune_model_predict(s.model, s.x, &y));
    const double time = now_ms() - start;
    if (time < least) least = time;
    prune_tensor_free(y);
  }
  return least;
}

/* The time of `a` over that of `b`; `b_ms` is the latter. */
static double ratio(subject a, subject b, int rounds, double *b_ms) {
  double ratios[MOST_ROUNDS], times[MOST_ROUNDS];
  least_ms(a, 2);
  const double once = least_ms(b, 2);
  const int runs = once > 20 ? 2 : (int)(20 / (once + 0.01)) + 2;
  for (int round = 0; round < rounds; round++) {
    const double first = least_ms(a, runs);
    times[round] = least_ms(b, runs);
    ratios[round] = first / times[round];
  }
  if (b_ms) *b_ms = median(times, rounds);
  return median(ratios, rounds);
}

typedef enum { CONV_3X3, CONV_1X1, DEPTHWISE, MATMUL, KINDS } kind;
static const char *const kind_names[] = {"conv 3x3", "conv 1x1", "depthwise 3x3", "MatMul"};

static void put_weight(message *graph, const char *name, const int64_t *dims, int rank) {
  message tensor = {0};
  size_t count = 1;
  for (int axis = 0; axis < rank; axis++) {
    put_int(&tensor, 1, (uint64_t)dims[axis]);
    count *= (size_t)dims[axis];
  }
  float *values = malloc(count * sizeof *values);
  if (!values) abort();
  unsigned state = 7;
  for (size_t index = 0; index < count; index++) { values[index] = (next_random(&state) - 0.5f) * 0.1f; }
  put_int(&tensor, 2, 1);
  put_text(&tensor, 8, name);
  put_bytes(&tensor, 9, values, count * sizeof *values);
  put_message(graph, 5, &tensor);
  free(tensor.bytes);
  free(values);
}

/* Layers in a row with rectifiers between, from `in` channels to `out` and back again: layouts flow as they do in a network. */
static subject chain(prune_context *context, kind kind, int64_t in, int64_t out) {
  message graph = {0}, opset = {0}, whole = {0}, node = {0};
  char value[32] = "input", weight[32], made[32];
  const int64_t ones[] = {1, 1, 1, 1}, extents[] = {1, in, SIDE, SIDE}, rows[] = {SIDE * SIDE, in};
  for (int layer = 0; layer < LAYERS; layer++) {
    const int64_t from = layer % 2 ? out : in, to = layer % 2 ? in : out, side = kind == CONV_1X1 ? 1 : 3;
    const int64_t dims[] = {to, kind == DEPTHWISE ? 1 : from, side, side}, matrix[] = {from, to};
    snprintf(weight, sizeof weight, "w%d", layer);
    snprintf(made, sizeof made, "c%d", layer);
    put_weight(&graph, weight, kind == MATMUL ? matrix : dims, kind == MATMUL ? 2 : 4);
    node.size = 0;
    put_text(&node, 1, value);
    put_text(&node, 1, weight);
    put_text(&node, 2, made);
    put_text(&node, 4, kind == MATMUL ? "MatMul" : "Conv");
    if (side == 3 && kind != MATMUL) put_attribute_ints(&node, "pads", ones, 4);
    if (kind == DEPTHWISE) {
      message group = {0};
      put_text(&group, 1, "group");
      put_int(&group, 3, (uint64_t)to);
      put_int(&group, 20, 2);
      put_message(&node, 5, &group);
      free(group.bytes);
    }
    put_message(&graph, 1, &node);
    snprintf(value, sizeof value, layer == LAYERS - 1 ? "output" : "r%d", layer);
    node.size = 0;
    put_text(&node, 1, made);
    put_text(&node, 2, value);
    put_text(&node, 4, "Relu");
    put_message(&graph, 1, &node);
  }
  put_text(&graph, 2, "chain");
  put_value(&graph, 11, "input", kind == MATMUL ? rows : extents, kind == MATMUL ? 2 : 4);
  put_value(&graph, 12, "output", kind == MATMUL ? rows : extents, kind == MATMUL ? 2 : 4);
  put_int(&whole, 1, 8);
  put_text(&opset, 1, "");
  put_int(&opset, 2, 17);
  put_message(&whole, 8, &opset);
  put_message(&whole, 7, &graph);
  prune_model *model = NULL;
  check(prune_model_load_memory(context, whole.bytes, whole.size, &model));
  free(graph.bytes);
  free(opset.bytes);
  free(whole.bytes);
  free(node.bytes);
  return kind == MATMUL ? subject_of(model, 2, rows) : subject_of(model, 4, extents);
}

/* Counts from 1 to 160, odd ones and their neighbours; each beside the next multiple. */
static void sweep(prune_context *context, kind kind, const char *what, int varies_in, int varies_out, int64_t multiple,
                  int rounds) {
  static const int64_t counts[] = {1,  2,  3,  5,  7,  9,  11, 13, 15, 17, 19, 21,  23,  25,  27,  31,  33,  37,
                                   41, 43, 47, 50, 53, 58, 61, 65, 75, 85, 90, 101, 111, 115, 127, 131, 141, 159};
  double worst = 0, ratios[sizeof counts / sizeof *counts];
  int64_t at = 0;
  const int all = (int)(sizeof counts / sizeof *counts);
  int over = 0;
  for (int index = 0; index < all; index++) {
    const int64_t count = counts[index], next = (count + multiple - 1) / multiple * multiple;
    subject odd = chain(context, kind, varies_in ? count : FIXED, varies_out ? count : FIXED);
    subject full = chain(context, kind, varies_in ? next : FIXED, varies_out ? next : FIXED);
    double full_ms, found = ratio(odd, full, rounds, &full_ms);
    if (getenv("PRUNE_WIDTHS_ALL"))
      printf("#   %-14s %4d beside %4d: %.3f of %.3f ms\n", kind_names[kind], (int)count, (int)next, found, full_ms);
    ratios[index] = found;
    if (found > worst) (worst = found, at = count);
    over += found > 1.15;
    release(odd);
    release(full);
  }
  printf("| %s, %s | %.2f | %.2f (%d) | %d of %d |\n", kind_names[kind], what, median(ratios, all), worst, (int)at,
         over, all);
  fflush(stdout);
}

static double macs(const prune_model *model) {
  prune_report *report = NULL;
  double found = 0;
  check(prune_model_stats(model, NULL, &report));
  check(prune_report_number(report, "macs", &found));
  prune_report_free(report);
  return found;
}

static void network(prune_context *context, const char *name, const char *path, int64_t side, int rounds) {
  prune_model *dense = NULL;
  if (access(path, R_OK) != 0) {
    printf("| %s: left out, there is no %s |\n", name, path);
    return;
  }
  check(prune_model_load(context, path, NULL, &dense));
  static const double kept[] = {0.7, 0.5};
  for (int index = 0; index < 2; index++) {
    prune_model *slim = NULL;
    prune_prune_options options = PRUNE_PRUNE_OPTIONS_INIT;
    options.granularity = "channel";
    options.criterion = "l2";
    options.target_macs = kept[index];
    options.round_to = 1;
    check(prune_model_prune(dense, &options, &slim, NULL));
    const double left = macs(slim) / macs(dense);
    printf("| %s | %.3f |", name, left);
    for (int64_t batch = 1; batch <= 32; batch *= 32) {
      const int64_t shape[] = {batch, 3, side, side};
      subject x = subject_of(slim, 4, shape), other = {dense, x.x};
      double dense_ms;
      const double found = ratio(x, other, rounds, &dense_ms);
      printf(" %.3f of %.3g ms |", found, dense_ms);
      fflush(stdout);
      prune_tensor_free(x.x);
    }
    printf("\n");
    prune_model_free(slim);
  }
  prune_model_free(dense);
}

int main(int argc, char **argv) {
  const char *shared = argc > 1 ? argv[1] : "";
  int rounds = argc > 2 ? atoi(argv[2]) : 5;
  char path[4096];
  if (rounds < 1 || rounds > MOST_ROUNDS) rounds = 5;
  prune_context *context = NULL;
  check(prune_context_create(&context));
  check(prune_context_set_threads(context, 1));
#if defined(__x86_64__)
  const int64_t multiple = __builtin_cpu_supports("avx512f") ? 16 : 8;
#else
  const int64_t multiple = 8;
#endif
  if (!getenv("PRUNE_WIDTHS_NETWORKS")) {
    printf(
        "| layers of 28x28 pixels, channels | time over that of the next multiple of %d, median | most | above 1.15 "
        "|\n",
        (int)multiple);
    printf("|---|---|---|---|\n");
    for (int layers = 0; layers < KINDS; layers++) {
      sweep(context, (kind)layers, "in and out", 1, 1, multiple, rounds);
      if (layers == DEPTHWISE) continue;
      sweep(context, (kind)layers, "64 and as many", 0, 1, multiple, rounds);
    }
  }
  printf("\n| network | MACs over dense | time over dense, batch 1 | batch 32 |\n|---|---|---|---|\n");
  static const char *const names[][2] = {
      {"ResNet-20 (CIFAR-10)", "resnet_cifar/resnet20_cifar10.onnx"},
      {"ResNet-56 (CIFAR-10)", "resnet_cifar/resnet56_cifar10.onnx"},
      {"MobileNetV2", "mobilenet_v2/mobilenet_v2_imagenet.onnx"},
  };
  for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
    snprintf(path, sizeof path, "%s/models/%s", shared, names[index][1]);
    network(context, names[index][0], path, index < 2 ? 32 : 224, rounds);
  }
  prune_context_free(context);
  return 0;
}
