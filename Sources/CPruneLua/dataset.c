/* Dataset, and prune.data: where data sets come from. */
#include "binding_options.h"
#include "tensors.h"

#include <math.h>

static int data_digits(lua_State *L) {
  prune_context *context = pl_get_context(L);
  NEW_DATASET(L, prune_dataset_digits(context, &out));
  return 1;
}

static int data_idx(lua_State *L) {
  pl_call call = {.L = L, .where = "prune.data.idx"};
  idx_options options;
  pl_options(&call, 1, &pl_idx_set, &options);
  prune_context *context = pl_get_context(L);
  NEW_DATASET(L, prune_dataset_idx(context, options.images, options.labels, &out));
  return 1;
}

/* The array of that name in a file's arrays; pushes it. */
static prune_tensor *npz_array(lua_State *L, const prune_tensors *arrays, const char *name, const char *path) {
  handle *object = pl_new(L, &pl_tensor);
  prune_tensor *tensor = NULL;
  prune_status status = prune_tensors_get(arrays, name, &tensor);
  object->pointer = tensor;
  if (status == PRUNE_ERROR_NOT_FOUND) {
    luaL_Buffer names;
    luaL_buffinit(L, &names);
    for (size_t i = 0; i < prune_tensors_count(arrays) && i < 20; i++) {
      luaL_addstring(&names, i ? ", " : "it has: ");
      luaL_addstring(&names, prune_tensors_name(arrays, i));
    }
    luaL_pushresult(&names);
    pl_error(L, "not_found", path, lua_tostring(L, -1), "no array named '%s'", name);
  }
  pl_check(L, status);
  return tensor;
}

/* x = {input = "array", …}: several inputs; y only where it is named. */
static int npz_inputs(lua_State *L, const char *path, int x, const char *y) {
  handle *loaded = pl_new(L, &pl_tensors), *chosen = pl_new(L, &pl_tensors);
  prune_tensors *arrays = NULL, *inputs = NULL;
  prune_status status = prune_tensors_load_npz(path, &arrays);
  loaded->pointer = arrays;
  pl_check(L, status);
  pl_check(L, prune_tensors_create(&inputs));
  chosen->pointer = inputs;
  lua_pushnil(L);
  while (lua_next(L, x)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) {
      pl_error(L, "invalid_argument", "prune.data.npz", NULL,
               "option 'x' must be a name or a table {input = name}, got %s = %s", luaL_tolstring(L, -2, NULL),
               pl_type_name(L, -2));
    }
    const char *name = lua_tostring(L, -2), *array = lua_tostring(L, -1);
    pl_check(L, prune_tensors_set(inputs, name, npz_array(L, arrays, array, path)));
    lua_pop(L, 2);
  }
  prune_tensor *targets = y ? npz_array(L, arrays, y, path) : NULL;
  prune_context *context = pl_get_context(L);
  NEW_DATASET(L, prune_dataset_from_inputs(context, inputs, targets, &out));
  return 1;
}

static int data_npz(lua_State *L) {
  pl_call call = {.L = L, .where = "prune.data.npz"};
  const char *path = pl_check_path(L, 1);
  npz_options options;
  pl_options(&call, 2, &pl_npz_set, &options);
  if (options.x && lua_istable(L, options.x)) return npz_inputs(L, path, options.x, options.y);
  if (options.x && lua_type(L, options.x) != LUA_TSTRING) {
    pl_error(L, "invalid_argument", call.where, NULL, "option 'x' must be a name or a table {input = name}, got %s",
             pl_type_name(L, options.x));
  }
  const char *x = options.x ? lua_tostring(L, options.x) : NULL;
  prune_context *context = pl_get_context(L);
  NEW_DATASET(L, prune_dataset_npz(context, path, x, options.y, &out));
  return 1;
}

/* Names and numbers from 1, apart by commas; pushes them. */
static const char *column_names(lua_State *L, int index) {
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  lua_Integer count = (lua_Integer)lua_rawlen(L, index);
  for (lua_Integer i = 1; i <= count; i++) {
    if (i > 1) luaL_addchar(&text, ',');
    int type = lua_rawgeti(L, index, i);
    if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 1) {
      lua_pushfstring(L, "%I", (LUAI_UACINT)(lua_tointeger(L, -1) - 1));
      lua_remove(L, -2);
    } else if (type != LUA_TSTRING) {
      pl_error(L, "invalid_argument", "prune.data.csv", NULL,
               "option 'label' must be columns' names or their numbers from 1, got %s", pl_type_name(L, -1));
    }
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
  return lua_tostring(L, -1);
}

