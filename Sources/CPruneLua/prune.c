/* Pruning, and what it is decided by: m:prune, m:keep_classes, m:significance, m:sensitivity. */
#include "binding_options.h"

#include <math.h>
#include <string.h>

int pl_model_significance(lua_State *L) {
  handle *model = pl_handle(L, 1, &pl_model);
  pl_call call = {.L = L, .where = "Model:significance"};
  significance_call_options options;
  pl_options(&call, 2, &pl_significance_set, &options);
  const criterion_fields fields = {&options.significance.criterion, &options.significance.scores,
                                   &options.significance.on_score};
  if (pl_read_criterion(&call, options.criterion, &fields)) options.significance.user = &call;
  pl_use_progress(&call, "significance", false);
  pl_result result = pl_expect(L, false);
  pl_begin(&call, model);
  prune_status status = prune_model_significance(model->pointer, &options.significance, &result.report);
  return pl_deliver(L, &result, &call, model, status);
}

/* validate = true means: on `data`. */
static void read_validate(pl_call *call, prune_call_options *options) {
  lua_State *L = call->L;
  int value = options->validate;
  if (!value || (lua_isboolean(L, value) && !lua_toboolean(L, value))) return;
  handle *dataset = pl_test(L, value, &pl_dataset);
  if (dataset && dataset->pointer) {
    pl_hold(call, dataset);
    options->prune.validate = dataset->pointer;
  } else if (lua_isboolean(L, value)) {
    if (!options->prune.data) {
      pl_error(L, "invalid_argument", call->where, "give data = …, or the Dataset itself as validate",
               "validate = true measures on 'data', which is not given");
    }
    options->prune.validate = options->prune.data;
  } else {
    pl_error(L, "invalid_argument", call->where, NULL, "option 'validate' must be a Dataset or true, got %s",
             dataset ? "a closed Dataset" : pl_type_name(L, value));
  }
}

/* schedule = "cubic" or {kind = "cubic", steps = 5} */
static void read_schedule(pl_call *call, prune_call_options *options) {
  lua_State *L = call->L;
  int value = options->schedule;
  if (!value) return;
  if (lua_type(L, value) == LUA_TSTRING) {
    options->prune.schedule = lua_tostring(L, value);
    return;
  }
  if (!lua_istable(L, value)) {
    pl_error(L, "invalid_argument", call->where, NULL,
             "option 'schedule' must be a string or {kind =, steps =}, got %s", pl_type_name(L, value));
  }
  schedule_options schedule;
  pl_options(call, value, &pl_schedule_set, &schedule);
  options->prune.schedule = schedule.kind;
  options->prune.schedule_steps = schedule.steps;
}

/* granularity = "channel", {block = {rows, columns}} or {block = {outputs, inputs, height, width}, stride = {…}}; what it
   returns stays on the stack. */
