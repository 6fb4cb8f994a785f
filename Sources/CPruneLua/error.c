/* Errors: what libprune reports becomes {code=, message=, where=, hint=}, printed as one line. */
#include "binding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char ERROR_CLASS[] = "prune.Error";

static const char *text_field(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  const char *text = lua_tostring(L, -1);
  return text ? text : "";
}

/* "code: where: message (hint)" */
static int error_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *code = text_field(L, "code");
  const char *where = text_field(L, "where");
  const char *message = text_field(L, "message");
  const char *hint = text_field(L, "hint");
  lua_pushfstring(L, "%s: %s%s%s%s%s%s", code, where, *where ? ": " : "", message, *hint ? " (" : "", hint,
                  *hint ? ")" : "");
  return 1;
}

static _Noreturn void raise(lua_State *L, const char *code, const char *message, const char *where, const char *hint) {
  lua_createtable(L, 0, 4);
  lua_pushstring(L, code);
  lua_setfield(L, -2, "code");
  lua_pushstring(L, message);
  lua_setfield(L, -2, "message");
  lua_pushstring(L, where ? where : "");
  lua_setfield(L, -2, "where");
  lua_pushstring(L, hint ? hint : "");
  lua_setfield(L, -2, "hint");
  luaL_setmetatable(L, ERROR_CLASS);
  lua_error(L);
  __builtin_unreachable();
}

void pl_error(lua_State *L, const char *code, const char *where, const char *hint, const char *format, ...) {
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  luaL_checkstack(L, 4, NULL);
  raise(L, code, message, where, hint);
}

const char *pl_check_path(lua_State *L, int index) {
  size_t size = 0;
  const char *path = luaL_checklstring(L, index, &size);
  if (strlen(path) != size) {
    pl_error(L, "invalid_argument", NULL, NULL, "the path '%s…' has a zero byte behind its first %zu bytes", path,
             strlen(path));
  }
  return path;
}

void pl_check(lua_State *L, prune_status status) {
  if (status == PRUNE_OK) return;
  const prune_error *error = prune_last_error();
  luaL_checkstack(L, 4, NULL);
  raise(L, prune_status_name(status), error->message, error->where, error->hint);
}

enum { NAME_MAX_LENGTH = 63 };

size_t pl_distance(const char *a, const char *b) {
  size_t m = strlen(a), n = strlen(b);
  if (m > NAME_MAX_LENGTH || n > NAME_MAX_LENGTH) return SIZE_MAX;
  size_t rows[3][NAME_MAX_LENGTH + 1];
  size_t *before = rows[0], *last = rows[1], *row = rows[2];
  for (size_t j = 0; j <= n; j++) last[j] = before[j] = j;
  for (size_t i = 1; i <= m; i++) {
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
      if (last[j] + 1 < best) best = last[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped && before[j - 2] + 1 < best) best = before[j - 2] + 1;
      row[j] = best;
    }
    size_t *free_row = before;
    before = last;
    last = row;
    row = free_row;
  }
  return last[n];
}

bool pl_similar(const char *name, const char *other, size_t *best) {
  size_t distance = pl_distance(name, other);
  size_t length = strlen(name);
  if (distance > (length < 3 ? 1 : length / 3 + 1) || distance >= length || distance >= *best) return false;
  *best = distance;
  return true;
}

const char *pl_type_name(lua_State *L, int index) {
  static const handle_class *const classes[] = {&pl_model, &pl_dataset, &pl_tensor};
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
    if (luaL_testudata(L, index, classes[i]->name)) return classes[i]->noun;
  }
  return luaL_typename(L, index);
}

void pl_open_errors(lua_State *L) {
  luaL_newmetatable(L, ERROR_CLASS);
  lua_pushcfunction(L, error_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, "prune.Error");
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}
