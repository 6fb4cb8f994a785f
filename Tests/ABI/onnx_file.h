/* Models written by hand: y = x + w + b, where w is in a data file, all `value`, and b, ten times that, in the model. */
#ifndef ONNX_FILE_H
#define ONNX_FILE_H

#include "check.h"

static size_t put_int(unsigned char *out, int field, unsigned long value) {
  size_t n = 0;
  for (out[n++] = (unsigned char)(field << 3); value > 127; value >>= 7) out[n++] = (unsigned char)(value | 128);
  out[n++] = (unsigned char)value;
  return n;
}

static size_t put(unsigned char *out, int field, const void *bytes, size_t size) {
  size_t n = 0, rest = size;
  for (out[n++] = (unsigned char)(field << 3 | 2); rest > 127; rest >>= 7) out[n++] = (unsigned char)(rest | 128);
  out[n++] = (unsigned char)rest;
  memcpy(out + n, bytes, size);
  return n + size;
}

static size_t put_text(unsigned char *out, int field, const char *text) { return put(out, field, text, strlen(text)); }

static size_t put_add(unsigned char *out, const char *a, const char *b, const char *y) {
  unsigned char node[64];
  size_t n = put_text(node, 1, a);
  n += put_text(node + n, 1, b);
  n += put_text(node + n, 2, y);
  n += put_text(node + n, 4, "Add");
  return put(out, 1, node, n);
}

static size_t put_value(unsigned char *out, int field, const char *name) {
  unsigned char dim[8], shape[16], tensor[32], type[40], value[64];
  size_t n = put(tensor, 2, shape, put(shape, 1, dim, put_int(dim, 1, 4)));
  n += put_int(tensor + n, 1, 1);
  size_t t = put(type, 1, tensor, n);
  n = put_text(value, 1, name);
  n += put(value + n, 2, type, t);
  return put(out, field, value, n);
}

static size_t put_tensor(unsigned char *out, const char *name, const float *values, const char *file) {
  unsigned char tensor[256], entry[128];
  size_t n = put_int(tensor, 1, 4);
  n += put_int(tensor + n, 2, 1);
  n += put_text(tensor + n, 8, name);
  if (values) n += put(tensor + n, 9, values, 16);
  if (file) {
    size_t e = put_text(entry, 1, "location");
    e += put_text(entry + e, 2, file);
    n += put(tensor + n, 13, entry, e);
    n += put_int(tensor + n, 14, 1);
  }
  return put(out, 5, tensor, n);
}

static char folder[64];

static const char *in_folder(const char *name) {
  static char paths[4][128];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void put_file(const char *name, const void *bytes, size_t size) {
  FILE *file = fopen(in_folder(name), "w");
  CHECK(file && fwrite(bytes, 1, size, file) == size);
  if (file) fclose(file);
}

static void put_model(const char *name, const char *data, float value) {
  unsigned char graph[1024], out[1200], opset[8];
  float w[4], b[4];
  for (int i = 0; i < 4; i++) w[i] = value, b[i] = 10 * value;
  size_t n = put_add(graph, "x", "w", "h");
  n += put_add(graph + n, "h", "b", "y");
  n += put_text(graph + n, 2, "g");
  n += put_tensor(graph + n, "w", NULL, data);
  n += put_tensor(graph + n, "b", b, NULL);
  n += put_value(graph + n, 11, "x");
  n += put_value(graph + n, 12, "y");
  size_t at = put_int(out, 1, 8);
  at += put(out + at, 7, graph, n);
  at += put(out + at, 8, opset, put_int(opset, 2, 17));
  put_file(name, out, at);
  put_file(data, w, sizeof w);
}

#endif
