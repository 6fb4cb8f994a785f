/* Units that go together: groups, surgery, and a rule for a custom operator. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* The bytes of a length-delimited protobuf field. */
static size_t put(unsigned char *out, int field, const void *data, size_t size) {
  size_t at = 0;
  out[at++] = (unsigned char)(field << 3 | 2);
  size_t rest = size;
  while (rest >= 128) {
    out[at++] = (unsigned char)(rest | 128);
    rest >>= 7;
  }
  out[at++] = (unsigned char)rest;
  memcpy(out + at, data, size);
  return at + size;
}

static size_t put_int(unsigned char *out, int field, unsigned value) {
  out[0] = (unsigned char)(field << 3);
  out[1] = (unsigned char)value;
  return 2;
}

/* ValueInfoProto of a float matrix [2, width]. */
static size_t value(unsigned char *out, const char *name, unsigned width) {
  unsigned char dim[8], shape[32], type[64], outer[80];
  size_t n = 0, t = 0;
  for (int i = 0; i < 2; i++) n += put(shape + n, 1, dim, put_int(dim, 1, i ? width : 2));
  t = put_int(type, 1, 1);
  t += put(type + t, 2, shape, n);
  size_t o = put(outer, 1, type, t);
  size_t at = put(out, 1, name, strlen(name));
  return at + put(out + at, 2, outer, o);
}

/* NodeProto. */
static size_t node(unsigned char *out, const char *op, const char *domain, const char *a, const char *b,
                   const char *y) {
  size_t at = put(out, 1, a, strlen(a));
  if (b) at += put(out + at, 1, b, strlen(b));
  at += put(out + at, 2, y, strlen(y));
  at += put(out + at, 3, y, strlen(y));
  at += put(out + at, 4, op, strlen(op));
  return at + put(out + at, 7, domain, strlen(domain));
}

/* TensorProto of random floats [rows, columns]. */
static size_t weight(unsigned char *out, const char *name, unsigned rows, unsigned columns) {
  float values[64];
  for (unsigned i = 0; i < rows * columns; i++) values[i] = (float)((i * 37 + 11) % 17) / 17 - 0.4f;
  size_t at = put_int(out, 1, rows);
  at += put_int(out + at, 1, columns);
  at += put_int(out + at, 2, 1);
  at += put(out + at, 8, name, strlen(name));
  return at + put(out + at, 9, values, rows * columns * sizeof *values);
}

/* x [2, 4] -> MatMul a [4, 8] -> acme.Wave -> MatMul b [8, 3] -> y. */
static size_t network(unsigned char *out) {
  unsigned char graph[2048], part[512], opset[32];
  size_t n = 0;
  n += put(graph + n, 1, part, node(part, "MatMul", "", "x", "a", "h"));
  n += put(graph + n, 1, part, node(part, "Wave", "acme", "h", NULL, "w"));
  n += put(graph + n, 1, part, node(part, "MatMul", "", "w", "b", "y"));
  n += put(graph + n, 2, "g", 1);
  n += put(graph + n, 5, part, weight(part, "a", 4, 8));
  n += put(graph + n, 5, part, weight(part, "b", 8, 3));
  n += put(graph + n, 11, part, value(part, "x", 4));
  n += put(graph + n, 12, part, value(part, "y", 3));
  n += put(graph + n, 13, part, value(part, "w", 8));
  size_t at = put_int(out, 1, 8);
  at += put(out + at, 7, graph, n);
  at += put(out + at, 8, opset, put_int(opset, 2, 17));
  size_t o = put(opset, 1, "acme", 4);
  o += put_int(opset + o, 2, 1);
  return at + put(out + at, 8, opset, o);
}

static prune_axis_node *last_node;

static int wave(prune_axis_node *node, void *user) {
  ++*(int *)user;
  CHECK(prune_axis_node_rank(node, 0, 0) == 2);
  CHECK(prune_axis_node_rank(node, 0, 7) == -1);
  CHECK(prune_axis_node_extent(node, 0, 0, 1) == 8);
  CHECK(prune_axis_node_extent(node, 1, 0, 5) == -1);
  CHECK(prune_axis_node_int(node, "missing", 42) == 42);
  for (uint32_t axis = 0; axis < 2; axis++) OK(prune_axis_node_carry(node, 0, axis, 0, axis));
  last_node = node;
  return 0;
}

static int ignorant(prune_axis_node *node, void *user) {
  (void)node, (void)user;
  return 1;
}

