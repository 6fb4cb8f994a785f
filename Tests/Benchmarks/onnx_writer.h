/* Writes ONNX field by field (protobuf wire format). */
#ifndef ONNX_WRITER_H
#define ONNX_WRITER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A message being built in memory. It grows, and is kept until the program ends. */
typedef struct {
  unsigned char *bytes;
  size_t size, capacity;
} message;

static void put_raw(message *m, const void *bytes, size_t size) {
  if (m->size + size > m->capacity) {
    m->capacity = 2 * (m->size + size);
    m->bytes = realloc(m->bytes, m->capacity);
    if (!m->bytes) abort();
  }
  memcpy(m->bytes + m->size, bytes, size);
  m->size += size;
}
static void put_varint(message *m, uint64_t value) {
  do {
    const unsigned char byte = (unsigned char)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
    put_raw(m, &byte, 1);
    value >>= 7;
  } while (value);
}
static void put_int(message *m, int field, uint64_t value) {
  put_varint(m, (uint64_t)field << 3);
  put_varint(m, value);
}
static void put_bytes(message *m, int field, const void *bytes, size_t size) {
  put_varint(m, (uint64_t)field << 3 | 2);
  put_varint(m, size);
  put_raw(m, bytes, size);
}
static void put_text(message *m, int field, const char *text) { put_bytes(m, field, text, strlen(text)); }
static void put_message(message *m, int field, const message *inner) { put_bytes(m, field, inner->bytes, inner->size); }

static void put_attribute_ints(message *node, const char *name, const int64_t *values, int count) {
  static message attribute;
  attribute.size = 0;
  put_text(&attribute, 1, name);
  for (int index = 0; index < count; index++) put_int(&attribute, 8, (uint64_t)values[index]);
  put_int(&attribute, 20, 7);
  put_message(node, 5, &attribute);
}

static void put_value(message *graph, int field, const char *name, const int64_t *dims, int rank) {
  static message dim, shape, tensor, type, info;
  shape.size = tensor.size = type.size = info.size = 0;
  for (int axis = 0; axis < rank; axis++) {
    dim.size = 0;
    put_int(&dim, 1, (uint64_t)dims[axis]);
    put_message(&shape, 1, &dim);
  }
  put_int(&tensor, 1, 1);
  put_message(&tensor, 2, &shape);
  put_message(&type, 1, &tensor);
  put_text(&info, 1, name);
  put_message(&info, 2, &type);
  put_message(graph, field, &info);
}

#endif
