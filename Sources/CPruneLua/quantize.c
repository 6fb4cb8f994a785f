/* Smaller weights: m:quantize, m:factorize. */
#include "binding_options.h"

int pl_model_quantize(lua_State *L) {
  handle *source = pl_handle(L, 1, &pl_model);
  pl_call call = {.L = L, .where = "Model:quantize"};
  quantize_call_options options;
  pl_options(&call, 2, &pl_quantize_set, &options);
  options.quantize.guard = pl_read_guard(&call, options.guard);
  pl_use_progress(&call, "quantize", false);
  pl_result result = pl_expect(L, true);
  pl_begin(&call, source);
  prune_status status = prune_model_quantize(source->pointer, &options.quantize, &result.model, &result.report);
  return pl_deliver(L, &result, &call, source, status);
}

int pl_model_factorize(lua_State *L) {
  handle *source = pl_handle(L, 1, &pl_model);
  pl_call call = {.L = L, .where = "Model:factorize"};
  factorize_call_options options;
  pl_options(&call, 2, &pl_factorize_set, &options);
  options.factorize.guard = pl_read_guard(&call, options.guard);
  if (options.target) {
    options.factorize.target_macs = options.target->macs;
    options.factorize.target_params = options.target->params;
    options.factorize.target_bytes = options.target->bytes;
    if (options.target->latency != PRUNE_NOT_GIVEN) {
      pl_error(L, "unsupported", call.where, "give target = {macs = …}, {params = …} or {bytes = …}",
               "target latency is not one of factorize");
    }
  }
  pl_use_progress(&call, "factorize", false);
  pl_result result = pl_expect(L, true);
  pl_begin(&call, source);
  prune_status status = prune_model_factorize(source->pointer, &options.factorize, &result.model, &result.report);
  int values = pl_deliver(L, &result, &call, source, status);
  pl_notice(L);
  return values;
}
