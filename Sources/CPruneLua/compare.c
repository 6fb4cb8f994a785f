/* Models side by side: prune.compare and prune.diff. */
#include "binding_options.h"

#include <string.h>

/* Entry i of prune.compare's list: {label, model} or a model; leaves nothing on the stack. */
static void compared(lua_State *L, lua_Integer i, prune_model **model, const char **label) {
  lua_rawgeti(L, 1, i);
  if (lua_istable(L, -1)) {
    lua_rawgeti(L, -1, 1);
    if (lua_type(L, -1) != LUA_TSTRING) {
      pl_error(L, "invalid_argument", "prune.compare", "write {\"label\", model}", "entry %lld: the label is a %s",
               (long long)i, pl_type_name(L, -1));
    }
    *label = lua_tostring(L, -1); /* the entry's table keeps it */
    lua_pop(L, 1);
    lua_rawgeti(L, -1, 2);
    lua_replace(L, -2);
  } else {
    *label = NULL;
  }
  handle *object = pl_test(L, -1, &pl_model);
  if (!object || !object->pointer || object->busy) {
    pl_error(L, "invalid_argument", "prune.compare", "write {\"label\", model}", "entry %lld: Model expected, got %s",
             (long long)i, object ? "one that is closed or being changed" : pl_type_name(L, -1));
  }
  *model = object->pointer;
  if (!*label) *label = prune_model_name(object->pointer);
  if (!*label) *label = "";
  lua_pop(L, 1);
}

/* prune.compare{{"dense", m}, …, data = test} */
int pl_compare(lua_State *L) {
  pl_want_table(L, 1, "prune.compare", false);
  lua_settop(L, 1);
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    lua_pop(L, 1);
    if (lua_isinteger(L, -1)) continue;
    if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "data") == 0) continue;
    pl_error(L, "invalid_argument", "prune.compare",
             "it takes {label, model} entries and data =", "unknown option '%s'", luaL_tolstring(L, -1, NULL));
  }
  size_t count = (size_t)lua_rawlen(L, 1);
  if (!count)
    pl_error(L, "invalid_argument", "prune.compare", "write {\"label\", model}", "there is no model to compare");
  lua_getfield(L, 1, "data");
  handle *data = pl_test(L, -1, &pl_dataset);
  if ((!data || !data->pointer) && !lua_isnil(L, -1)) {
    pl_error(L, "invalid_argument", "prune.compare", NULL, "option 'data' must be a Dataset, got %s",
             pl_type_name(L, -1));
  }
  prune_model **models = pl_scratch(L, count * sizeof *models);
  const char **labels = pl_scratch(L, count * sizeof *labels);
  for (size_t i = 0; i < count; i++) compared(L, (lua_Integer)i + 1, &models[i], &labels[i]);
  pl_call call = {.L = L, .where = "prune.compare"};
  pl_use_progress(&call, "compare", false);
  pl_result result = pl_expect(L, false);
  pl_begin(&call, NULL);
  prune_status status = prune_model_compare(models, labels, count, data ? data->pointer : NULL, &result.report);
  return pl_deliver(L, &result, &call, NULL, status);
}

/* prune.diff(a, b) */
int pl_diff(lua_State *L) {
  prune_model *first = pl_check_model(L, 1), *second = pl_check_model(L, 2);
  pl_result result = pl_expect(L, false);
  prune_status status = prune_model_diff(first, second, &result.report);
  return pl_deliver(L, &result, NULL, NULL, status);
}
