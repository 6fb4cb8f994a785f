/* What a model does: its metrics, its latency, and where it differs from another. */
#include "binding_options.h"

int pl_model_evaluate(lua_State *L) {
  handle *model = pl_handle(L, 1, &pl_model);
  pl_call call = {.L = L, .where = "Model:evaluate"};
  /* m:evaluate{data = test, metrics = …} is m:evaluate(test, {metrics = …}). */
  if (lua_type(L, 2) == LUA_TTABLE && lua_isnoneornil(L, 3)) {
    lua_settop(L, 2);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, 2);) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, 3);
    }
    lua_pushnil(L);
    lua_setfield(L, 3, "data");
    lua_getfield(L, 2, "data");
    lua_replace(L, 2);
    if (lua_isnil(L, 2))
      pl_error(L, "invalid_argument", call.where, "write m:evaluate{data = test}", "option 'data' is missing");
  }
  prune_dataset *data = pl_check_dataset(L, 2);
  prune_evaluate_options options;
  pl_options(&call, 3, &pl_evaluate_set, &options);
  pl_use_progress(&call, "evaluate", false);
  pl_hold(&call, model);
  pl_result result = pl_expect(L, false);
  pl_begin(&call, NULL);
  prune_status status = prune_model_evaluate(model->pointer, data, &options, &result.report);
  return pl_deliver(L, &result, &call, NULL, status);
}

int pl_model_benchmark(lua_State *L) {
  handle *model = pl_handle(L, 1, &pl_model);
  pl_call call = {.L = L, .where = "Model:benchmark"};
  prune_benchmark_options options;
  pl_options(&call, 2, &pl_benchmark_set, &options);
  pl_use_progress(&call, "benchmark", false);
  pl_hold(&call, model);
  pl_result result = pl_expect(L, false);
  pl_begin(&call, NULL);
  prune_status status = prune_model_benchmark(model->pointer, &options, &result.report);
  return pl_deliver(L, &result, &call, NULL, status);
}

int pl_model_differences(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  prune_model *other = pl_check_model(L, 2);
  prune_dataset *data = pl_check_dataset(L, 3);
  pl_call call = {.L = L, .where = "Model:differences"};
  prune_differences_options options;
  pl_options(&call, 4, &pl_differences_set, &options);
  pl_result result = pl_expect(L, false);
  prune_status status = prune_model_differences(model, other, data, &options, &result.report);
  return pl_deliver(L, &result, NULL, NULL, status);
}
