/* The search for the pruning that pays: prune.search. */
#include "binding_options.h"

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
  pl_result result = pl_expect(L, true);
  pl_begin(&call, model);
  prune_status status = prune_model_search(model->pointer, &options.search, &result.model, &result.report);
  int values = pl_deliver(L, &result, &call, model, status);
  pl_notice(L);
  return values;
}
