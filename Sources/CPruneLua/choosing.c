/* What is done to several models: compare, ensemble, search. */
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
  handle *object = pl_new(L, &pl_report);
  int position = lua_gettop(L);
  pl_begin(&call, NULL);
  prune_report *report = NULL;
  prune_status status = prune_model_compare(models, labels, count, data ? data->pointer : NULL, &report);
  object->pointer = report;
  pl_end(&call, NULL);
  pl_check(L, status);
  pl_push_report(L, position);
  return 1;
}

/* prune.diff(a, b) */
int pl_diff(lua_State *L) {
  prune_model *first = pl_check_model(L, 1), *second = pl_check_model(L, 2);
  handle *object = pl_new(L, &pl_report);
  prune_report *report = NULL;
  prune_status status = prune_model_diff(first, second, &report);
  object->pointer = report;
  pl_check(L, status);
  pl_push_report(L, lua_gettop(L));
  return 1;
}

/* prune.ensemble{models = {a, b}, method =, data =} */
int pl_ensemble(lua_State *L) {
  pl_call call = {.L = L, .where = "prune.ensemble"};
  ensemble_call_options options;
  pl_options(&call, 1, &pl_ensemble_set, &options);
  if (!lua_istable(L, options.models)) {
    pl_error(L, "invalid_argument", call.where, NULL, "option 'models' must be a list of Models, got %s",
             pl_type_name(L, options.models));
  }
  size_t count = (size_t)lua_rawlen(L, options.models);
  prune_model **models = pl_scratch(L, count * sizeof *models);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, options.models, (lua_Integer)i + 1);
    handle *object = pl_test(L, -1, &pl_model);
    if (!object || !object->pointer || object->busy) {
      pl_error(L, "invalid_argument", call.where, NULL, "model %zu: Model expected, got %s", i + 1,
               object ? "one that is closed or being changed" : pl_type_name(L, -1));
    }
    models[i] = object->pointer; /* the list in the user's table keeps it */
    lua_pop(L, 1);
  }
  handle *joined_object = pl_new(L, &pl_model);
  handle *object = pl_new(L, &pl_report);
  prune_model *joined = NULL;
  prune_report *report = NULL;
  prune_status status = prune_ensemble_create(models, count, &options.ensemble, &joined, &report);
  joined_object->pointer = joined;
  object->pointer = report;
  pl_check(L, status);
  pl_push_report(L, -1);
  lua_remove(L, -2);
  return 2;
}

/* prune.search{model =, data =, …} */
int pl_search(lua_State *L) {
  pl_call call = {.L = L, .where = "prune.search"};
  search_call_options options;
  pl_options(&call, 1, &pl_search_set, &options);
  handle *model = pl_test(L, options.model, &pl_model);
  if (!model || !model->pointer || model->busy) {
    pl_error(L, "invalid_argument", call.where, NULL, "option 'model' must be a Model, got %s",
             model ? "one that is closed or being changed" : pl_type_name(L, options.model));
  }
  call.on_step = options.on_step;
  pl_use_progress(&call, "search", options.verbose);
  if (pl_wants_events(&call)) options.search.on_event = pl_event;
  bool measures = pl_read_metric(&call, options.metric, &options.search.metric, &options.search.on_metric);
  if (options.search.on_event || measures) options.search.user = &call;
  handle *found_object = pl_new(L, &pl_model);
  int found_position = lua_gettop(L);
  handle *object = pl_new(L, &pl_report);
  int position = lua_gettop(L);
  pl_begin(&call, model);
  prune_model *found = NULL;
  prune_report *report = NULL;
  prune_status status = prune_model_search(model->pointer, &options.search, &found, &report);
  found_object->pointer = found;
  object->pointer = report;
  pl_end(&call, model);
  pl_check(L, status);
  lua_pushvalue(L, found_position);
  pl_push_report(L, position);
  pl_notice(L);
  return 2;
}
