/* prune.data: where data sets come from. */
#include "binding_options.h"
#include "tensors.h"

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
               "option 'label' must be columns' names or their numbers from 1, got %s", luaL_tolstring(L, -1, NULL));
    }
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
  return lua_tostring(L, -1);
}

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

/* label: a column's name or its number from 1, or a list of them. */
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

const luaL_Reg pl_data_sources[] = {{"digits", data_digits},    {"idx", data_idx},
                                    {"npz", data_npz},          {"csv", data_csv},
                                    {"cifar10", data_cifar10},  {"tensors", data_tensors},
                                    {"images", pl_data_images}, {"wav", data_wav},
                                    {"npy", data_npy},          {NULL, NULL}};
