/* Quantization: m:quantize. */
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
