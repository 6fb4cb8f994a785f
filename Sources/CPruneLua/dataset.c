/* Dataset: parts, transforms and what a data set tells of itself. */
#include "binding_options.h"
#include "tensors.h"

#include <math.h>

static int dataset_split(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  pl_call call = {.L = L, .where = "Dataset:split"};
  split_options options;
  pl_options(&call, 2, &pl_split_set, &options);
  handle *train_object = pl_new(L, &pl_dataset), *test_object = pl_new(L, &pl_dataset);
  prune_dataset *train = NULL, *test = NULL;
  prune_status status = prune_dataset_split(dataset, options.test, options.seed, &train, &test);
  train_object->pointer = train;
  test_object->pointer = test;
  pl_check(L, status);
  return 2;
}

static int dataset_take(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  lua_Integer count = luaL_checkinteger(L, 2);
  luaL_argcheck(L, count >= 1, 2, "1 or more samples expected");
  NEW_DATASET(L, prune_dataset_take(dataset, (size_t)count, &out));
  return 1;
}

static int dataset_subset(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  size_t count = 0, samples = prune_dataset_count(dataset);
  int64_t *positions = pl_integers(L, 2, 1, "Dataset:subset", &count);
  for (size_t i = 0; i < count; i++) {
    if ((uint64_t)positions[i] > samples) {
      pl_error(L, "invalid_argument", "Dataset:subset", NULL, "position %lld is outside 1...%zu",
               (long long)positions[i], samples);
    }
    positions[i]--;
  }
  NEW_DATASET(L, prune_dataset_subset(dataset, positions, count, &out));
  return 1;
}

/* A number or a list of them; pushes an anchor. */
static const float *channel_values(lua_State *L, int index, const char *name, size_t *count) {
  bool list = lua_istable(L, index);
  *count = list ? (size_t)lua_rawlen(L, index) : 1;
  float *values = pl_scratch(L, *count * sizeof *values);
  for (size_t i = 0; i < *count; i++) {
    if (list) {
      lua_rawgeti(L, index, (lua_Integer)i + 1);
    } else {
      lua_pushvalue(L, index);
    }
    if (lua_type(L, -1) != LUA_TNUMBER || !isfinite(lua_tonumber(L, -1))) {
      pl_error(L, "invalid_argument", "Dataset:normalize", NULL,
               "option '%s' must be a number or a list of them, got %s", name, pl_type_name(L, -1));
    }
    values[i] = (float)lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  return values;
}

static int dataset_normalize(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  pl_call call = {.L = L, .where = "Dataset:normalize"};
  normalize_options options;
  pl_options(&call, 2, &pl_normalize_set, &options);
  size_t channels = 0, others = 0;
  const float *mean = channel_values(L, options.mean, "mean", &channels);
  const float *std = channel_values(L, options.std, "std", &others);
  if (channels != others) {
    pl_error(L, "mismatch", call.where, "give one a channel to both", "mean has %zu values, std has %zu", channels,
             others);
  }
  NEW_DATASET(L, prune_dataset_normalize(dataset, mean, std, channels, &out));
  return 1;
}

/* data:resize{height, width} */
static int dataset_resize(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  size_t count = 0;
  const int64_t *size = pl_integers(L, 2, 1, "Dataset:resize", &count);
  if (count != 2 || size[0] > INT32_MAX || size[1] > INT32_MAX) {
    pl_error(L, "invalid_argument", "Dataset:resize", NULL, "expected {height, width}");
  }
  NEW_DATASET(L, prune_dataset_resize(dataset, (int32_t)size[0], (int32_t)size[1], &out));
  return 1;
}

static int dataset_classes(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  size_t count = 0;
  const int64_t *classes = pl_integers(L, 2, 0, "Dataset:classes", &count);
  NEW_DATASET(L, prune_dataset_classes(dataset, classes, count, &out));
  return 1;
}

static int dataset_labelled(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  prune_model *model = pl_check_model(L, 2);
  NEW_DATASET(L, prune_dataset_labelled(dataset, model, &out));
  return 1;
}

static int dataset_ignore(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  int64_t label = luaL_checkinteger(L, 2);
  NEW_DATASET(L, prune_dataset_ignore(dataset, label, &out));
  return 1;
}

/* {input = tensor} of the samples; a single x without a name is under "". */
static void push_inputs(lua_State *L, prune_dataset *dataset) {
  handle *object = pl_new(L, &pl_tensors);
  prune_tensors *tensors = NULL;
  prune_status status = prune_dataset_inputs(dataset, &tensors);
  object->pointer = tensors;
  pl_check(L, status);
  pl_push_tensors(L, lua_gettop(L));
  lua_remove(L, -2);
}

/* A Tensor, or {input = Tensor} where inputs have names. */
static int dataset_x(lua_State *L) {
  push_inputs(L, pl_check_dataset(L, 1));
  if (lua_getfield(L, -1, "") == LUA_TNIL) lua_pop(L, 1);
  return 1;
}

/* nil when there are no targets. */
static int dataset_y(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  handle *object = pl_new(L, &pl_tensor);
  prune_tensor *tensor = NULL;
  prune_status status = prune_dataset_y(dataset, &tensor);
  object->pointer = tensor;
  if (status == PRUNE_ERROR_NOT_FOUND) return 0;
  pl_check(L, status);
  return 1;
}

static int dataset_class_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)prune_dataset_class_count(pl_check_dataset(L, 1)));
  return 1;
}

