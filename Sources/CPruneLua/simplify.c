/* Models made simpler: dead units out, extents written in, constants folded. */
#include "binding.h"

/* A transform without options: a new model and its report. */
static int transformed(lua_State *L, prune_status (*transform)(prune_model *, prune_model **, prune_report **)) {
  prune_model *model = pl_check_model(L, 1);
  pl_result result = pl_expect(L, true);
  prune_status status = transform(model, &result.model, &result.report);
  return pl_deliver(L, &result, NULL, NULL, status);
}

int pl_model_compact(lua_State *L) { return transformed(L, prune_model_compact); }
int pl_model_simplify(lua_State *L) { return transformed(L, prune_model_simplify); }

/* m:fix_shapes{height = 640, input = {1, 3, 640, 640}} */
int pl_model_fix_shapes(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  lua_settop(L, 2);
  size_t count = 0;
  const prune_shape *shapes = pl_shapes(L, 2, "Model:fix_shapes", &count);
  handle *object = pl_new(L, &pl_model);
  prune_model *fixed = NULL;
  prune_status status = prune_model_fix_shapes(model, shapes, count, &fixed);
  object->pointer = fixed;
  pl_check(L, status);
  return 1;
}
