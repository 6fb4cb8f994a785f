/* Tensors cross by pointer, by DLPack and through .npz files. */
#include <unistd.h>

#include "check.h"

static int deleted;
static void deleter(void *data, void *user) {
  free(data);
  deleted += *(int *)user;
}

int main(void) {
  const int64_t shape[] = {2, 3}, absurd[] = {(int64_t)1 << 40, (int64_t)1 << 40}, negative[] = {-1, 2};
  const float values[] = {1, 2, 3, 4, 5, 6};
  prune_tensor *tensor = NULL, *again = NULL;
  prune_tensors *named = NULL, *read = NULL;
  void *data = NULL;
  char path[] = "/tmp/prune-test-XXXXXX.npz";
  int one = 1;

  OK(prune_tensor_create(PRUNE_FLOAT32, 2, shape, values, &tensor));
  CHECK(prune_tensor_count(tensor) == 6 && prune_tensor_byte_count(tensor) == 24);
  CHECK(memcmp(prune_tensor_data(tensor), values, sizeof values) == 0);
  FAILS(prune_tensor_create(PRUNE_FLOAT32, 2, absurd, NULL, &again), PRUNE_ERROR_INVALID_ARGUMENT, "not possible");
  FAILS(prune_tensor_create(PRUNE_FLOAT32, 2, negative, NULL, &again), PRUNE_ERROR_INVALID_ARGUMENT, "-1");
  FAILS(prune_tensor_create(PRUNE_STRING, 2, shape, NULL, &again), PRUNE_ERROR_INVALID_ARGUMENT, "dtype");
  FAILS(prune_tensor_create((prune_dtype)77, 2, shape, NULL, &again), PRUNE_ERROR_INVALID_ARGUMENT, "dtype 77");
  FAILS(prune_tensor_create(PRUNE_FLOAT32, 2, NULL, NULL, &again), PRUNE_ERROR_INVALID_ARGUMENT, "shape is NULL");
  FAILS(prune_tensor_create(PRUNE_FLOAT32, 1000, shape, NULL, &again), PRUNE_ERROR_INVALID_ARGUMENT, "rank");

  /* Lent bytes are not copied, and given back once. */
  float *lent = malloc(sizeof values);
  memcpy(lent, values, sizeof values);
  OK(prune_tensor_from_data(PRUNE_FLOAT32, 2, shape, lent, deleter, &one, &again));
  CHECK(prune_tensor_data(again) == lent || ((size_t)lent & 15) != 0);
  OK(prune_tensor_data_mutable(again, &data));
  CHECK(data != lent);
  ((float *)data)[0] = 9;
  CHECK(((const float *)prune_tensor_data(again))[0] == 9);
  prune_tensor_free(again);
  CHECK(deleted == 1);

  /* A DLPack round trip; the consumer may outlive the tensor. */
  struct DLManagedTensorVersioned *managed = NULL;
  OK(prune_tensor_export_dlpack(tensor, &managed));
  OK(prune_tensor_import_dlpack(managed, &again));
  prune_tensor_free(tensor);
  CHECK(prune_tensor_rank(again) == 2 && prune_tensor_shape(again)[1] == 3);
  CHECK(memcmp(prune_tensor_data(again), values, sizeof values) == 0);

  close(mkstemps(path, 4));
  OK(prune_tensors_create(&named));
  OK(prune_tensors_set(named, "weights", again));
  FAILS(prune_tensors_get(named, "weight", &tensor), PRUNE_ERROR_NOT_FOUND, "weights");
  OK(prune_tensors_save_npz(named, path));
  OK(prune_tensors_load_npz(path, &read));
  CHECK(prune_tensors_count(read) == 1 && strcmp(prune_tensors_name(read, 0), "weights") == 0);
  CHECK(prune_tensors_name(read, 1) == NULL);
  OK(prune_tensors_get(read, "weights", &tensor));
  CHECK(memcmp(prune_tensor_data(tensor), values, sizeof values) == 0);
  FAILS(prune_tensors_load_npz("/nowhere/x.npz", &read), PRUNE_ERROR_IO, "/nowhere/x.npz");
  unlink(path);

  prune_tensor *truth = NULL, *predicted = NULL;
  const int64_t five[] = {5}, four[] = {4};
  const float y_true[] = {0, 0, 1, 0, 0}, y_pred[] = {0.1f, 0.2f, 0.6f, 0.05f, 0.05f};
  const float a[] = {3, -0.5f, 2, 7}, b[] = {2.5f, 0, 2, 8};
  double loss = 0;
  OK(prune_tensor_create(PRUNE_FLOAT32, 1, five, y_true, &truth));
  OK(prune_tensor_create(PRUNE_FLOAT32, 1, five, y_pred, &predicted));
  OK(prune_loss_cross_entropy(truth, predicted, &loss));
  CHECK(fabs(loss - 0.5108256) < 1e-6);
  FAILS(prune_loss_mse(truth, tensor, &loss), PRUNE_ERROR_MISMATCH, "[2,3]");
  prune_tensor_free(truth);
  prune_tensor_free(predicted);
  OK(prune_tensor_create(PRUNE_FLOAT32, 1, four, a, &truth));
  OK(prune_tensor_create(PRUNE_FLOAT32, 1, four, b, &predicted));
  OK(prune_loss_mse(truth, predicted, &loss));
  CHECK(fabs(loss - 0.375) < 1e-9);

  prune_tensor_free(truth);
  prune_tensor_free(predicted);
  prune_tensor_free(tensor);
  prune_tensor_free(again);
  prune_tensors_free(named);
  prune_tensors_free(read);
  return check_end();
}
