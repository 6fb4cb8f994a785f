/* NULL, freed handles and handles of another kind are refused; frees are harmless in any order. */
#include "check.h"

int main(void) {
  prune_dataset *digits = NULL, *train = NULL, *test = NULL;
  prune_model *model = NULL, *copy = NULL;
  prune_report *report = NULL;
  prune_tensor *tensor = NULL;
  prune_context *context = NULL;
  double number = 0;

  CHECK(prune_last_error() != NULL && prune_last_error()->message != NULL);
  CHECK(prune_version_number() == PRUNE_VERSION_NUMBER);
  CHECK(strcmp(prune_status_name(PRUNE_ERROR_MISMATCH), "mismatch") == 0);
  CHECK(strcmp(prune_status_name((prune_status)-99), "unknown") == 0);

  FAILS(prune_dataset_digits(NULL, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "out_dataset is NULL");
  OK(prune_dataset_digits(NULL, &digits));
  CHECK(prune_dataset_count(digits) == 1797);
  CHECK(prune_dataset_class_count(digits) == 10);
  CHECK(prune_dataset_count(NULL) == 0);
  OK(prune_dataset_split(digits, 0.2, 7, &train, &test));
  CHECK(prune_dataset_count(train) + prune_dataset_count(test) == 1797);
  FAILS(prune_dataset_split(digits, 1.5, 7, &train, &test), PRUNE_ERROR_INVALID_ARGUMENT, "1.5");
  FAILS(prune_dataset_split(digits, (double)NAN, 7, &train, &test), PRUNE_ERROR_INVALID_ARGUMENT, "nan");

  OK(prune_zoo_create(NULL, "mlp", NULL, &model));
  FAILS(prune_zoo_create(NULL, "resnet9000", NULL, &copy), PRUNE_ERROR_NOT_FOUND, "resnet9000");
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  zoo.depth = 9000;
  FAILS(prune_zoo_create(NULL, "resnet", &zoo, &copy), PRUNE_ERROR_INVALID_ARGUMENT, "9000");
  zoo.depth = 20;
  zoo.width = NAN;
  FAILS(prune_zoo_create(NULL, "mobilenet_v2", &zoo, &copy), PRUNE_ERROR_INVALID_ARGUMENT, "width");
  zoo.width = 1;
  zoo.stem = "small";
  prune_model *resnet = NULL;
  OK(prune_zoo_create(NULL, "resnet", &zoo, &resnet));
  prune_model_free(resnet);
  FAILS(prune_model_evaluate(NULL, test, NULL, &report), PRUNE_ERROR_INVALID_ARGUMENT, "model is NULL");
  FAILS(prune_model_evaluate((prune_model *)digits, test, NULL, &report), PRUNE_ERROR_INVALID_ARGUMENT, "dataset");
  FAILS(prune_model_evaluate(model, (prune_dataset *)model, NULL, &report), PRUNE_ERROR_INVALID_ARGUMENT, "model");
  FAILS(prune_model_evaluate((prune_model *)&number, test, NULL, &report), PRUNE_ERROR_INVALID_ARGUMENT, "live");
  CHECK(report == NULL);

  OK(prune_model_clone(model, &copy));
  prune_model_free(model);
  FAILS(prune_model_save(model, "/tmp/never.onnx"), PRUNE_ERROR_INVALID_ARGUMENT, "freed");
  prune_model_free(model);
  prune_model_free((prune_model *)digits); /* of another kind: left alone */
  CHECK(prune_dataset_count(digits) == 1797);

  /* A dataset outlives the one it came from; a tensor outlives its dataset. */
  prune_dataset_free(digits);
  CHECK(prune_dataset_count(train) > 1400);
  OK(prune_dataset_x(test, &tensor));
  prune_dataset_free(test);
  CHECK(prune_tensor_rank(tensor) == 4 && prune_tensor_shape(tensor)[3] == 8);
  CHECK(prune_tensor_dtype(tensor) == PRUNE_FLOAT32);

  OK(prune_context_create(&context));
  OK(prune_context_set_threads(context, 1));
  CHECK(prune_context_threads(context) == 1);
  FAILS(prune_context_set_threads(context, -1), PRUNE_ERROR_INVALID_ARGUMENT, "-1");
  prune_context_request_cancel(context);
  prune_context_clear_cancel(context);
  prune_context_free(context);

  prune_model_free(copy);
  prune_dataset_free(train);
  prune_tensor_free(tensor);
  prune_model_free(NULL);
  prune_dataset_free(NULL);
  prune_tensor_free(NULL);
  prune_report_free(NULL);
  prune_context_free(NULL);
  prune_tensors_free(NULL);
  prune_buffer_free(NULL);
  return check_end();
}
