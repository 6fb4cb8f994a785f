/* The program's C half: protected calls, Ctrl-C, reading lines. What it says and does is in lua/shell.lua. */
#ifndef PRUNE_SHELL_H
#define PRUNE_SHELL_H

#include "../binding.h"
#include "prune_lua.h"

/** Evaluation begins and ends: Ctrl-C cancels libprune's calls and stops Lua; a second one within 2 s ends the process. */
void shell_watch_interrupts(lua_State *L, prune_context *context);
/** Returns whether Ctrl-C was pressed. */
bool shell_unwatch_interrupts(lua_State *L);

/** The compiled chunk of lua/NAME.lua; raises. */
void shell_push_chunk(lua_State *L, const char *name);

#endif
