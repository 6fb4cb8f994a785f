/* prunez.h, compiled into this file alone, reads what libprune packs. */
#define PRUNEZ_IMPLEMENTATION
#include "prunez.h"

#include <unistd.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static unsigned char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  CHECK(file != NULL);
  unsigned char *data = malloc(1 << 22);
  *size = fread(data, 1, 1 << 22, file);
  fclose(file);
  return data;
}

static prune_model *packed_model(const char *path) {
  prune_model *model = NULL, *slim = NULL, *few = NULL;
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  OK(prune_zoo_create(NULL, "lenet_300_100", &zoo, &model));
  prune_prune_options prune = PRUNE_PRUNE_OPTIONS_INIT;
  prune.amount = 0.9;
  OK(prune_model_prune(model, &prune, &slim, NULL));
  prune_quantize_options quantize = PRUNE_QUANTIZE_OPTIONS_INIT;
  prune_report *report = NULL;
  quantize.scheme = "palette";
  quantize.bits = 5;
  OK(prune_model_quantize(slim, &quantize, &few, &report));
  prune_report_free(report);
  OK(prune_model_save(few, path));
  prune_model_free(model);
  prune_model_free(slim);
  return few;
}

/* A file of 10 KB is opened with 8 KB in all: work memory and the stack that prunez.h states. */
static void open_small(const char *path) {
  prune_model *model = NULL;
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  const int64_t input[] = {1, 8, 8}, hidden[] = {32};
  zoo.input = input;
  zoo.input_rank = 3;
  zoo.hidden = hidden;
  zoo.hidden_count = 1;
  OK(prune_zoo_create(NULL, "mlp", &zoo, &model));
  OK(prune_model_save(model, path));
  prune_model_free(model);
  size_t size;
  unsigned char *data = read_file(path, &size);
  CHECK(size < 10240);
  CHECK(prunez_work_size(data, size) + 5 * 1024 <= 8 * 1024);
  void *work = malloc(prunez_work_size(data, size));
  prunez_reader reader;
  prunez_tensor tensor;
  CHECK(prunez_open(&reader, data, size, work, prunez_work_size(data, size)) == 0);
  CHECK(prunez_next(&reader, &tensor) == 1);
  free(work);
  free(data);
}

int main(void) {
  char path[] = "/tmp/prunez-XXXXXX.prunez";
  int descriptor = mkstemps(path, 7);
  CHECK(descriptor >= 0);
  open_small(path);
  prune_model *model = packed_model(path);

  size_t size;
  unsigned char *data = read_file(path, &size);
  size_t work_size = prunez_work_size(data, size);
  CHECK(work_size > 0);
  void *work = malloc(work_size);
  prunez_reader reader;
  CHECK(prunez_open(&reader, data, size, work, work_size) == 0);
  CHECK(prunez_open(&reader, data, size, work, work_size - 1) == -1);
  CHECK(prunez_open(&reader, data, size, work, work_size) == 0);

  /* Every tensor is the model's. */
  prunez_tensor tensor;
  size_t stored = 0, total = 0;
  while (prunez_next(&reader, &tensor) == 1) {
    char name[256];
    CHECK(tensor.name_size < sizeof name);
    memcpy(name, tensor.name, tensor.name_size);
    name[tensor.name_size] = 0;
    prune_tensor *wanted = NULL;
    OK(prune_model_parameter(model, name, &wanted));
    unsigned char *values = malloc(tensor.byte_count);
    CHECK(prunez_decode(&tensor, values, tensor.byte_count) == 0);
    CHECK(prunez_decode(&tensor, values, tensor.byte_count - 1) == -1);
    CHECK(memcmp(values, prune_tensor_data(wanted), tensor.byte_count) == 0);
    free(values);
    prune_tensor_free(wanted);
    stored++;
    total += tensor.byte_count;
  }
  CHECK(stored == 6 && total == 266610 * 4);
  CHECK(size < total / 25);
  CHECK(prunez_find(&reader, "no such tensor", &tensor) == -1);

  /* Asking for the size leaves the cursor where it is. */
  CHECK(prunez_open(&reader, data, size, work, work_size) == 0);
  CHECK(prunez_next(&reader, &tensor) == 1);
  prunez_tensor second, again;
  CHECK(prunez_onnx_size(&reader) > 0);
  CHECK(prunez_next(&reader, &second) == 1);
  CHECK(prunez_open(&reader, data, size, work, work_size) == 0);
  CHECK(prunez_next(&reader, &again) == 1 && again.payload == tensor.payload);
  CHECK(prunez_next(&reader, &again) == 1 && again.payload == second.payload);

  /* So is the ONNX file. */
  prune_buffer onnx;
  OK(prune_model_save_memory(model, &onnx));
  CHECK(prunez_onnx_size(&reader) == onnx.size);
  unsigned char *file = malloc(onnx.size);
  CHECK(prunez_onnx(&reader, file, onnx.size) == 0);
  CHECK(memcmp(file, onnx.data, onnx.size) == 0);
  CHECK(prunez_onnx(&reader, file, onnx.size - 1) == -1);

  /* It loads, and says how large it is. */
  prune_model *back = NULL;
  prune_report *report = NULL;
  prune_report_entry entry = {.struct_size = sizeof entry};
  OK(prune_model_load(NULL, path, NULL, &back));
  OK(prune_model_sizes(back, &report));
  OK(prune_report_find(report, "packed", &entry));
  CHECK((size_t)entry.integer == size);
  OK(prune_report_find(report, "memory", &entry));
  CHECK(entry.integer >= 266610 * 4);
  OK(prune_report_find(report, "onnx", &entry));
  CHECK((size_t)entry.integer == onnx.size);
  prune_report_free(report);

  /* Damage does no harm. */
  unsigned state = 1;
  for (int round = 0; round < 200; round++) {
    state = state * 1664525u + 1013904223u;
    size_t place = state % (round % 2 ? size : 600), length = round % 5 ? size : state % size;
    unsigned char before = data[place];
    data[place] ^= (unsigned char)(1u << (state >> 16) % 8);
    if (prunez_work_size(data, length) <= work_size && prunez_open(&reader, data, length, work, work_size) == 0) {
      if (prunez_onnx_size(&reader) == onnx.size) (void)prunez_onnx(&reader, file, onnx.size);
    }
    data[place] = before;
  }
  prune_buffer_free(&onnx);
  prune_model_free(model);
  prune_model_free(back);
  free(file);
  free(work);
  free(data);
  remove(path);
  return check_end();
}
