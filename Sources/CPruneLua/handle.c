/* Classes: one userdata a C handle, freed by __gc or __close, whichever comes first. */
#include "binding.h"

#include <stdlib.h>
#include <string.h>

static const char CONTEXT_KEY = 0, INTERNALS_KEY = 0;

static void release_model(void *pointer) { prune_model_free(pointer); }
static void release_dataset(void *pointer) { prune_dataset_free(pointer); }
static void release_tensor(void *pointer) { prune_tensor_free(pointer); }
static void release_tensors(void *pointer) { prune_tensors_free(pointer); }
static void release_report(void *pointer) { prune_report_free(pointer); }
static void release_context(void *pointer) { prune_context_free(pointer); }
static void release_buffer(void *pointer) {
  prune_buffer_free(pointer);
  free(pointer);
}

const handle_class pl_model = {"prune.Model", "Model", release_model, 32};
const handle_class pl_dataset = {"prune.Dataset", "Dataset", release_dataset, 32};
const handle_class pl_tensor = {"prune.Tensor", "Tensor", release_tensor, 1};
const handle_class pl_tensors = {"prune.Tensors", "Tensors", release_tensors, 1};
const handle_class pl_report = {"prune.ReportHandle", "Report", release_report, 1};
const handle_class pl_buffer = {"prune.Buffer", "Buffer", release_buffer, 0};
const handle_class pl_context = {"prune.Context", "Context", release_context, 0};

/* The collector sees a few bytes where there may be many: collect after so much of them. */
static void weigh(lua_State *L, size_t megabytes) {
  enum { LIMIT = 256 };
  static _Thread_local size_t weight;
  weight += megabytes;
  if (weight < LIMIT) return;
  weight = 0;
  lua_gc(L, LUA_GCCOLLECT);
}

handle *pl_new(lua_State *L, const handle_class *class) {
  luaL_checkstack(L, 4, NULL);
  weigh(L, class->megabytes);
  handle *object = lua_newuserdatauv(L, sizeof *object, 1);
  memset(object, 0, sizeof *object);
  luaL_setmetatable(L, class->name);
  return object;
}

handle *pl_test(lua_State *L, int index, const handle_class *class) { return luaL_testudata(L, index, class->name); }

handle *pl_handle(lua_State *L, int index, const handle_class *class) {
  handle *object = pl_test(L, index, class);
  if (!object) {
    /* m.prune{…} in place of m:prune{…} */
    const char *colon = index == 1 && lua_istable(L, 1) ? "; methods are called with a colon, object:method{}" : "";
    const char *text = lua_pushfstring(L, "%s expected, got %s%s", class->noun, pl_type_name(L, index), colon);
    luaL_argerror(L, index, text);
  }
  if (!object->pointer) pl_error(L, "invalid_argument", class->noun, NULL, "it is closed");
  if (object->busy) {
    pl_error(L, "invalid_argument", class->noun, "wait until the call that changes it has returned, or use a clone",
             "it is being changed by the call that made this callback");
  }
  return object;
}

prune_model *pl_check_model(lua_State *L, int index) { return pl_handle(L, index, &pl_model)->pointer; }
prune_dataset *pl_check_dataset(lua_State *L, int index) { return pl_handle(L, index, &pl_dataset)->pointer; }
prune_tensor *pl_check_tensor(lua_State *L, int index) { return pl_handle(L, index, &pl_tensor)->pointer; }

void pl_release(handle *object, const handle_class *class) {
  void *pointer = object->pointer;
  object->pointer = NULL;
  if (pointer) class->release(pointer);
}

/* Upvalue 1 is the class. */
static int close_object(lua_State *L) {
  const handle_class *class = lua_touserdata(L, lua_upvalueindex(1));
  handle *object = pl_test(L, 1, class);
  if (!object) return luaL_argerror(L, 1, class->noun);
  if (object->users > 0) {
    pl_error(L, "invalid_argument", class->noun, NULL, "it cannot be closed: a running call uses it");
  }
  pl_release(object, class);
  return 0;
}

static int default_tostring(lua_State *L) {
  const handle_class *class = lua_touserdata(L, lua_upvalueindex(1));
  lua_pushfstring(L, "%s (%s)", class->noun, ((handle *)lua_touserdata(L, 1))->pointer ? "open" : "closed");
  return 1;
}

static void nearest_key(lua_State *L, int table, const char *name, const char **nearest, size_t *best) {
  if (!lua_istable(L, table)) return;
  lua_pushnil(L);
  while (lua_next(L, table)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING && pl_similar(name, lua_tostring(L, -1), best)) *nearest = lua_tostring(L, -1);
  }
}

/* Upvalues: methods, fields, the class, and what to do with other keys (or nil). */
static int index_object(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) {
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return 1;
  }
  if (lua_type(L, 2) != LUA_TSTRING && !lua_isnil(L, lua_upvalueindex(4))) {
    lua_pushvalue(L, lua_upvalueindex(4));
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    return 1;
  }
  const handle_class *class = lua_touserdata(L, lua_upvalueindex(3));
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
  const char *nearest = NULL;
  size_t best = SIZE_MAX;
  nearest_key(L, lua_upvalueindex(1), name, &nearest, &best);
  nearest_key(L, lua_upvalueindex(2), name, &nearest, &best);
  if (nearest) {
    pl_error(L, "not_found", class->noun, NULL, "no field or method '%s', did you mean '%s'?", name, nearest);
  }
  pl_error(L, "not_found", class->noun, NULL, "no field or method '%s'", name);
}

static int refuse_newindex(lua_State *L) {
  const handle_class *class = lua_touserdata(L, lua_upvalueindex(1));
  pl_error(L, "invalid_argument", class->noun, NULL, "its fields cannot be assigned to");
}

static void set_with_class(lua_State *L, const char *name, lua_CFunction function, const handle_class *class) {
  lua_pushlightuserdata(L, (void *)class);
  lua_pushcclosure(L, function, 1);
  lua_setfield(L, -2, name);
}

void pl_class(lua_State *L, const handle_class *class, const luaL_Reg *methods, const luaL_Reg *fields,
              const luaL_Reg *metamethods) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  luaL_newmetatable(L, class->name);
  set_with_class(L, "__gc", close_object, class);
  set_with_class(L, "__close", close_object, class);
  set_with_class(L, "__tostring", default_tostring, class);
  set_with_class(L, "__newindex", refuse_newindex, class);
  lua_pushstring(L, class->name);
  lua_setfield(L, -2, "__metatable");
  if (metamethods) luaL_setfuncs(L, metamethods, 0);

  lua_newtable(L);
  luaL_setfuncs(L, methods ? methods : none, 0);
  lua_newtable(L);
  luaL_setfuncs(L, fields ? fields : none, 0);
  lua_pushvalue(L, -2); /* for the prompt's completion */
  lua_setfield(L, -4, "methods");
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "fields");
  lua_pushlightuserdata(L, (void *)class);
  lua_getfield(L, -4, "__index"); /* a metamethod given for keys that are no strings */
  lua_pushcclosure(L, index_object, 4);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

prune_context *pl_get_context(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &CONTEXT_KEY) == LUA_TNIL) {
    lua_pop(L, 1);
    handle *object = pl_new(L, &pl_context);
    prune_context *context = NULL;
    prune_status status = prune_context_create(&context);
    object->pointer = context;
    pl_check(L, status);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &CONTEXT_KEY);
  }
  handle *object = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return object->pointer;
}

void pl_push_internals(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &INTERNALS_KEY) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &INTERNALS_KEY);
}
