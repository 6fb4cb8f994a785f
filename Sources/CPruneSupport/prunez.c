#define PRUNEZ_IMPLEMENTATION
#include "prunez.h"

#include "prune_support.h"

int64_t ps_prunez_work_size(const uint8_t *data, int64_t size) { return (int64_t)prunez_work_size(data, (size_t)size); }

int64_t ps_prunez_onnx_size(const uint8_t *data, int64_t size, uint32_t *work, int64_t work_size) {
  prunez_reader reader;
  if (prunez_open(&reader, data, (size_t)size, work, (size_t)work_size) != 0) return 0;
  return (int64_t)prunez_onnx_size(&reader);
}

int32_t ps_prunez_onnx(const uint8_t *data, int64_t size, uint32_t *work, int64_t work_size, uint8_t *out,
                       int64_t out_size) {
  prunez_reader reader;
  if (prunez_open(&reader, data, (size_t)size, work, (size_t)work_size) != 0) return -1;
  return prunez_onnx(&reader, out, (size_t)out_size);
}
