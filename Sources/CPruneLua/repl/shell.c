/* prune_shell_main: a Lua state with the binding in it, and lua/shell.lua under a protected call. */
#include "shell.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static lua_State *shell_state; /* one program, one state: readline's callbacks have no argument of ours */
static const prune_shell_editor *shell_editor;

static const char shell_text[] = {
#embed "../lua/shell.lua"
};
static const char evaluate_text[] = {
#embed "../lua/evaluate.lua"
};
static const char complete_text[] = {
#embed "../lua/complete.lua"
};
static const char pretty_text[] = {
#embed "../lua/pretty.lua"
};
static const char arguments_text[] = {
#embed "../lua/arguments.lua"
};
static const char verbs_text[] = {
#embed "../lua/verbs.lua"
};
static const char usage_text[] = {
#embed "../lua/usage.lua"
};
static const char opening_text[] = {
#embed "../lua/opening.lua"
};
static const char screen_text[] = {
#embed "../lua/screen.lua"
};
static const char completion_text[] = {
#embed "../lua/completion.lua"
};

static const struct {
  const char *name, *text;
  size_t size;
} chunks[] = {{"shell", shell_text, sizeof shell_text},
              {"evaluate", evaluate_text, sizeof evaluate_text},
              {"complete", complete_text, sizeof complete_text},
              {"pretty", pretty_text, sizeof pretty_text},
              {"arguments", arguments_text, sizeof arguments_text},
              {"verbs", verbs_text, sizeof verbs_text},
              {"usage", usage_text, sizeof usage_text},
              {"opening", opening_text, sizeof opening_text},
              {"screen", screen_text, sizeof screen_text},
              {"completion", completion_text, sizeof completion_text}};

void shell_push_chunk(lua_State *L, const char *name) {
  for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
    if (strcmp(chunks[i].name, name) != 0) continue;
    const char *chunk = lua_pushfstring(L, "=prune/%s.lua", name);
    if (luaL_loadbufferx(L, chunks[i].text, chunks[i].size, chunk, "t") != LUA_OK) lua_error(L);
    lua_remove(L, -2);
    return;
  }
  luaL_error(L, "no embedded file '%s'", name);
}

static int host_chunk(lua_State *L) {
  shell_push_chunk(L, luaL_checkstring(L, 1));
  return 1;
}

/* Keeps where a script stood when an error was raised: registry.prune_place and registry.prune_traceback. */
static int keep_traceback(lua_State *L) {
  lua_Debug frame;
  for (int level = 1; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline <= 0 || strncmp(frame.short_src, "prune/", 6) == 0) continue;
    lua_pushfstring(L, "%s:%d", frame.short_src, frame.currentline);
    lua_setfield(L, LUA_REGISTRYINDEX, "prune_place");
    break;
  }
  luaL_traceback(L, L, NULL, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "prune_traceback");
  return 1;
}

/* host.guard(f, …): ok, interrupted, results… or error, place, traceback. */
static int host_guard(lua_State *L) {
  int arguments = lua_gettop(L) - 1;
  prune_context *context = pl_get_context(L);
  lua_pushcfunction(L, keep_traceback);
  lua_insert(L, 1);
  shell_watch_interrupts(L, context);
  bool ok = lua_pcall(L, arguments, LUA_MULTRET, 1) == LUA_OK;
  bool interrupted = shell_unwatch_interrupts(L);
  lua_pushboolean(L, ok);
  lua_replace(L, 1);
  lua_pushboolean(L, interrupted);
  lua_insert(L, 2);
  if (!ok) {
    lua_settop(L, 3);
    lua_getfield(L, LUA_REGISTRYINDEX, "prune_place");
    lua_getfield(L, LUA_REGISTRYINDEX, "prune_traceback");
  }
  lua_pushnil(L);
  lua_setfield(L, LUA_REGISTRYINDEX, "prune_place");
  lua_pushnil(L);
  lua_setfield(L, LUA_REGISTRYINDEX, "prune_traceback");
  return lua_gettop(L);
}

static char *read_plain_line(const char *prompt) {
  fputs(prompt, stdout);
  fflush(stdout);
  char *line = NULL;
  size_t room = 0;
  ssize_t length = getline(&line, &room, stdin);
  if (length < 0) {
    free(line);
    return NULL;
  }
  if (length > 0 && line[length - 1] == '\n') line[length - 1] = 0;
  return line;
}

/* host.read(prompt, initial): a line; nil at the end; false after Ctrl-C. */
static int host_read(lua_State *L) {
  const char *prompt = luaL_checkstring(L, 1), *initial = luaL_optstring(L, 2, "");
  int interrupted = 0;
  bool edited = shell_editor && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
  fflush(stdout);
  char *line = edited ? shell_editor->read(prompt, initial, &interrupted) : read_plain_line(prompt);
  if (!line) {
    if (interrupted) lua_pushboolean(L, 0);
    return interrupted ? 1 : 0;
  }
  lua_pushstring(L, line); /* short of memory here, the line leaks once before the program ends */
  free(line);
  return 1;
}

static int host_add_history(lua_State *L) {
  if (shell_editor) shell_editor->add_history(luaL_checkstring(L, 1));
  return 0;
}

static int host_load_history(lua_State *L) {
  if (shell_editor) shell_editor->load_history(luaL_optstring(L, 1, NULL));
  return 0;
}

