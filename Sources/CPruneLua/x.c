#include "prune_lua.h"
