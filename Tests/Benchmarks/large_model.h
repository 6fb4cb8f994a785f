/* Writes a VGG-16 (ImageNet) of random weights as one ONNX file of 553 MB, field by field. The weights are streamed behind it. */
#ifndef LARGE_MODEL_H
#define LARGE_MODEL_H

#include <stdio.h>
#include <unistd.h>

#include "onnx_writer.h"

typedef struct {
  char weight[32];
  int64_t shape[4];
  int rank;
} parameter;

static uint64_t element_count(const parameter *p) {
  uint64_t count = 1;
  for (int axis = 0; axis < p->rank; axis++) count *= (uint64_t)p->shape[axis];
  return count;
}

/* TensorProto up to its raw_data, and the length of the whole. */
static void tensor_head(const parameter *p, message *head, uint64_t *whole) {
  head->size = 0;
  for (int axis = 0; axis < p->rank; axis++) put_int(head, 1, (uint64_t)p->shape[axis]);
  put_int(head, 2, 1);
  put_text(head, 8, p->weight);
  put_varint(head, 9 << 3 | 2);
  put_varint(head, element_count(p) * 4);
  *whole = head->size + element_count(p) * 4;
}

static void put_node(message *graph, const char *op, const char *const *inputs, int count, const char *output,
                     int kind) {
  static message node;
  const int64_t three[] = {3, 3}, two[] = {2, 2}, ones[] = {1, 1, 1, 1};
  node.size = 0;
  for (int index = 0; index < count; index++) put_text(&node, 1, inputs[index]);
  put_text(&node, 2, output);
  put_text(&node, 3, output);
  put_text(&node, 4, op);
  if (kind == 1) {
    put_attribute_ints(&node, "kernel_shape", three, 2);
    put_attribute_ints(&node, "pads", ones, 4);
  } else if (kind == 2) {
    put_attribute_ints(&node, "kernel_shape", two, 2);
    put_attribute_ints(&node, "strides", two, 2);
  }
  put_message(graph, 1, &node);
}

static int write_all(int descriptor, const void *bytes, size_t size) {
  while (size) {
    ssize_t put = write(descriptor, bytes, size);
    if (put <= 0) return 0;
    bytes = (const char *)bytes + put;
    size -= (size_t)put;
  }
  return 1;
}

/* 1 when everything was written. */
static int write_vgg16(int descriptor) {
  static const int widths[] = {64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0};
  static message graph, head, prefix, opset, model;
  static parameter parameters[32];
  int parameter_total = 0, channels = 3, layers = 0;
  char value[32] = "input", next[32], bias[32];

  for (size_t index = 0; index < sizeof widths / sizeof *widths; index++) {
    snprintf(next, sizeof next, "v%d", ++layers);
    if (!widths[index]) {
      put_node(&graph, "MaxPool", (const char *[]){value}, 1, next, 2);
    } else {
      parameter *weight = &parameters[parameter_total++], *offset = &parameters[parameter_total++];
      *weight = (parameter){"", {widths[index], channels, 3, 3}, 4};
      *offset = (parameter){"", {widths[index]}, 1};
      snprintf(weight->weight, sizeof weight->weight, "w%d", layers);
      snprintf(offset->weight, sizeof offset->weight, "b%d", layers);
      snprintf(bias, sizeof bias, "c%d", layers);
      put_node(&graph, "Conv", (const char *[]){value, weight->weight, offset->weight}, 3, bias, 1);
      put_node(&graph, "Relu", (const char *[]){bias}, 1, next, 0);
      channels = widths[index];
    }
    strcpy(value, next);
  }
  put_node(&graph, "Flatten", (const char *[]){value}, 1, "flat", 0);
  strcpy(value, "flat");
  const int64_t dense[][2] = {{25088, 4096}, {4096, 4096}, {4096, 1000}};
  for (int index = 0; index < 3; index++) {
    parameter *weight = &parameters[parameter_total++], *offset = &parameters[parameter_total++];
    *weight = (parameter){"", {dense[index][0], dense[index][1]}, 2};
    *offset = (parameter){"", {dense[index][1]}, 1};
    snprintf(weight->weight, sizeof weight->weight, "fw%d", index);
    snprintf(offset->weight, sizeof offset->weight, "fb%d", index);
    snprintf(next, sizeof next, index == 2 ? "output" : "fc%d", index);
    put_node(&graph, "Gemm", (const char *[]){value, weight->weight, offset->weight}, 3, next, 0);
    strcpy(value, next);
  }
  put_text(&graph, 2, "vgg16");
  put_value(&graph, 11, "input", (const int64_t[]){1, 3, 224, 224}, 4);
  put_value(&graph, 12, "output", (const int64_t[]){1, 1000}, 2);

  /* The graph's length: what is built, and each initializer with its key and length. */
  uint64_t total = graph.size;
  for (int index = 0; index < parameter_total; index++) {
    uint64_t whole;
    tensor_head(&parameters[index], &head, &whole);
    prefix.size = 0;
    put_varint(&prefix, 5 << 3 | 2);
    put_varint(&prefix, whole);
    total += prefix.size + whole;
  }
  put_int(&model, 1, 8);
  put_text(&opset, 1, "");
  put_int(&opset, 2, 17);
  put_message(&model, 8, &opset);
  put_varint(&model, 7 << 3 | 2);
  put_varint(&model, total);
  if (!write_all(descriptor, model.bytes, model.size) || !write_all(descriptor, graph.bytes, graph.size)) return 0;

  static float values[1 << 14];
  unsigned state = 7;
  for (size_t index = 0; index < sizeof values / sizeof *values; index++) {
    state = state * 1664525u + 1013904223u;
    values[index] = ((float)(state >> 8) / (float)(1 << 24) - 0.5f) * 0.05f;
  }
  for (int index = 0; index < parameter_total; index++) {
    uint64_t whole, left = element_count(&parameters[index]) * 4;
    tensor_head(&parameters[index], &head, &whole);
    prefix.size = 0;
    put_varint(&prefix, 5 << 3 | 2);
    put_varint(&prefix, whole);
    if (!write_all(descriptor, prefix.bytes, prefix.size) || !write_all(descriptor, head.bytes, head.size)) return 0;
    while (left) {
      size_t part = left < sizeof values ? (size_t)left : sizeof values;
      if (!write_all(descriptor, values, part)) return 0;
      left -= part;
    }
  }
  return close(descriptor) == 0;
}

#endif
