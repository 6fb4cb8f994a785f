/* {name = tensor} tables to named tensors and back. */
#ifndef PRUNE_BINDING_TENSORS_H
#define PRUNE_BINDING_TENSORS_H

#include "binding.h"

/** Pushes the named tensors of the table at `index`. */
prune_tensors *pl_tensors_from_table(lua_State *L, int index, const char *where);
/** Whether the value at `index` is {name = …} and not a list. */
bool pl_has_names(lua_State *L, int index);
/** Pushes {name = tensor} of the pl_tensors userdata at `index`. */
void pl_push_tensors(lua_State *L, int index);

#endif
