/* What a model is: its layers, sizes, coupled groups and drawing. */
#include "binding_options.h"

/* m:stats{shapes =} */
int pl_model_stats(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  pl_call call = {.L = L, .where = "Model:stats"};
  prune_stats_options options;
  pl_options(&call, 2, &pl_stats_set, &options);
  pl_result result = pl_expect(L, false);
  prune_status status = prune_model_stats(model, &options, &result.report);
  return pl_deliver(L, &result, NULL, NULL, status);
}

int pl_model_sizes(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  pl_result result = pl_expect(L, false);
  prune_status status = prune_model_sizes(model, &result.report);
  return pl_deliver(L, &result, NULL, NULL, status);
}

/* m:layers{shapes =}: the list of stats. */
int pl_model_layers(lua_State *L) {
  pl_model_stats(L);
  lua_getfield(L, -1, "layers");
  return 1;
}

int pl_model_groups(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  pl_result result = pl_expect(L, false);
  prune_status status = prune_model_groups(model, &result.report);
  return pl_deliver(L, &result, NULL, NULL, status);
}

/* m:graph("net.svg") */
int pl_model_graph(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  pl_check(L, prune_model_draw(model, luaL_checkstring(L, 2)));
  return 0;
}