static int host_is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* host.page(text): whether a pager showed it. PRUNE_PAGER or PAGER names one; "" and "cat" are none; less where neither is set. */
static int host_page(lua_State *L) {
  size_t size = 0;
  const char *text = luaL_checklstring(L, 1, &size);
  const char *pager = getenv("PRUNE_PAGER");
  if (!pager) pager = getenv("PAGER");
  if (pager && (!*pager || strcmp(pager, "cat") == 0)) return 0;
  fflush(stdout);
  /* One who leaves the pager early closes its pipe, which is no reason to end. */
  struct sigaction ignore = {.sa_handler = SIG_IGN}, before, interrupt;
  sigaction(SIGPIPE, &ignore, &before);
  sigaction(SIGINT, &ignore, &interrupt);
  FILE *pipe = popen(pager ? pager : "command -v less >/dev/null && exec less -FRX || exec cat", "w");
  bool is_paged = pipe != NULL;
  if (pipe) {
    fwrite(text, 1, size, pipe);
    pclose(pipe);
  }
  sigaction(SIGINT, &interrupt, NULL);
  sigaction(SIGPIPE, &before, NULL);
  lua_pushboolean(L, is_paged);
  return 1;
}

static const luaL_Reg host_functions[] = {{"chunk", host_chunk},
                                          {"guard", host_guard},
                                          {"read", host_read},
                                          {"page", host_page},
                                          {"add_history", host_add_history},
                                          {"load_history", host_load_history},
                                          {"is_terminal", host_is_terminal},
                                          {NULL, NULL}};

typedef struct command_line {
  int count;
  char **words;
} command_line;

/* Under a protected call: returns the exit status. */
static int run(lua_State *L) {
  const command_line *arguments = lua_touserdata(L, 1);
  luaL_openlibs(L);
  luaL_requiref(L, "prune", luaopen_prune, 0);
  lua_setglobal(L, "prune");
  luaL_newlib(L, host_functions);
  pl_push_internals(L);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "host");
  lua_setfield(L, -2, "internals");
  shell_push_chunk(L, "shell");
  lua_insert(L, -2);
  lua_createtable(L, arguments->count, 0);
  for (int i = 0; i < arguments->count; i++) {
    lua_pushstring(L, arguments->words[i]);
    lua_rawseti(L, -2, i);
  }
  lua_call(L, 2, 1);
  return 1;
}

static int with_traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

int prune_shell_main(int argc, char **argv, const prune_shell_editor *editor) {
  lua_State *L = luaL_newstate();
  if (!L) {
    fputs("prune: not enough memory\n", stderr);
    return 1;
  }
  shell_state = L;
  shell_editor = editor;
  command_line arguments = {argc, argv};
  lua_pushcfunction(L, with_traceback);
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, &arguments);
  int status = 1;
  if (lua_pcall(L, 1, 1, 1) == LUA_OK) {
    status = (int)lua_tointeger(L, -1);
  } else {
    fprintf(stderr, "prune: %s\n", lua_tostring(L, -1));
  }
  if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
    perror("prune: standard output");
    status = 1;
  }
  shell_state = NULL;
  lua_close(L);
  return status;
}

typedef struct word_place {
  const char *line;
  int start, end;
} word_place;

/* Under a protected call: internals.complete(line, start, end) -> list, append. */
static int complete(lua_State *L) {
  const word_place *place = lua_touserdata(L, 1);
  pl_push_internals(L);
  lua_getfield(L, -1, "complete");
  lua_pushstring(L, place->line);
  lua_pushinteger(L, place->start);
  lua_pushinteger(L, place->end);
  lua_call(L, 3, 2);
  return 2;
}

static bool call_complete(lua_State *L, word_place *place) {
  if (!lua_checkstack(L, LUA_MINSTACK)) return false;
  lua_pushcfunction(L, complete);
  lua_pushlightuserdata(L, place);
  return lua_pcall(L, 1, 2, 0) == LUA_OK && lua_istable(L, -2);
}

static size_t common_prefix(char **list, size_t count) {
  size_t length = strlen(list[0]);
  for (size_t i = 1; i < count; i++) {
    size_t same = 0;
    while (same < length && list[i][same] == list[0][same]) same++;
    length = same;
  }
  return length;
}

/* The list on the stack as readline wants it: the common beginning, then all. */
static char **word_list(lua_State *L) {
  size_t count = (size_t)lua_rawlen(L, -2);
  if (count == 0) return NULL;
  char **words = calloc(count + 2, sizeof *words);
  if (!words) return NULL;
  size_t match_count = 0;
  for (size_t i = 1; i <= count; i++) {
    if (lua_rawgeti(L, -2, (lua_Integer)i) == LUA_TSTRING) words[match_count + 1] = strdup(lua_tostring(L, -1));
    lua_pop(L, 1);
    if (words[match_count + 1]) match_count++;
  }
  if (match_count) words[0] = strndup(words[1], common_prefix(words + 1, match_count));
  if (!words[0]) {
    for (size_t i = 1; i <= match_count; i++) free(words[i]);
    free(words);
    return NULL;
  }
  return words;
}

char **prune_shell_complete(const char *line, int start, int end, int *append) {
  lua_State *L = shell_state;
  *append = 0;
  if (!L) return NULL;
  int top = lua_gettop(L);
  char **words = NULL;
  word_place place = {line, start, end};
  if (call_complete(L, &place)) {
    const char *after = lua_tostring(L, -1);
    *append = after ? *after : 0;
    words = word_list(L);
  }
  lua_settop(L, top);
  return words;
}

int prune_shell_in_string(const char *line, int end) {
  char quote = 0;
  for (int i = 0; i < end && line[i]; i++) {
    if (quote) {
      if (line[i] == '\\' && i + 1 < end) {
        i++;
      } else if (line[i] == quote) {
        quote = 0;
      }
    } else if (line[i] == '"' || line[i] == '\'') {
      quote = line[i];
    } else if (line[i] == '-' && line[i + 1] == '-') {
      return 0;
    }
  }
  return quote != 0;
}
