/* luaopen_prune: the table that `require "prune"` gives. */
#include "binding_options.h"
#include "prune_lua.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const char MODULE_KEY = 0;

/* internals.is_terminal(1 or 2): whether standard output or error is one that understands more than text. */
static int is_terminal(lua_State *L) {
  const char *term = getenv("TERM");
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)) && !(term && strcmp(term, "dumb") == 0));
  return 1;
}

/* internals.columns(1 or 2): the terminal's width, nil when it is none. */
static int columns(lua_State *L) {
  struct winsize size;
  if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 0;
  lua_pushinteger(L, size.ws_col);
  return 1;
}

/* internals.clock(): seconds of wall time, from some moment on. */
static int wall_clock(lua_State *L) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  lua_pushnumber(L, (double)time.tv_sec + (double)time.tv_nsec * 1e-9);
  return 1;
}

/* internals.rows(1 or 2): the terminal's height, nil when it is none. */
static int rows(lua_State *L) {
  struct winsize size;
  if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return 0;
  lua_pushinteger(L, size.ws_row);
  return 1;
}

/* prune.threads(n): how many threads calls use from here on; n sets it, 0 being one a core. */
static int threads(lua_State *L) {
  prune_context *context = pl_get_context(L);
  if (!lua_isnoneornil(L, 1)) {
    lua_Integer count = luaL_checkinteger(L, 1);
    if (count < 0 || count > 4096) {
      pl_error(L, "invalid_argument", "prune.threads", NULL, "threads is %lld, wanted 0 to 4096", (long long)count);
    }
    pl_check(L, prune_context_set_threads(context, (int32_t)count));
  }
  lua_pushinteger(L, prune_context_threads(context));
  return 1;
}

/* internals.open_communicator{...}: the rank of this process, and how many there are. */
static int open_communicator(lua_State *L) {
  pl_call call = {.L = L, .where = "prune.distributed"};
  distributed_options options;
  pl_options(&call, 1, &pl_distributed_set, &options);
  prune_context *context = pl_get_context(L);
  double timeout = options.timeout == PRUNE_NOT_GIVEN ? 600 : options.timeout;
  pl_check(L, prune_context_open_communicator(context, options.plugin, timeout));
  lua_pushinteger(L, prune_context_rank(context));
  lua_pushinteger(L, prune_context_size(context));
  return 2;
}

/* internals.abort(status): ends the processes of all ranks, when there are others. */
static int end_all(lua_State *L) {
  lua_Integer status = luaL_checkinteger(L, 1);
  fflush(stdout);
  fflush(stderr);
  if (prune_context_size(pl_get_context(L)) > 1) prune_context_abort(pl_get_context(L), (int32_t)status);
  return 0;
}

/* internals.wait(seconds) */
static int wait_for(lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&time, NULL);
  return 0;
}

/* prune.info() */
static int info(lua_State *L) {
  pl_result result = pl_expect(L, false);
  prune_status status = prune_library_info(pl_get_context(L), &result.report);
  return pl_deliver(L, &result, NULL, NULL, status);
}

/* internals.distance(a, b): how unlike two names are. */
static int distance(lua_State *L) {
  size_t result = pl_distance(luaL_checkstring(L, 1), luaL_checkstring(L, 2));
  lua_pushinteger(L, result > 1000 ? 1000 : (lua_Integer)result);
  return 1;
}

/* internals.fail(code, where, message, hint): raises an error of the binding. */
static int fail(lua_State *L) {
  pl_error(L, luaL_checkstring(L, 1), luaL_checkstring(L, 2), luaL_optstring(L, 4, NULL), "%s", luaL_checkstring(L, 3));
}

/* internals.embedded(name): the compiled chunk of a file of the binding. */
static int embedded(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  if (!pl_load_embedded(L, name)) return luaL_error(L, "no embedded file '%s'", name);
  return 1;
}

/* internals.options(name): the checked option table of prune.safe and other parts written in Lua. */
static int option_sets(lua_State *L) {
  pl_push_option_sets(L);
  return 1;
}

/* prune.memory_limit(bytes): of this state's context; 0 is none. */
static int memory_limit(lua_State *L) {
  lua_Number bytes = luaL_checknumber(L, 1);
  if (!(bytes >= 0 && bytes < 9e18)) {
    pl_error(L, "invalid_argument", "prune.memory_limit", "0 is no limit", "%f is no number of bytes", bytes);
  }
  pl_check(L, prune_context_set_memory_limit(pl_get_context(L), (int64_t)bytes));
  return 0;
}

/* prune.memory(): bytes in use, and the most that ever were. */
static int memory(lua_State *L) {
  int64_t used = 0, peak = 0;
  pl_check(L, prune_context_memory(pl_get_context(L), &used, &peak));
  lua_pushinteger(L, used);
  lua_pushinteger(L, peak);
  return 2;
}

static void open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"is_terminal", is_terminal}, {"columns", columns},         {"rows", rows},
      {"clock", wall_clock},        {"distance", distance},       {"fail", fail},
      {"embedded", embedded},       {"option_sets", option_sets}, {"open_communicator", open_communicator},
      {"abort", end_all},           {"wait", wait_for},           {NULL, NULL}};
  pl_open_errors(L);
  pl_class(L, &pl_context, NULL, NULL, NULL);
  lua_newtable(L);
  int api = lua_gettop(L);
  pl_push_internals(L);
  luaL_setfuncs(L, functions, 0);
  pl_open_tensor(L, api);
  pl_open_tensors(L, api);
  pl_open_weights(L, api);
  pl_open_dataset(L, api);
  pl_open_model(L, api);
  pl_open_report(L, api);
  lua_pushcfunction(L, pl_compare);
  lua_setfield(L, api, "compare");
  lua_pushcfunction(L, pl_diff);
  lua_setfield(L, api, "diff");
  lua_pushcfunction(L, threads);
  lua_setfield(L, api, "threads");
  lua_pushcfunction(L, info);
  lua_setfield(L, api, "info");
  lua_pushcfunction(L, pl_ensemble);
  lua_setfield(L, api, "ensemble");
  lua_pushcfunction(L, pl_search);
  lua_setfield(L, api, "search");
  lua_pushcfunction(L, memory_limit);
  lua_setfield(L, api, "memory_limit");
  lua_pushcfunction(L, memory);
  lua_setfield(L, api, "memory");
  lua_pushstring(L, prune_version_string());
  lua_setfield(L, api, "version");
  for (int i = 0; i < 3; i++) {
    static const handle_class *const classes[] = {&pl_model, &pl_dataset, &pl_tensor};
    luaL_getmetatable(L, classes[i]->name);
    lua_setfield(L, -2, classes[i]->noun);
  }
  /* The parts written in Lua complete it. */
  if (!pl_load_embedded(L, "init")) luaL_error(L, "the binding's Lua part is missing");
  lua_pushvalue(L, api);
  lua_pushvalue(L, api + 1);
  lua_call(L, 2, 0);
  lua_settop(L, api);
}

int luaopen_prune(lua_State *L) {
  luaL_checkversion(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &MODULE_KEY) == LUA_TTABLE) return 1;
  lua_pop(L, 1);
  if (prune_version_number() < PRUNE_VERSION_NUMBER) {
    return luaL_error(L, "libprune %s is older than this module wants", prune_version_string());
  }
  lua_settop(L, 0);
  open(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &MODULE_KEY);
  return 1;
}

int luaopen_prune_safe(lua_State *L) {
  luaopen_prune(L);
  lua_getfield(L, -1, "safe");
  return 1;
}
