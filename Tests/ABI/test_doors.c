/* Weights and images as people have them, from C. */
#include <unistd.h>

#include "check.h"

static void write_file(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  CHECK(file != NULL);
  if (!file) return;
  CHECK(fwrite(data, 1, size, file) == size);
  fclose(file);
}

static void weights(void) {
  char path[] = "/tmp/prune-weights-XXXXXX.safetensors";
  close(mkstemps(path, 12));
  prune_model *model = NULL, *other = NULL;
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  zoo.seed = 1;
  OK(prune_zoo_create(NULL, "lenet_300_100", &zoo, &model));
  zoo.seed = 2;
  OK(prune_zoo_create(NULL, "lenet_300_100", &zoo, &other));
  OK(prune_model_save_weights(model, path));
  FAILS(prune_model_save_weights(model, "/tmp/weights.tflite"), PRUNE_ERROR_UNSUPPORTED, ".safetensors or .npz");

  prune_tensors *tensors = NULL;
  OK(prune_tensors_load(path, &tensors));
  CHECK(prune_tensors_count(tensors) == 6);
  prune_report *report = NULL;
  double matched = 0;
  OK(prune_model_load_weights(other, path, NULL, &report));
  OK(prune_report_number(report, "matched", &matched));
  CHECK(matched == 6);
  prune_report_free(report);
  const char *name = prune_tensors_name(tensors, 0);
  prune_tensor *a = NULL, *b = NULL;
  OK(prune_model_parameter(model, name, &a));
  OK(prune_model_parameter(other, name, &b));
  CHECK(memcmp(prune_tensor_data(a), prune_tensor_data(b), prune_tensor_byte_count(a)) == 0);
  prune_tensor_free(b);

  /* Renamed, and one too few. */
  prune_tensors *renamed = NULL;
  OK(prune_tensors_create(&renamed));
  for (size_t i = 1; i < 6; i++) {
    char text[200];
    snprintf(text, sizeof text, "net.%s", prune_tensors_name(tensors, i));
    OK(prune_tensors_get(tensors, prune_tensors_name(tensors, i), &b));
    OK(prune_tensors_set(renamed, text, b));
    prune_tensor_free(b);
  }
  const char *from[] = {"net.*"}, *to[] = {"*"};
  prune_weights_options options = PRUNE_WEIGHTS_OPTIONS_INIT;
  options.map_from = from;
  options.map_to = to;
  options.map_from_count = options.map_to_count = 1;
  FAILS(prune_model_set_weights(other, renamed, &options, &report), PRUNE_ERROR_MISMATCH, name);
  options.strict = 0;
  OK(prune_model_set_weights(other, renamed, &options, &report));
  OK(prune_report_number(report, "matched", &matched));
  CHECK(matched == 5);
  options.map_to_count = 0;
  FAILS(prune_model_set_weights(other, renamed, &options, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "map");
  OK(prune_tensors_save(renamed, path));
  FAILS(prune_tensors_load("/nowhere/x.pt", &tensors), PRUNE_ERROR_IO, "/nowhere/x.pt");
  write_file(path, "no weights at all", 17);
  FAILS(prune_model_load_weights(other, path, NULL, NULL), PRUNE_ERROR_BAD_FORMAT, "safetensors");

  unlink(path);
  prune_report_free(report);
  prune_tensor_free(a);
  prune_tensors_free(tensors);
  prune_tensors_free(renamed);
  prune_model_free(model);
  prune_model_free(other);
}

/* An uncompressed PNG of one grey pixel, of value 51. */
static const unsigned char pixel[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00,
    0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x3a, 0x7e, 0x9b, 0x55, 0x00, 0x00, 0x00,
    0x0d, 0x49, 0x44, 0x41, 0x54, 0x78, 0x01, 0x01, 0x02, 0x00, 0xfd, 0xff, 0x00, 0x33, 0x00, 0x35, 0x00, 0x34,
    0xef, 0x13, 0xf8, 0xb2, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

static void images(void) {
  char folder[] = "/tmp/prune-images-XXXXXX", path[100], broken[100];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/a.png", folder);
  snprintf(broken, sizeof broken, "%s/b.png", folder);
  write_file(path, pixel, sizeof pixel);
  write_file(broken, pixel, 30);

  prune_dataset *data = NULL, *turned = NULL;
  prune_images_options options = PRUNE_IMAGES_OPTIONS_INIT;
  FAILS(prune_dataset_images(NULL, &options, &data), PRUNE_ERROR_INVALID_ARGUMENT, "size");
  const int64_t size[] = {2};
  options.path = folder;
  options.size = size;
  options.size_rank = 1;
  options.layout = "nhwc";
  OK(prune_dataset_images(NULL, &options, &data));
  CHECK(prune_dataset_count(data) == 2 && prune_dataset_class_count(data) == 0);
  prune_value_info info = {.struct_size = sizeof info};
  OK(prune_dataset_input(data, 0, &info));
  CHECK(prune_dataset_input_count(data) == 1 && info.rank == 4 && info.shape[0] == 2 && info.shape[3] == 3);
  FAILS(prune_dataset_input(data, 1, &info), PRUNE_ERROR_NOT_FOUND, "1 inputs");
  CHECK(prune_dataset_class_name(data, 0) == NULL && prune_dataset_class_name(NULL, 0) == NULL);
  CHECK(strcmp(prune_dataset_layout(data), "nhwc") == 0 && prune_dataset_layout(NULL) == NULL);
  prune_tensor *x = NULL;
  prune_status status = prune_dataset_x(data, &x);
  if (status == PRUNE_ERROR_UNSUPPORTED) {
    fprintf(stderr, "skipped: images need libspng0\n");
  } else {
    CHECK(status == PRUNE_OK);
    CHECK(prune_tensor_count(x) == 24);
    const float *values = prune_tensor_data(x);
    /* The broken one is replaced by the other. */
    for (size_t i = 0; values && i < 24; i++) CHECK(fabsf(values[i] - 0.2f) < 1e-6f);
    prune_report *report = NULL;
    double count = 0;
    OK(prune_dataset_broken(data, &report));
    OK(prune_report_number(report, "count", &count));
    CHECK(count == 1);
    prune_report_free(report);
  }
  FAILS(prune_dataset_to_layout(data, "nchw", &turned), PRUNE_ERROR_UNSUPPORTED, "prune.data.images");
  FAILS(prune_dataset_set_layout(data, "hwc", &turned), PRUNE_ERROR_INVALID_ARGUMENT, "nhwc");
  prune_tensor_free(x);
  prune_dataset_free(data);
  unlink(path);
  unlink(broken);
  rmdir(folder);
}

/* Classes of positions, and sound. */
static void positions(void) {
  float samples[2 * 3] = {0};
  int64_t classes[2 * 3] = {0, 255, 1, -100, 2, 255}, shape[] = {2, 3};
  prune_tensor *x = NULL, *y = NULL, *kept = NULL;
  prune_dataset *data = NULL, *counted = NULL;
  OK(prune_tensor_create(PRUNE_FLOAT32, 2, shape, samples, &x));
  OK(prune_tensor_create(PRUNE_INT64, 2, shape, classes, &y));
  OK(prune_dataset_from_tensors(NULL, x, y, &data));
  CHECK(prune_dataset_class_count(data) == 0);
  OK(prune_dataset_ignore(data, 255, &counted));
  OK(prune_dataset_y(counted, &kept));
  const int64_t *values = prune_tensor_data(kept), wanted[] = {0, -1, 1, -1, 2, -1};
  for (int i = 0; values && i < 6; i++) CHECK(values[i] == wanted[i]);
  FAILS(prune_dataset_ignore(NULL, 0, &counted), PRUNE_ERROR_INVALID_ARGUMENT, "");
  prune_dataset_free(data);
  data = NULL;
  prune_wav_options options = PRUNE_WAV_OPTIONS_INIT;
  FAILS(prune_dataset_wav(NULL, NULL, &data), PRUNE_ERROR_IO, "there is nothing");
  options.path = "/nonexistent";
  options.window = 10;
  FAILS(prune_dataset_wav(NULL, &options, &data), PRUNE_ERROR_IO, "there is nothing");
  FAILS(prune_dataset_npy(NULL, "/nonexistent", NULL, &data), PRUNE_ERROR_IO, "there is nothing");
  FAILS(prune_dataset_npy(NULL, NULL, NULL, &data), PRUNE_ERROR_INVALID_ARGUMENT, "path");
  prune_dataset_free(counted);
  prune_tensor_free(x);
  prune_tensor_free(y);
  prune_tensor_free(kept);
}

int main(void) {
  weights();
  images();
  positions();
  return check_end();
}
