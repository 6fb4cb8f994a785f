/* Reports: plain Lua tables whose printing libprune does. The C report stays behind them as long as any part does. */
#include "binding_options.h"

#include <stdlib.h>
#include <string.h>

static const char REPORT_CLASS[] = "prune.Report", NODE_CLASS[] = "prune.ReportNode";

/* A report inside the one that user value 1 keeps. */
typedef struct node {
  const prune_report *report;
} node;

void pl_push_text(lua_State *L, handle *object) {
  prune_buffer *buffer = object->pointer;
  lua_pushlstring(L, buffer->data ? buffer->data : "", buffer->data ? buffer->size : 0);
  pl_release(object, &pl_buffer);
}

static prune_buffer *new_buffer(lua_State *L, handle **out_object) {
  *out_object = pl_new(L, &pl_buffer);
  prune_buffer *buffer = calloc(1, sizeof *buffer);
  if (!buffer) luaL_error(L, "not enough memory");
  (*out_object)->pointer = buffer;
  return buffer;
}

/* internals.nodes: table -> node, weak in the tables. */
static void push_nodes(lua_State *L) {
  pl_push_internals(L);
  lua_getfield(L, -1, "nodes");
  lua_remove(L, -2);
}

/* Pushes the table of a report; `root` is the stack position of the handle that owns it. */
static void push_report(lua_State *L, int root, const prune_report *report);

static void push_entry(lua_State *L, int root, const prune_report_entry *entry) {
  switch (entry->kind) {
  case PRUNE_REPORT_NUMBER: lua_pushnumber(L, entry->number); return;
  case PRUNE_REPORT_INTEGER: lua_pushinteger(L, entry->integer); return;
  case PRUNE_REPORT_TEXT: lua_pushstring(L, entry->text); return;
  case PRUNE_REPORT_FLAG: lua_pushboolean(L, entry->integer != 0); return;
  case PRUNE_REPORT_REPORT:
  case PRUNE_REPORT_LIST: push_report(L, root, entry->child); return;
  case PRUNE_REPORT_TENSOR: pl_push_borrowed_tensor(L, entry->tensor); return;
  default: lua_pushnil(L); return;
  }
}

static void push_report(lua_State *L, int root, const prune_report *report) {
  luaL_checkstack(L, 12, "the report is nested too deeply");
  size_t count = prune_report_count(report);
  lua_newtable(L);
  for (size_t i = 0; i < count; i++) {
    prune_report_entry entry = {.struct_size = sizeof entry};
    pl_check(L, prune_report_at(report, i, &entry));
    if (entry.key) {
      lua_pushstring(L, entry.key);
    } else {
      lua_pushinteger(L, (lua_Integer)i + 1);
    }
    push_entry(L, root, &entry);
    lua_rawset(L, -3);
  }
  luaL_setmetatable(L, REPORT_CLASS);
  push_nodes(L);
  lua_pushvalue(L, -2);
  node *record = lua_newuserdatauv(L, sizeof *record, 1);
  record->report = report;
  lua_pushvalue(L, root);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, NODE_CLASS);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

void pl_push_report(lua_State *L, int index) {
  index = lua_absindex(L, index);
  push_report(L, index, pl_handle(L, index, &pl_report)->pointer);
}

void pl_notice(lua_State *L) {
  /* Inside a callback the report is not yet the result of a call. */
  if (pl_running_calls) return;
  pl_push_internals(L);
  if (lua_getfield(L, -1, "notice") == LUA_TFUNCTION) {
    lua_pushvalue(L, -3);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
  } else {
    lua_pop(L, 2);
  }
}

/* Pushes the node behind a report's table (keeping it alive); NULL when Lua made the table. */
static const prune_report *report_at(lua_State *L, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  push_nodes(L);
  lua_pushvalue(L, index);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  const node *record = luaL_testudata(L, -1, NODE_CLASS);
  return record ? record->report : NULL;
}

/* Width and colour as given, or as internals.display says; the two are pushed. */
static void display(lua_State *L, uint32_t width, int color, int32_t *out_width, int *out_color) {
  pl_push_internals(L);
  lua_getfield(L, -1, "display");
  lua_remove(L, -2);
  lua_call(L, 0, 2);
  *out_width = width ? (int32_t)(width < 1000 ? width : 1000) : (int32_t)lua_tointeger(L, -2);
  *out_color = color ? lua_toboolean(L, color) : lua_toboolean(L, -1);
}

/* report:to_text{width =, color =} */
static int report_text(lua_State *L) {
  pl_call call = {.L = L, .where = "Report:to_text"};
  text_options options;
  pl_options(&call, 2, &pl_text_set, &options);
  int32_t width;
  int color;
  display(L, options.width, options.color, &width, &color);
  const prune_report *report = report_at(L, 1);
  if (!report) pl_error(L, "unsupported", call.where, NULL, "this report was not made by libprune");
  handle *object;
  prune_buffer *buffer = new_buffer(L, &object);
  pl_check(L, prune_report_to_text(report, width, color, buffer));
  pl_push_text(L, object);
  return 1;
}

/* report:to_json() */
static int report_json(lua_State *L) {
  const prune_report *report = report_at(L, 1);
  if (!report) pl_error(L, "unsupported", "Report:to_json", NULL, "this report was not made by libprune");
  handle *object;
  prune_buffer *buffer = new_buffer(L, &object);
  pl_check(L, prune_report_to_json(report, buffer));
  pl_push_text(L, object);
  return 1;
}