static int dataset_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)prune_dataset_count(pl_check_dataset(L, 1)));
  return 1;
}

/* " 1x8x8 float32", with the input's name in front where it has one. */
static void add_samples(lua_State *L, luaL_Buffer *text, const prune_value_info *info) {
  const char *dtype = pl_dtype_name((prune_dtype)info->dtype);
  if (info->name && *info->name) {
    luaL_addchar(text, ' ');
    luaL_addstring(text, info->name);
  }
  for (size_t i = 1; i < info->rank; i++) {
    lua_pushfstring(L, "%s%I", i == 1 ? " " : "x", (LUAI_UACINT)info->shape[i]);
    luaL_addvalue(text);
  }
  luaL_addchar(text, ' ');
  luaL_addstring(text, dtype ? dtype : "unknown");
}

/* "Dataset: 1797 samples 1x8x8 float32, 10 classes" */
static int dataset_tostring(lua_State *L) {
  handle *object = luaL_checkudata(L, 1, pl_dataset.name);
  if (!object->pointer) {
    lua_pushliteral(L, "Dataset (closed)");
    return 1;
  }
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  lua_pushfstring(L, "Dataset: %I samples", (LUAI_UACINT)prune_dataset_count(object->pointer));
  luaL_addvalue(&text);
  size_t count = prune_dataset_input_count(object->pointer);
  for (size_t i = 0; i < count; i++) {
    prune_value_info info = {.struct_size = sizeof info};
    if (i) luaL_addchar(&text, ',');
    if (prune_dataset_input(object->pointer, i, &info) == PRUNE_OK) add_samples(L, &text, &info);
  }
  size_t classes = prune_dataset_class_count(object->pointer);
  if (classes) {
    lua_pushfstring(L, ", %I classes", (LUAI_UACINT)classes);
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
  return 1;
}

void pl_open_dataset(lua_State *L, int api) {
  static const luaL_Reg methods[] = {{"split", dataset_split},
                                     {"take", dataset_take},
                                     {"subset", dataset_subset},
                                     {"normalize", dataset_normalize},
                                     {"resize", dataset_resize},
                                     {"classes", dataset_classes},
                                     {"ignore", dataset_ignore},
                                     {"labelled", dataset_labelled},
                                     {"to_layout", pl_dataset_to_layout},
                                     {"set_layout", pl_dataset_set_layout},
                                     {NULL, NULL}};
  static const luaL_Reg fields[] = {{"x", dataset_x},
                                    {"y", dataset_y},
                                    {"class_count", dataset_class_count},
                                    {"class_names", pl_dataset_class_names},
                                    {"broken", pl_dataset_broken},
                                    {"layout", pl_dataset_layout},
                                    {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__len", dataset_len}, {"__tostring", dataset_tostring}, {NULL, NULL}};
  pl_class(L, &pl_dataset, methods, fields, metamethods);
  lua_newtable(L);
  luaL_setfuncs(L, pl_data_sources, 0);
  lua_setfield(L, api, "data");
}
