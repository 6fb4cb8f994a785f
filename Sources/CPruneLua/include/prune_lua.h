/** @file prune_lua.h
 * What the `prune` program needs of the Lua binding. The binding itself is luaopen_prune, over prune.h only.
 */
#ifndef PRUNE_LUA_H
#define PRUNE_LUA_H

struct lua_State;
struct prune_context;

/** Opens the module: pushes its table, returns 1. `require "prune"` of a stock Lua finds it in prune.so. */
__attribute__((visibility("default"))) int luaopen_prune(struct lua_State *L);
/** `require "prune.safe"`. */
__attribute__((visibility("default"))) int luaopen_prune_safe(struct lua_State *L);

/** How the program reads lines from a person; the shell calls these, never while Lua may raise. */
typedef struct prune_shell_editor {
  /** A line without its end, malloc'ed; NULL at the end of input or, with `*interrupted` set, after Ctrl-C.
   *  `initial` is put on the line first. */
  char *(*read)(const char *prompt, const char *initial, int *interrupted);
  /** Reads the history file, NULL for none, to which later entries are appended. */
  void (*load_history)(const char *path);
  void (*add_history)(const char *entry);
} prune_shell_editor;

/** The program: reads the command line, runs scripts or the prompt; its exit status. Lua is touched by this and the
 *  functions below only, each under a protected call. */
int prune_shell_main(int argc, char **argv, const prune_shell_editor *editor);

/** Completions of `line` up to byte `end`, where the word from `start` is being typed: a NULL-terminated malloc'ed array of
 *  malloc'ed strings, each replacing the word; NULL when there are none. `*append` is the character to put after a sole one,
 *  or 0. */
char **prune_shell_complete(const char *line, int start, int end, int *append);
/** Whether byte `end` of the line is inside a string literal. */
int prune_shell_in_string(const char *line, int end);

/** While a line is being read: Ctrl-C is noted, during prune_shell_prompt_wait alone. */
void prune_shell_prompt_begin(void);
/** Waits for a key or a signal: positive for a key, negative for a signal, which readline may want to see; 0 when Ctrl-C was
 *  pressed before. */
int prune_shell_prompt_wait(void);
void prune_shell_prompt_end(void);
/** Whether Ctrl-C was pressed since prune_shell_prompt_begin; forgets it. */
int prune_shell_prompt_interrupted(void);

#endif
