/* The binding's Lua files, embedded. */
#include "binding.h"

#include <string.h>

typedef struct embedded_file {
  const char *name;
  const char *text;
  size_t size;
} embedded_file;

static const char init[] = {
#embed "lua/init.lua"
};
static const char distributed[] = {
#embed "lua/distributed.lua"
};
static const char docs[] = {
#embed "lua/docs.lua"
};
static const char docs_model[] = {
#embed "lua/docs_model.lua"
};
static const char docs_options[] = {
#embed "lua/docs_options.lua"
};
static const char entries[] = {
#embed "lua/entries.lua"
};
static const char layout[] = {
#embed "lua/layout.lua"
};
static const char guides[] = {
#embed "lua/guides.lua"
};
static const char help[] = {
#embed "lua/help.lua"
};
static const char progress[] = {
#embed "lua/progress.lua"
};
static const char report[] = {
#embed "lua/report.lua"
};
static const char tensor[] = {
#embed "lua/tensor.lua"
};

static const char topics[] = {
#embed "lua/topics.lua"
};

#define FILE_OF(variable) \
  { #variable, variable, sizeof variable }
static const embedded_file files[] = {FILE_OF(init),       FILE_OF(docs),   FILE_OF(docs_model), FILE_OF(docs_options),
                                      FILE_OF(entries),    FILE_OF(help),   FILE_OF(progress),   FILE_OF(report),
                                      FILE_OF(tensor),     FILE_OF(topics), FILE_OF(layout),     FILE_OF(guides),
                                      FILE_OF(distributed)};

bool pl_load_embedded(lua_State *L, const char *name) {
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    if (strcmp(files[i].name, name) != 0) continue;
    const char *chunk = lua_pushfstring(L, "=prune/%s.lua", name);
    if (luaL_loadbufferx(L, files[i].text, files[i].size, chunk, "t") != LUA_OK) lua_error(L);
    lua_remove(L, -2);
    return true;
  }
  return false;
}
