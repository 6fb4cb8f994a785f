/* Several models as one: prune.ensemble. */
#include "binding_options.h"

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
  pl_result result = pl_expect(L, true);
  prune_status status = prune_ensemble_create(models, count, &options.ensemble, &result.model, &result.report);
  return pl_deliver(L, &result, NULL, NULL, status);
}
