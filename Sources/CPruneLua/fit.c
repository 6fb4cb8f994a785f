/* Training: m:fit, and the options of recover and train. */
#include "binding_options.h"

/* The model that an option's value is. */
static prune_model *model_option(pl_call *call, int value, const char *name, const char *kind) {
  handle *object = pl_test(call->L, value, &pl_model);
  if (!object || !object->pointer || object->busy) {
    pl_error(call->L, "invalid_argument", call->where, NULL, "option '%s' must be %s, got %s", name, kind,
             object ? "one that is closed or being changed" : pl_type_name(call->L, value));
  }
  pl_hold(call, object);
  return object->pointer;
}

/* dropout = 0.5, or false for none. */
static void read_dropout(pl_call *call, fit_options *options) {
  lua_State *L = call->L;
  bool is_none = lua_isboolean(L, options->dropout) && !lua_toboolean(L, options->dropout);
  double ratio = is_none ? 0 : lua_type(L, options->dropout) == LUA_TNUMBER ? lua_tonumber(L, options->dropout) : -1;
  if (!(ratio >= 0 && ratio < 1)) {
    pl_error(L, "invalid_argument", call->where, NULL,
             "option 'dropout' must be a number of 0 or more and below 1, or false, got %s",
             luaL_tolstring(L, options->dropout, NULL));
  }
  options->fit.dropout = ratio;
}

/* loss = "huber" or a Model, resume = true or a path. */
void pl_read_fit(pl_call *call, fit_options *options) {
  lua_State *L = call->L;
  if (options->loss && lua_type(L, options->loss) == LUA_TSTRING) {
    options->fit.loss = lua_tostring(L, options->loss);
  } else if (options->loss) {
    options->fit.loss_graph = model_option(call, options->loss, "loss", "a string or a Model");
  }
  if (options->dropout) read_dropout(call, options);
  if (!options->resume) return;
  if (lua_type(L, options->resume) == LUA_TSTRING) {
    options->fit.resume = lua_tostring(L, options->resume);
  } else if (lua_isboolean(L, options->resume)) {
    options->fit.resume_optimizer = (uint32_t)lua_toboolean(L, options->resume);
  } else {
    pl_error(L, "invalid_argument", call->where, NULL, "option 'resume' must be true or a path, got %s",
             pl_type_name(L, options->resume));
  }
}

void pl_watch_fit(pl_call *call, fit_options *options) {
  call->on_epoch = options->on_epoch;
  call->on_batch = options->on_batch;
  if (!pl_wants_events(call)) return;
  options->fit.on_event = pl_event;
  options->fit.user = call;
}

int pl_model_fit(lua_State *L) {
  handle *model = pl_handle(L, 1, &pl_model);
  pl_call call = {.L = L, .where = "Model:fit"};
  fit_options options;
  pl_options(&call, 2, &pl_fit_set, &options);
  pl_read_fit(&call, &options);
  pl_use_progress(&call, "fit", options.verbose);
  pl_watch_fit(&call, &options);
  pl_result result = pl_expect(L, false);
  pl_begin(&call, model);
  prune_status status = prune_model_fit(model->pointer, options.data, &options.fit, &result.report);
  /* Stopped by on_epoch or on_batch: what there is of the history says so. */
  if (status == PRUNE_ERROR_CANCELLED && call.stopped && result.report) status = PRUNE_OK;
  return pl_deliver(L, &result, &call, model, status);
}