int main(void) {
  unsigned char bytes[4096];
  size_t size = network(bytes);
  prune_context *context = NULL;
  prune_model *model = NULL, *slim = NULL;
  prune_report *report = NULL;
  prune_tensor *tensor = NULL;
  int calls = 0;
  OK(prune_context_create(&context));
  OK(prune_model_load_memory(context, bytes, size, &model));

  /* Extents go by name; what the model fixes cannot be chosen. */
  prune_model *fixed = NULL;
  const int64_t extents[2] = {2, 1000};
  prune_shape shape = {"nothing", extents, 2};
  FAILS(prune_model_fix_shapes(model, &shape, 1, &fixed), PRUNE_ERROR_NOT_FOUND, "'nothing'");
  FAILS(prune_model_fix_shapes(model, NULL, 1, &fixed), PRUNE_ERROR_INVALID_ARGUMENT, "shapes");
  prune_stats_options at = PRUNE_STATS_OPTIONS_INIT;
  at.shapes = &shape;
  at.shape_count = 1;
  FAILS(prune_model_stats(model, &at, &report), PRUNE_ERROR_NOT_FOUND, "'nothing'");
  prune_value_info info = {.struct_size = sizeof info};
  OK(prune_model_input(model, 0, &info));
  shape.name = info.name;
  FAILS(prune_model_fix_shapes(model, &shape, 1, &fixed), PRUNE_ERROR_MISMATCH, "declared");
  OK(prune_model_fix_shapes(model, NULL, 0, &fixed));
  CHECK(fixed != NULL);
  prune_model_free(fixed);

  prune_prune_options options = PRUNE_PRUNE_OPTIONS_INIT;
  options.granularity = "channel";
  options.amount = 0.5;
  CHECK(prune_model_prune(model, &options, &slim, NULL) == PRUNE_ERROR_INVALID_ARGUMENT);
  CHECK(strstr(prune_last_error()->hint, "acme.Wave") != NULL);
  OK(prune_context_set_axis_rule(context, "acme", "Wave", ignorant, NULL));
  CHECK(prune_model_prune(model, &options, &slim, NULL) == PRUNE_ERROR_INVALID_ARGUMENT);

  OK(prune_context_set_axis_rule(context, "acme", "Wave", wave, &calls));
  OK(prune_model_groups(model, &report));
  CHECK(calls > 0);
  double units = 0;
  OK(prune_report_number(report, "units", &units));
  CHECK(units == 8);
  prune_report_free(report);
  OK(prune_model_prune(model, &options, &slim, NULL));
  OK(prune_model_parameter(slim, "a", &tensor));
  CHECK(prune_tensor_shape(tensor)[0] == 4 && prune_tensor_shape(tensor)[1] == 4);
  prune_tensor_free(tensor);
  OK(prune_model_parameter(slim, "b", &tensor));
  CHECK(prune_tensor_shape(tensor)[0] == 4);
  prune_tensor_free(tensor);

  /* Multiples: of a number, of the machine's (8 units are one, so that none may go), and out of range. */
  prune_model *other = NULL;
  const uint32_t multiples[2] = {3, PRUNE_ROUND_TO_MACHINE};
  const int64_t left[2] = {3, 8};
  for (int i = 0; i < 2; i++) {
    options.round_to = multiples[i];
    OK(prune_model_prune(model, &options, &other, NULL));
    OK(prune_model_parameter(other, "a", &tensor));
    CHECK(prune_tensor_shape(tensor)[1] == left[i]);
    prune_tensor_free(tensor);
    prune_model_free(other);
  }
  options.round_to = 65537;
  FAILS(prune_model_prune(model, &options, &other, NULL), PRUNE_ERROR_INVALID_ARGUMENT, "round_to is 65537");
  options.round_to = 0;
  options.width = 1;
  OK(prune_model_prune(model, &options, &other, NULL));
  prune_model_free(other);
  options.mode = "mask";
  CHECK(prune_model_prune(model, &options, &other, NULL) == PRUNE_ERROR_INVALID_ARGUMENT);
  CHECK(strstr(prune_last_error()->message, "width") != NULL);
  CHECK(prune_context_set_axis_rule(context, "acme", NULL, wave, NULL) == PRUNE_ERROR_INVALID_ARGUMENT);
  CHECK(prune_axis_node_rank(NULL, 0, 0) == -1);
  /* Handles of another kind, and nodes whose rule has ended. */
  prune_axis_node *wrong[] = {(prune_axis_node *)model, (prune_axis_node *)context, last_node};
  for (int i = 0; i < 3; i++) {
    CHECK(prune_axis_node_rank(wrong[i], 0, 0) == -1);
    CHECK(prune_last_error()->status == PRUNE_ERROR_INVALID_ARGUMENT);
    CHECK(prune_axis_node_extent(wrong[i], 0, 0, 0) == -1);
    CHECK(prune_axis_node_int(wrong[i], "axis", 42) == 42);
    FAILS(prune_axis_node_carry(wrong[i], 0, 0, 0, 0), PRUNE_ERROR_INVALID_ARGUMENT, "axis node");
    FAILS(prune_axis_node_couple(wrong[i], 0, 0, 0, 0), PRUNE_ERROR_INVALID_ARGUMENT, "axis node");
    FAILS(prune_axis_node_sum(wrong[i], 0, 0), PRUNE_ERROR_INVALID_ARGUMENT, "axis node");
  }
  CHECK(prune_model_groups(NULL, &report) == PRUNE_ERROR_INVALID_ARGUMENT);
  CHECK(prune_model_keep_classes(model, NULL, 2, NULL, &slim, NULL) == PRUNE_ERROR_INVALID_ARGUMENT);
  prune_model_free(slim);
  prune_model_free(model);
  prune_context_free(context);
  return check_end();
}
