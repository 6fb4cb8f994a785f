/* luaopen_prune: the table that `require "prune"` gives. */
#include "binding.h"
#include "prune_lua.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

static void open(lua_State *L) {
  static const luaL_Reg functions[] = {{"is_terminal", is_terminal}, {"columns", columns},   {"distance", distance},
                                       {"fail", fail},               {"embedded", embedded}, {"option_sets", option_sets},
                                       {NULL, NULL}};
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
  lua_pushcfunction(L, pl_ensemble);
  lua_setfield(L, api, "ensemble");
  lua_pushcfunction(L, pl_search);
  lua_setfield(L, api, "search");
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