static const char *read_granularity(pl_call *call, int value) {
  lua_State *L = call->L;
  if (!value) return NULL;
  if (lua_type(L, value) == LUA_TSTRING) return lua_tostring(L, value);
  if (!lua_istable(L, value) || lua_getfield(L, value, "block") != LUA_TTABLE) {
    pl_error(L, "invalid_argument", call->where, NULL,
             "option 'granularity' must be a string or {block = {rows, columns}}, got %s", pl_type_name(L, value));
  }
  size_t count = 0, strides = 0;
  const int64_t *extents = pl_integers(L, -1, 1, "option 'granularity'", &count);
  if (count != 2 && count != 4) {
    pl_error(L, "invalid_argument", call->where,
             "write {block = {rows, columns}}, or inside kernels {block = {outputs, inputs, height, width}}",
             "a block has 2 extents or 4, got %zu", count);
  }
  int stride_type = lua_getfield(L, value, "stride");
  for (lua_pushnil(L); lua_next(L, value); lua_pop(L, 1)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (strcmp(key, "block") != 0 && strcmp(key, "stride") != 0) {
      pl_error(L, "invalid_argument", call->where, "a granularity has block and stride",
               "option 'granularity' has no '%s'", luaL_tolstring(L, -2, NULL));
    }
  }
  if (count == 2) {
    if (stride_type != LUA_TNIL) {
      pl_error(L, "invalid_argument", call->where, NULL, "stride is of blocks inside kernels, which have 4 extents");
    }
    return lua_pushfstring(L, "block:%Ix%I", (LUAI_UACINT)extents[0], (LUAI_UACINT)extents[1]);
  }
  const char *block = lua_pushfstring(L, "block:%Ix%Ix%Ix%I", (LUAI_UACINT)extents[0], (LUAI_UACINT)extents[1],
                                      (LUAI_UACINT)extents[2], (LUAI_UACINT)extents[3]);
  if (stride_type == LUA_TNIL) return block;
  const int64_t *steps = pl_integers(L, -2, 1, "option 'granularity'", &strides);
  if (strides != 4) {
    pl_error(L, "invalid_argument", call->where, "write stride = {outputs, inputs, height, width}",
             "a stride has 4 numbers, got %zu", strides);
  }
  return lua_pushfstring(L, "%s/%Ix%Ix%Ix%I", block, (LUAI_UACINT)steps[0], (LUAI_UACINT)steps[1],
                         (LUAI_UACINT)steps[2], (LUAI_UACINT)steps[3]);
}

/* amount = 0.5, or {conv1 = 0.1, ["layer3.*"] = 0.6}; the names stay in the user's table. */
static void read_amount(pl_call *call, prune_call_options *options) {
  lua_State *L = call->L;
  int value = options->amount;
  if (!value) return;
  if (lua_type(L, value) == LUA_TNUMBER) {
    options->prune.amount = lua_tonumber(L, value);
    if (isfinite(options->prune.amount)) return;
  }
  if (!lua_istable(L, value)) {
    lua_pushvalue(L, value);
    pl_error(L, "invalid_argument", call->where, NULL, "option 'amount' must be a number or {layer = number}, got %s",
             lua_type(L, value) == LUA_TNUMBER ? luaL_tolstring(L, -1, NULL) : pl_type_name(L, value));
  }
  size_t count = 0;
  for (lua_pushnil(L); lua_next(L, value); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TNUMBER) {
      pl_error(L, "invalid_argument", call->where, "write amount = {conv1 = 0.1, [\"layer3.*\"] = 0.6}",
               "option 'amount' must have numbers by name patterns, got a %s at a %s", pl_type_name(L, -1),
               pl_type_name(L, -2));
    }
    count++;
  }
  if (!count) pl_error(L, "invalid_argument", call->where, NULL, "option 'amount' is an empty table");
  const char **layers = pl_scratch(L, count * sizeof *layers);
  double *amounts = pl_scratch(L, count * sizeof *amounts);
  size_t i = 0;
  for (lua_pushnil(L); lua_next(L, value) && i < count; lua_pop(L, 1)) {
    layers[i] = lua_tostring(L, -2);
    amounts[i++] = lua_tonumber(L, -1);
  }
  options->prune.amount_layers = layers;
  options->prune.amount_values = amounts;
  options->prune.amount_layer_count = options->prune.amount_value_count = i;
}

/* round_to = a number of units or "machine"; 0 is not given. */
static uint32_t read_round_to(pl_call *call, int value) {
  lua_State *L = call->L;
  if (!value) return 0;
  bool is_text = lua_type(L, value) == LUA_TSTRING;
  if (is_text && strcmp(lua_tostring(L, value), "machine") == 0) return PRUNE_ROUND_TO_MACHINE;
  int is_integer = 0;
  lua_Integer units = lua_tointegerx(L, value, &is_integer);
  if (lua_type(L, value) != LUA_TNUMBER || !is_integer || units < 1 || units > 65536) {
    lua_pushvalue(L, value);
    pl_error(L, "invalid_argument", call->where, NULL,
             "option 'round_to' must be an integer from 1 to 65536 or \"machine\", got %s",
             luaL_tolstring(L, -1, NULL));
  }
  return (uint32_t)units;
}

