/* Named tensors, {name = tensor} in Lua: prune.npz and the inputs and outputs of a run; prune.losses. */
#include "tensors.h"

prune_tensors *pl_tensors_from_table(lua_State *L, int index, const char *where) {
  index = lua_absindex(L, index);
  pl_want_table(L, index, where, false);
  handle *object = pl_new(L, &pl_tensors);
  prune_tensors *tensors = NULL;
  pl_check(L, prune_tensors_create(&tensors));
  object->pointer = tensors;
  /* In the order of the names: two runs of a program write the same file. */
  lua_newtable(L);
  int names = lua_gettop(L);
  lua_Integer count = 0;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) {
      pl_error(L, "invalid_argument", where, "write {name = tensor}", "tensors are named; got the key %s",
               luaL_tolstring(L, -1, NULL));
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, names, ++count);
  }
  pl_push_internals(L);
  lua_getfield(L, -1, "sort");
  lua_pushvalue(L, names);
  lua_call(L, 1, 0);
  lua_pop(L, 1);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, names, i);
    const char *name = lua_tostring(L, -1);
    lua_getfield(L, index, name);
    if (!pl_test(L, -1, &pl_tensor) && !lua_istable(L, -1)) {
      pl_error(L, "invalid_argument", where, NULL, "'%s' must be a Tensor or a table of numbers, got %s", name,
               pl_type_name(L, -1));
    }
    prune_tensor *tensor = pl_to_tensor(L, -1, 0);
    pl_check(L, prune_tensors_set(tensors, name, tensor));
    lua_pop(L, 3);
  }
  lua_pop(L, 1);
  return tensors;
}

bool pl_has_names(lua_State *L, int index) {
  if (!lua_istable(L, index)) return false;
  lua_pushnil(L);
  if (!lua_next(L, index)) return false;
  bool named = lua_type(L, -2) == LUA_TSTRING;
  lua_pop(L, 2);
  return named;
}

void pl_push_tensors(lua_State *L, int index) {
  const prune_tensors *tensors = pl_handle(L, index, &pl_tensors)->pointer;
  size_t count = prune_tensors_count(tensors);
  lua_createtable(L, 0, (int)count);
  for (size_t i = 0; i < count; i++) {
    const char *name = prune_tensors_name(tensors, i);
    if (!name) break;
    handle *object = pl_new(L, &pl_tensor);
    prune_tensor *tensor = NULL;
    prune_status status = prune_tensors_get(tensors, name, &tensor);
    object->pointer = tensor;
    pl_check(L, status);
    lua_setfield(L, -2, name);
  }
}

/* prune.npz.load(path) -> {name = tensor} */
static int npz_load(lua_State *L) {
  const char *path = pl_check_path(L, 1);
  handle *object = pl_new(L, &pl_tensors);
  prune_tensors *tensors = NULL;
  prune_status status = prune_tensors_load_npz(path, &tensors);
  object->pointer = tensors;
  pl_check(L, status);
  pl_push_tensors(L, lua_gettop(L));
  return 1;
}

/* prune.npz.save(path, {name = tensor}) */
static int npz_save(lua_State *L) {
  const char *path = pl_check_path(L, 1);
  prune_tensors *tensors = pl_tensors_from_table(L, 2, "prune.npz.save");
  pl_check(L, prune_tensors_save_npz(tensors, path));
  return 0;
}

/* A list that is all integers still means numbers here. */
static prune_tensor *loss_tensor(lua_State *L, int index) {
  return pl_to_tensor(L, index, pl_test(L, index, &pl_tensor) ? 0 : PRUNE_FLOAT32);
}

/* prune.losses.NAME(y_true, y_pred, options); the name is the upvalue. */
static int losses_compute(lua_State *L) {
  lua_settop(L, 3);
  pl_call call = {.L = L, .where = "prune.losses"};
  prune_loss_options options;
  pl_options(&call, 3, &pl_loss_set, &options);
  prune_tensor *y_true = loss_tensor(L, 1), *y_pred = loss_tensor(L, 2);
  double loss = 0;
  pl_check(L, prune_loss_compute(lua_tostring(L, lua_upvalueindex(1)), y_true, y_pred, &options, &loss));
  lua_pushnumber(L, loss);
  return 1;
}

void pl_open_tensors(lua_State *L, int api) {
  static const luaL_Reg npz[] = {{"load", npz_load}, {"save", npz_save}, {NULL, NULL}};
  static const char *const losses[] = {"cross_entropy", "mse", "mae", "huber", "bce", "kl"};
  pl_class(L, &pl_tensors, NULL, NULL, NULL);
  luaL_newlib(L, npz);
  lua_setfield(L, api, "npz");
  lua_newtable(L);
  for (size_t i = 0; i < OPTION_COUNT_OF(losses); i++) {
    lua_pushstring(L, losses[i]);
    lua_pushcclosure(L, losses_compute, 1);
    lua_setfield(L, -2, losses[i]);
  }
  lua_setfield(L, api, "losses");
}