/* report:to_text_as("csv") */
static int report_text_as(lua_State *L) {
  const char *format = luaL_checkstring(L, 2);
  const prune_report *report = report_at(L, 1);
  if (!report) pl_error(L, "unsupported", "Report:to_text_as", NULL, "this report was not made by libprune");
  handle *object;
  prune_buffer *buffer = new_buffer(L, &object);
  pl_check(L, prune_report_to_text_as(report, format, buffer));
  pl_push_text(L, object);
  return 1;
}

/* report:save("report.html") */
static int report_save(lua_State *L) {
  const char *path = pl_check_path(L, 2);
  const prune_report *report = report_at(L, 1);
  if (!report) pl_error(L, "unsupported", "Report:save", NULL, "this report was not made by libprune");
  pl_check(L, prune_report_save(report, path));
  return 0;
}

/* internals.report_title(report) */
static int report_title(lua_State *L) {
  const prune_report *report = report_at(L, 1);
  const char *title = report ? prune_report_title(report) : NULL;
  lua_pushstring(L, title ? title : "");
  return 1;
}

/* internals.tensor_map(tensor) and internals.tensor_draw(tensor, path) */
static int tensor_map(lua_State *L) {
  const prune_tensor *tensor = pl_check_tensor(L, 1);
  int32_t width;
  int color;
  display(L, 0, 0, &width, &color);
  handle *object;
  prune_buffer *buffer = new_buffer(L, &object);
  pl_check(L, prune_tensor_to_text(tensor, width, color, buffer));
  pl_push_text(L, object);
  return 1;
}

static int tensor_draw(lua_State *L) {
  pl_check(L, prune_tensor_draw(pl_check_tensor(L, 1), luaL_checkstring(L, 2)));
  return 0;
}

/* m:summary{width =, color =, file =} prints the table of layers. */
int pl_model_summary(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  pl_call call = {.L = L, .where = "Model:summary"};
  summary_options options;
  pl_options(&call, 2, &pl_summary_set, &options);
  int32_t width;
  int color;
  display(L, options.width, options.color, &width, &color);
  handle *object;
  prune_buffer *buffer = new_buffer(L, &object);
  prune_stats_options stats = PRUNE_STATS_OPTIONS_INIT;
  stats.shapes = options.shapes;
  stats.shape_count = options.shape_count;
  pl_check(L, prune_model_summary(model, &stats, width, color, buffer));
  if (options.file) {
    lua_pushvalue(L, options.file);
  } else {
    pl_push_internals(L);
    lua_getfield(L, -1, "output");
  }
  lua_getfield(L, -1, "write");
  lua_insert(L, -2);
  bool ends = buffer->size > 0 && buffer->data[buffer->size - 1] == '\n';
  pl_push_text(L, object);
  if (!ends) {
    lua_pushliteral(L, "\n");
    lua_concat(L, 2);
  }
  lua_call(L, 2, 0);
  return 0;
}

static const prune_report *own_report(lua_State *L, const char *where) {
  const prune_report *report = report_at(L, 1);
  if (!report) pl_error(L, "unsupported", where, NULL, "this report was not made by libprune");
  return report;
}

/* The entries that C's hint names from 0, named from 1. */
static const char *counted_from_one(lua_State *L, const char *hint) {
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  while (*hint) {
    char *end = NULL;
    if (*hint >= '0' && *hint <= '9') {
      lua_pushinteger(L, (lua_Integer)strtoll(hint, &end, 10) + 1);
      luaL_addvalue(&text);
      hint = end;
    } else {
      luaL_addchar(&text, *hint++);
    }
  }
  luaL_pushresult(&text);
  return lua_tostring(L, -1);
}

/* report:restore(i): the model after entry i of the journal. */
static int report_restore(lua_State *L) {
  lua_Integer index = luaL_checkinteger(L, 2);
  const prune_report *report = own_report(L, "Report:restore");
  if (index < 1)
    pl_error(L, "invalid_argument", "Report:restore", NULL, "journal entries count from 1, got %lld", (long long)index);
  handle *object = pl_new(L, &pl_model);
  prune_model *model = NULL;
  prune_status status = prune_report_restore(report, (size_t)index - 1, &model);
  object->pointer = model;
  if (status == PRUNE_ERROR_NOT_FOUND) {
    pl_error(L, prune_status_name(status), "Report:restore", counted_from_one(L, prune_last_error()->hint),
             "the journal holds no model of entry %lld", (long long)index);
  }
  pl_check(L, status);
  return 1;
}

/* report:recipe() */
static int report_recipe(lua_State *L) {
  const prune_report *report = own_report(L, "Report:recipe");
  handle *object;
  prune_buffer *buffer = new_buffer(L, &object);
  pl_check(L, prune_report_recipe(report, buffer));
  pl_push_text(L, object);
  return 1;
}

void pl_open_report(lua_State *L, int api) {
  (void)api;
  pl_class(L, &pl_report, NULL, NULL, NULL);
  pl_class(L, &pl_buffer, NULL, NULL, NULL);
  luaL_newmetatable(L, NODE_CLASS);
  lua_pop(L, 1);

  pl_push_internals(L);
  lua_newtable(L);
  lua_newtable(L);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "nodes");
  luaL_newmetatable(L, REPORT_CLASS); /* filled by lua/report.lua */
  lua_setfield(L, -2, "report_class");
  static const luaL_Reg functions[] = {{"report_text", report_text},       {"report_json", report_json},
                                       {"report_text_as", report_text_as}, {"tensor_map", tensor_map},
                                       {"tensor_draw", tensor_draw},       {"report_save", report_save},
                                       {"report_title", report_title},     {"report_restore", report_restore},
                                       {"report_recipe", report_recipe},   {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}
