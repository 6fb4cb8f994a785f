/* Calls with callbacks: events become Lua tables, errors wait until libprune has returned. */
#include "binding.h"

#include <math.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

void pl_hold(pl_call *call, handle *object) {
  if (call->handle_count == PL_HANDLES_MAX) {
    pl_error(call->L, "invalid_argument", call->where, NULL, "more than %d objects in one call", PL_HANDLES_MAX);
  }
  call->handles[call->handle_count++] = object;
}

volatile int pl_running_calls;

void pl_begin(pl_call *call, handle *changing) {
  luaL_checkstack(call->L, LUA_MINSTACK, "too many nested calls");
  lua_pushnil(call->L);
  call->error = lua_gettop(call->L);
  for (int i = 0; i < call->handle_count; i++) call->handles[i]->users++;
  if (changing) {
    changing->users++;
    changing->busy = true;
  }
  pl_running_calls = pl_running_calls + 1;
  if (call->progress) pl_ticker_begin(call->what);
}

/* Tells the progress line that the call is over; errors there do not matter any more. */
static void finish_progress(pl_call *call) {
  if (!call->progress) return;
  lua_pushvalue(call->L, call->progress);
  if (lua_pcall(call->L, 0, 0, 0) != LUA_OK) lua_pop(call->L, 1);
}

void pl_end(pl_call *call, handle *changing) {
  pl_running_calls = pl_running_calls - 1;
  if (call->progress) pl_ticker_end();
  for (int i = 0; i < call->handle_count; i++) call->handles[i]->users--;
  if (changing) {
    changing->users--;
    changing->busy = false;
  }
  finish_progress(call);
  if (call->failed) {
    lua_pushvalue(call->L, call->error);
    lua_error(call->L);
  }
}

void pl_use_progress(pl_call *call, const char *what, bool verbose) {
  lua_State *L = call->L;
  call->what = what;
  /* Inside a callback of another call, whose line is shown already. */
  if (pl_running_calls && !verbose) return;
  pl_push_internals(L);
  if (lua_getfield(L, -1, "progress") == LUA_TFUNCTION) {
    lua_pushstring(L, what);
    lua_pushboolean(L, verbose);
    lua_call(L, 2, 1); /* a function of events, or nil when nobody watches */
    lua_replace(L, -2);
    if (lua_isfunction(L, -1)) call->progress = lua_gettop(L);
    return;
  }
  lua_pop(L, 2);
}

bool pl_wants_events(const pl_call *call) {
  return call->on_batch || call->on_epoch || call->on_step || call->progress;
}

static void set_number(lua_State *L, const char *name, double value) {
  if (isnan(value)) return;
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

static void set_count(lua_State *L, const char *name, uint32_t value) {
  if (value == 0) return;
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static void push_event(lua_State *L, const prune_event *event) {
  static const char *const kinds[] = {"", "step", "epoch", "prune"};
  lua_createtable(L, 0, 12);
  lua_pushstring(L, event->kind >= 1 && event->kind <= 3 ? kinds[event->kind] : "other");
  lua_setfield(L, -2, "kind");
  set_count(L, "epoch", event->epoch);
  set_count(L, "epochs", event->epochs);
  set_count(L, "step", event->step);
  set_count(L, "steps", event->steps);
  set_number(L, "loss", event->loss);
  set_number(L, "accuracy", event->accuracy);
  set_number(L, "validation_loss", event->validation_loss);
  set_number(L, "validation_accuracy", event->validation_accuracy);
  set_number(L, "seconds", event->seconds);
  set_number(L, "eta_seconds", event->eta_seconds);
  if (event->kind == PRUNE_EVENT_PRUNE) {
    set_number(L, "metric", event->metric);
    set_number(L, "amount", event->amount);
    if (event->name) {
      lua_pushstring(L, event->name);
      lua_setfield(L, -2, "name");
    }
  }
}

typedef struct delivery {
  const prune_event *event;
  pl_call *call;
} delivery;

/* Under lua_pcall: calls the progress line and the user's function; returns whether to stop. Its frame has its own stack
 * positions, so the functions come as arguments: delivery, progress or nil, callback or nil. */
static int deliver(lua_State *L) {
  const delivery *message = lua_touserdata(L, 1);
  push_event(L, message->event);
  if (!lua_isnil(L, 2)) {
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 4);
    lua_call(L, 1, 0);
  }
  if (lua_isnil(L, 3)) return 0;
  lua_pushvalue(L, 3);
  lua_pushvalue(L, 4);
  lua_call(L, 1, 1);
  bool stop =
      lua_isstring(L, -1) ? strcmp(lua_tostring(L, -1), "stop") == 0 : lua_isboolean(L, -1) && lua_toboolean(L, -1);
  lua_pushboolean(L, stop);
  return 1;
}

static void push_or_nil(lua_State *L, int position) {
  if (position) {
    lua_pushvalue(L, position);
  } else {
    lua_pushnil(L);
  }
}

int pl_event(const prune_event *event, void *user) {
  pl_call *call = user;
  lua_State *L = call->L;
  if (call->failed || call->stopped) return 1;
  int callback = event->kind == PRUNE_EVENT_STEP    ? call->on_batch
                 : event->kind == PRUNE_EVENT_EPOCH ? call->on_epoch
                 : event->kind == PRUNE_EVENT_PRUNE ? call->on_step
                                                    : 0;
  int progress = call->progress;
  if (progress && event->kind == PRUNE_EVENT_STEP) {
    double time = now();
    if (time - call->last_progress < 0.1) {
      progress = 0;
    } else {
      call->last_progress = time;
    }
  }
  if (!callback && !progress) return 0;
  if (progress) pl_ticker_silence();
  if (!lua_checkstack(L, LUA_MINSTACK)) return 0;
  delivery message = {event, call};
  lua_pushcfunction(L, deliver);
  lua_pushlightuserdata(L, &message);
  push_or_nil(L, progress);
  push_or_nil(L, callback);
  if (lua_pcall(L, 3, 1, 0) != LUA_OK) {
    lua_replace(L, call->error);
    call->failed = true;
    return 1;
  }
  call->stopped = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return call->stopped;
}
