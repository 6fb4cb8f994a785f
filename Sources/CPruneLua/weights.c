/* Files of weights: prune.weights, Model:load_weights and Model:save_weights. */
#include "binding_options.h"
#include "tensors.h"

static prune_tensors *load(lua_State *L, const char *path) {
  handle *object = pl_new(L, &pl_tensors);
  prune_tensors *tensors = NULL;
  prune_status status = prune_tensors_load(path, &tensors);
  object->pointer = tensors;
  pl_check(L, status);
  return tensors;
}

/* prune.weights.load(path) -> {name = tensor} */
static int weights_load(lua_State *L) {
  load(L, pl_check_path(L, 1));
  pl_push_tensors(L, lua_gettop(L));
  return 1;
}

/* prune.weights.save(path, {name = tensor}) */
static int weights_save(lua_State *L) {
  const char *path = pl_check_path(L, 1);
  prune_tensors *tensors = pl_tensors_from_table(L, 2, "prune.weights.save");
  pl_check(L, prune_tensors_save(tensors, path));
  return 0;
}

/* The value at the top as a new name: a string, or "" for false and nil. */
static const char *new_name(lua_State *L, const char *where, const char *name) {
  if (!lua_toboolean(L, -1)) return "";
  if (lua_type(L, -1) != LUA_TSTRING) {
    pl_error(L, "invalid_argument", where, NULL, "option 'map' has %s for '%s', wanted a name or false",
             pl_type_name(L, -1), name);
  }
  return lua_tostring(L, -1);
}

/* map = {["module.*"] = "*"}: the names stay in the user's table. */
static void map_of_table(lua_State *L, const char *where, weights_options *options) {
  size_t count = 0;
  for (lua_pushnil(L); lua_next(L, options->map); lua_pop(L, 1)) count++;
  const char **from = pl_scratch(L, count * sizeof *from), **to = pl_scratch(L, count * sizeof *to);
  size_t i = 0;
  lua_pushnil(L);
  while (lua_next(L, options->map) && i < count) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      pl_error(L, "invalid_argument", where, "write {[\"module.*\"] = \"*\"}",
               "option 'map' goes by name, got a %s as key", luaL_typename(L, -2));
    }
    from[i] = lua_tostring(L, -2);
    to[i] = new_name(L, where, from[i]);
    i++;
    lua_pop(L, 1);
  }
  options->weights.map_from = from;
  options->weights.map_to = to;
  options->weights.map_from_count = options->weights.map_to_count = i;
}

/* map = function(name): asked for each of the tensors; a table below them keeps what it gave. */
static void map_of_function(lua_State *L, const char *where, weights_options *options, const prune_tensors *tensors) {
  size_t count = prune_tensors_count(tensors);
  const char **from = pl_scratch(L, count * sizeof *from), **to = pl_scratch(L, count * sizeof *to);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    from[i] = prune_tensors_name(tensors, i);
    lua_pushvalue(L, options->map);
    lua_pushstring(L, from[i]);
    lua_call(L, 1, 1);
    to[i] = new_name(L, where, from[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  options->weights.map_from = from;
  options->weights.map_to = to;
  options->weights.map_from_count = options->weights.map_to_count = count;
}

/* m:load_weights(path or {name = tensor}, {map =, strict =}) */
int pl_model_load_weights(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  pl_call call = {.L = L, .where = "Model:load_weights"};
  bool is_table = lua_istable(L, 2);
  const char *path = is_table ? NULL : pl_check_path(L, 2);
  weights_options options;
  pl_options(&call, 3, &pl_weights_set, &options);
  bool is_function = options.map && lua_isfunction(L, options.map);
  if (options.map && !is_function && !lua_istable(L, options.map)) {
    pl_error(L, "invalid_argument", call.where, NULL, "option 'map' must be a table or a function, got %s",
             pl_type_name(L, options.map));
  }
  prune_tensors *tensors = is_table ? pl_tensors_from_table(L, 2, call.where) : is_function ? load(L, path) : NULL;
  if (is_function) {
    map_of_function(L, call.where, &options, tensors);
  } else if (options.map) {
    map_of_table(L, call.where, &options);
  }
  pl_result result = pl_expect(L, false);
  prune_status status = tensors ? prune_model_set_weights(model, tensors, &options.weights, &result.report)
                                : prune_model_load_weights(model, path, &options.weights, &result.report);
  return pl_deliver(L, &result, NULL, NULL, status);
}

/* m:save_weights(path) */
int pl_model_save_weights(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  pl_check(L, prune_model_save_weights(model, pl_check_path(L, 2)));
  return 0;
}

void pl_open_weights(lua_State *L, int api) {
  static const luaL_Reg weights[] = {{"load", weights_load}, {"save", weights_save}, {NULL, NULL}};
  luaL_newlib(L, weights);
  lua_setfield(L, api, "weights");
}