/* label: a column's name or its number from 1, or a list of them. */
static int data_npy(lua_State *L) {
  pl_call call = {.L = L, .where = "prune.data.npy"};
  const char *path = pl_check_path(L, 1);
  npy_options options;
  pl_options(&call, 2, &pl_npy_set, &options);
  prune_context *context = pl_get_context(L);
  NEW_DATASET(L, prune_dataset_npy(context, path, options.y, &out));
  return 1;
}

static int data_wav(lua_State *L) {
  pl_call call = {.L = L, .where = "prune.data.wav"};
  prune_wav_options options;
  pl_options(&call, 1, &pl_wav_set, &options);
  prune_context *context = pl_get_context(L);
  NEW_DATASET(L, prune_dataset_wav(context, &options, &out));
  return 1;
}

static int data_csv(lua_State *L) {
  pl_call call = {.L = L, .where = "prune.data.csv"};
  const char *path = pl_check_path(L, 1);
  csv_options options;
  pl_options(&call, 2, &pl_csv_set, &options);
  const char *label = NULL;
  if (options.label && lua_isinteger(L, options.label)) {
    if (lua_tointeger(L, options.label) < 1) {
      pl_error(L, "invalid_argument", call.where, NULL, "option 'label' must be a column's name or its number from 1");
    }
    label = lua_pushfstring(L, "%I", (LUAI_UACINT)(lua_tointeger(L, options.label) - 1));
  } else if (options.label && lua_istable(L, options.label)) {
    label = column_names(L, options.label);
  } else if (options.label) {
    if (lua_type(L, options.label) != LUA_TSTRING) {
      pl_error(L, "invalid_argument", call.where, NULL, "option 'label' must be a column's name or number, got %s",
               pl_type_name(L, options.label));
    }
    label = lua_tostring(L, options.label);
  }
  prune_context *context = pl_get_context(L);
  NEW_DATASET(L, prune_dataset_csv(context, path, label, &out));
  return 1;
}

/* prune.data.cifar10(path), prune.data.cifar10{path, …} */
static int data_cifar10(lua_State *L) {
  size_t count = 1;
  const char **paths;
  if (lua_type(L, 1) == LUA_TSTRING) {
    paths = pl_scratch(L, sizeof *paths);
    paths[0] = lua_tostring(L, 1);
  } else {
    luaL_checktype(L, 1, LUA_TTABLE);
    count = (size_t)lua_rawlen(L, 1);
    paths = pl_scratch(L, count * sizeof *paths);
    for (size_t i = 0; i < count; i++) {
      if (lua_rawgeti(L, 1, (lua_Integer)i + 1) != LUA_TSTRING) {
        pl_error(L, "invalid_argument", "prune.data.cifar10", NULL, "path %zu must be a string, got %s", i + 1,
                 pl_type_name(L, -1));
      }
      paths[i] = lua_tostring(L, -1);
      lua_pop(L, 1);
    }
  }
  prune_context *context = pl_get_context(L);
  NEW_DATASET(L, prune_dataset_cifar10(context, paths, count, &out));
  return 1;
}

/* x: numbers, or {input = numbers}; y: integers are classes. */
static int data_tensors(lua_State *L) {
  lua_settop(L, 2);
  if (pl_has_names(L, 1)) {
    prune_tensors *inputs = pl_tensors_from_table(L, 1, "prune.data.tensors");
    prune_tensor *targets = lua_isnil(L, 2) ? NULL : pl_to_tensor(L, 2, 0);
    prune_context *context = pl_get_context(L);
    NEW_DATASET(L, prune_dataset_from_inputs(context, inputs, targets, &out));
    return 1;
  }
  prune_tensor *x = pl_to_tensor(L, 1, pl_test(L, 1, &pl_tensor) ? 0 : PRUNE_FLOAT32);
  prune_tensor *y = lua_isnil(L, 2) ? NULL : pl_to_tensor(L, 2, 0);
  prune_context *context = pl_get_context(L);
  NEW_DATASET(L, prune_dataset_from_tensors(context, x, y, &out));
  return 1;
}

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
  static const luaL_Reg data[] = {{"digits", data_digits},    {"idx", data_idx},
                                  {"npz", data_npz},          {"csv", data_csv},
                                  {"cifar10", data_cifar10},  {"tensors", data_tensors},
                                  {"images", pl_data_images}, {"wav", data_wav},
                                  {"npy", data_npy},          {NULL, NULL}};
  pl_class(L, &pl_dataset, methods, fields, metamethods);
  luaL_newlib(L, data);
  lua_setfield(L, api, "data");
}
