/* Models made simpler: dead units out, extents written in, constants folded. */
#include "binding.h"

/* A transform without options: a new model and its report. */
static int transformed(lua_State *L, prune_status (*transform)(prune_model *, prune_model **, prune_report **)) {
  prune_model *model = pl_check_model(L, 1);
  handle *result_object = pl_new(L, &pl_model);
  handle *object = pl_new(L, &pl_report);
  prune_model *result = NULL;
  prune_report *report = NULL;
  prune_status status = transform(model, &result, &report);
  result_object->pointer = result;
  object->pointer = report;
  pl_check(L, status);
  pl_push_report(L, -1);
  lua_remove(L, -2);
  return 2;
}

int pl_model_compact(lua_State *L) { return transformed(L, prune_model_compact); }
int pl_model_simplify(lua_State *L) { return transformed(L, prune_model_simplify); }

/* m:fix_shapes{height = 640, input = {1, 3, 640, 640}} */
int pl_model_fix_shapes(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  size_t count = 0, total = 0;
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      pl_error(L, "invalid_argument", "Model:fix_shapes", "write {height = 640, input = {1, 3, 640, 640}}",
               "extents go by name, got a %s as key", luaL_typename(L, -2));
    }
    count++;
    total += lua_type(L, -1) == LUA_TTABLE ? (size_t)lua_rawlen(L, -1) : 1;
  }
  const char **names = lua_newuserdatauv(L, (count + 1) * sizeof *names, 0);
  const int64_t **extents = lua_newuserdatauv(L, (count + 1) * sizeof *extents, 0);
  size_t *ranks = lua_newuserdatauv(L, (count + 1) * sizeof *ranks, 0);
  int64_t *numbers = lua_newuserdatauv(L, (total + 1) * sizeof *numbers, 0);
  size_t entry = 0;
  for (lua_pushnil(L); lua_next(L, 2) && entry < count; lua_pop(L, 1), entry++) {
    names[entry] = lua_tostring(L, -2);
    extents[entry] = numbers;
    ranks[entry] = lua_type(L, -1) == LUA_TTABLE ? (size_t)lua_rawlen(L, -1) : 1;
    for (size_t axis = 0; axis < ranks[entry]; axis++) {
      if (lua_type(L, -1) == LUA_TTABLE) {
        lua_rawgeti(L, -1, (lua_Integer)axis + 1);
      } else {
        lua_pushvalue(L, -1);
      }
      int is_integer = 0;
      *numbers++ = lua_tointegerx(L, -1, &is_integer);
      if (!is_integer) {
        pl_error(L, "invalid_argument", "Model:fix_shapes", "", "'%s' wants a whole number or a list of them, got a %s",
                 names[entry], luaL_typename(L, -1));
      }
      lua_pop(L, 1);
    }
  }
  handle *object = pl_new(L, &pl_model);
  prune_model *fixed = NULL;
  prune_status status = prune_model_fix_shapes(model, names, extents, ranks, count, &fixed);
  object->pointer = fixed;
  pl_check(L, status);
  return 1;
}