int pl_model_sensitivity(lua_State *L) {
  handle *model = pl_handle(L, 1, &pl_model);
  pl_call call = {.L = L, .where = "Model:sensitivity"};
  sensitivity_call_options options;
  pl_options(&call, 2, &pl_sensitivity_set, &options);
  options.sensitivity.granularity = read_granularity(&call, options.granularity);
  call.on_step = options.on_step;
  pl_use_progress(&call, "sensitivity", options.verbose);
  bool measures = pl_read_metric(&call, options.metric, &options.sensitivity.metric, &options.sensitivity.on_metric);
  if (pl_wants_events(&call)) options.sensitivity.on_event = pl_event;
  if (options.sensitivity.on_event || measures) options.sensitivity.user = &call;
  pl_result result = pl_expect(L, false);
  pl_begin(&call, model);
  prune_status status = prune_model_sensitivity(model->pointer, &options.sensitivity, &result.report);
  return pl_deliver(L, &result, &call, model, status);
}

/* Options of prune, from the table at `index`. */
static void read_prune(pl_call *call, int index, prune_call_options *options) {
  pl_options(call, index, &pl_prune_set, options);
  read_validate(call, options);
  read_schedule(call, options);
  options->prune.granularity = read_granularity(call, options->granularity);
  options->prune.round_to = read_round_to(call, options->round_to);
  read_amount(call, options);
  const criterion_fields fields = {&options->prune.criterion, &options->prune.scores, &options->prune.on_score};
  bool scores = pl_read_criterion(call, options->criterion, &fields);
  call->on_step = options->on_step;
  pl_use_progress(call, "prune", options->verbose);
  options->prune.guard = pl_read_guard(call, options->guard);
  bool measures = pl_read_metric(call, options->metric, &options->prune.metric, &options->prune.on_metric);
  if (options->target) {
    options->prune.target_macs = options->target->macs;
    options->prune.target_params = options->target->params;
    options->prune.target_bytes = options->target->bytes;
    options->prune.target_latency = options->target->latency;
  }
  if (options->recover) {
    pl_read_fit(call, options->recover);
    options->prune.recover_data = options->recover->data;
    pl_watch_fit(call, options->recover);
    options->prune.recover = &options->recover->fit;
  }
  if (options->train) {
    pl_read_fit(call, options->train);
    options->prune.train_data = options->train->data;
    pl_watch_fit(call, options->train);
    options->prune.train = &options->train->fit;
  }
  if (call->on_step || call->progress) options->prune.on_event = pl_event;
  if (options->prune.on_event || scores || measures) options->prune.user = call;
}

/* The prune of m:prune{…}, or with classes that of m:keep_classes. */
static int shrink(lua_State *L, pl_call *call, handle *model, const int64_t *classes, size_t count,
                  const prune_prune_options *options) {
  pl_result result = pl_expect(L, true);
  pl_begin(call, model);
  prune_status status =
      classes ? prune_model_keep_classes(model->pointer, classes, count, options, &result.model, &result.report)
              : prune_model_prune(model->pointer, options, &result.model, &result.report);
  int values = pl_deliver(L, &result, call, model, status);
  pl_notice(L);
  return values;
}

int pl_model_prune(lua_State *L) {
  handle *model = pl_handle(L, 1, &pl_model);
  pl_call call = {.L = L, .where = "Model:prune"};
  prune_call_options options;
  read_prune(&call, 2, &options);
  return shrink(L, &call, model, NULL, 0, &options.prune);
}

/* m:keep_classes({3, 7}, {target = …}) */
int pl_model_keep_classes(lua_State *L) {
  handle *model = pl_handle(L, 1, &pl_model);
  pl_call call = {.L = L, .where = "Model:keep_classes"};
  size_t count = 0;
  lua_settop(L, 3);
  const int64_t *classes = pl_integers(L, 2, 0, "Model:keep_classes", &count);
  prune_call_options options;
  read_prune(&call, 3, &options);
  return shrink(L, &call, model, classes, count, &options.prune);
}
