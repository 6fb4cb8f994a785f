/* What a call into libprune gives back: a report, and a model where it makes one. */
#include "binding.h"

pl_result pl_expect(lua_State *L, bool makes_model) {
  pl_result result = {0};
  if (makes_model) result.model_object = pl_new(L, &pl_model);
  result.report_object = pl_new(L, &pl_report);
  result.position = lua_gettop(L);
  return result;
}

int pl_deliver(lua_State *L, pl_result *result, pl_call *call, handle *changed, prune_status status) {
  if (result->model_object) result->model_object->pointer = result->model;
  result->report_object->pointer = result->report;
  if (call) pl_end(call, changed);
  pl_check(L, status);
  if (result->model_object) lua_pushvalue(L, result->position - 1);
  pl_push_report(L, result->position);
  return result->model_object ? 2 : 1;
}
