/* Metrics of the user's own: a Lua function of a Model that returns a number. */
#include "binding_options.h"

typedef struct measuring {
  prune_model *model;
  double *value;
} measuring;

/* The metric function of a guard; the call may have one of its own besides. */
typedef struct guard_metric {
  pl_call *call;
  int function;
} guard_metric;

/* Under lua_pcall, with the measuring and the function: calls it with a model of its own. */
static int measure(lua_State *L) {
  const measuring *request = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  handle *object = pl_new(L, &pl_model);
  prune_model *copy = NULL;
  prune_status status = prune_model_clone(request->model, &copy);
  object->pointer = copy;
  pl_check(L, status);
  lua_call(L, 1, 1);
  if (lua_type(L, -1) != LUA_TNUMBER) {
    pl_error(L, "invalid_argument", "metric", "return how good the model is", "the metric must return a number, got %s",
             pl_type_name(L, -1));
  }
  *request->value = lua_tonumber(L, -1);
  return 0;
}

static int call_measure(pl_call *call, int function, prune_model *model, double *out_value) {
  lua_State *L = call->L;
  if (call->failed || !lua_checkstack(L, LUA_MINSTACK)) return 1;
  measuring request = {model, out_value};
  lua_pushcfunction(L, measure);
  lua_pushlightuserdata(L, &request);
  lua_pushvalue(L, function);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    lua_replace(L, call->error);
    call->failed = true;
    return 1;
  }
  return 0;
}

static int call_metric(prune_model *model, double *out_value, void *user) {
  pl_call *call = user;
  return call_measure(call, call->on_metric, model, out_value);
}

static int call_guard_metric(prune_model *model, double *out_value, void *user) {
  const guard_metric *guard = user;
  return call_measure(guard->call, guard->function, model, out_value);
}

bool pl_read_metric(pl_call *call, int value, const char **name, prune_metric_callback *callback) {
  lua_State *L = call->L;
  if (!value) return false;
  switch (lua_type(L, value)) {
  case LUA_TSTRING: *name = lua_tostring(L, value); return false;
  case LUA_TFUNCTION:
    call->on_metric = value;
    *callback = call_metric;
    return true;
  default:
    pl_error(L, "invalid_argument", call->where, NULL,
             "option 'metric' must be a name or a function of a Model, got %s", pl_type_name(L, value));
  }
}

const prune_guard *pl_read_guard(pl_call *call, guard_options *options) {
  lua_State *L = call->L;
  if (!options) return NULL;
  if (options->metric && lua_type(L, options->metric) == LUA_TFUNCTION) {
    guard_metric *metric = pl_scratch(L, sizeof *metric);
    *metric = (guard_metric){call, options->metric};
    options->guard.on_metric = call_guard_metric;
    options->guard.user = metric;
  } else {
    prune_metric_callback none = NULL;
    pl_read_metric(call, options->metric, &options->guard.metric, &none);
  }
  return &options->guard;
}
