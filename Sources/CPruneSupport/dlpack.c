#include <stdlib.h>
#include <string.h>

#include "prune_support.h"

// The layout of DLPack 1.x (dmlc/dlpack, include/dlpack/dlpack.h), which is frozen.
typedef struct {
  uint32_t major, minor;
} dl_version;
typedef struct {
  int32_t type, id;
} dl_device;
typedef struct {
  uint8_t code, bits;
  uint16_t lanes;
} dl_type;
typedef struct {
  void *data;
  dl_device device;
  int32_t ndim;
  dl_type dtype;
  int64_t *shape, *strides;
  uint64_t byte_offset;
} dl_tensor;
typedef struct dl_managed {
  dl_version version;
  void *context;
  void (*deleter)(struct dl_managed *self);
  uint64_t flags;
  dl_tensor tensor;
} dl_managed;

enum { cpu = 1, cuda_host = 3, flag_read_only = 1 };

struct lent {
  void *owner;
  void (*release)(void *owner);
};

static void give_back(dl_managed *self) {
  struct lent *lent = self->context;
  lent->release(lent->owner);
  free(lent);
  free(self->tensor.shape);
  free(self);
}

void *ps_dlpack_lend(const ps_dlpack_view *view, void *owner, void (*release)(void *owner)) {
  dl_managed *managed = calloc(1, sizeof *managed);
  struct lent *lent = malloc(sizeof *lent);
  // Strides follow the shape in the same allocation.
  int64_t *extents = malloc(2 * sizeof *extents * (size_t)(view->rank ? view->rank : 1));
  if (!managed || !lent || !extents) {
    free(managed);
    free(lent);
    free(extents);
    return NULL;
  }
  *lent = (struct lent){owner, release};
  int64_t stride = 1;
  for (int32_t axis = view->rank - 1; axis >= 0; axis--) {
    extents[axis] = view->shape[axis];
    extents[view->rank + axis] = stride;
    stride *= view->shape[axis];
  }
  managed->version = (dl_version){1, 0};
  managed->context = lent;
  managed->deleter = give_back;
  managed->flags = flag_read_only;
  managed->tensor =
      (dl_tensor){view->data, {cpu, 0}, view->rank, {view->code, view->bits, 1}, extents, extents + view->rank, 0};
  return managed;
}

int ps_dlpack_read(const void *pointer, ps_dlpack_view *out_view) {
  const dl_managed *managed = pointer;
  if (managed->version.major != 1) return 1;
  const dl_tensor *tensor = &managed->tensor;
  if (tensor->device.type != cpu && tensor->device.type != cuda_host) return 2;
  if (tensor->dtype.lanes != 1) return 3;
  *out_view = (ps_dlpack_view){(char *)tensor->data + tensor->byte_offset,
                               tensor->ndim,
                               tensor->dtype.code,
                               tensor->dtype.bits,
                               tensor->shape,
                               tensor->strides};
  return 0;
}

void ps_dlpack_release(void *pointer) {
  dl_managed *managed = pointer;
  if (managed->deleter) managed->deleter(managed);
}
