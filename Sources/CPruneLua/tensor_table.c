/* Tensors made of nested Lua tables. */
#include "binding.h"

#include <string.h>

enum { RANK_MAX = 16 };

/* The tensor being made; `depth` counts tables down from the outermost. */
typedef struct builder {
  lua_State *L;
  prune_dtype dtype;
  size_t rank;
  int64_t shape[RANK_MAX];
  void *data;
  size_t filled;
} builder;

static _Noreturn void bad_table(lua_State *L, const char *format, long long a, long long b) {
  pl_error(L, "invalid_argument", "prune.tensor", "rows of nested tables must be equally long", format, a, b);
}

/* Shape along the first elements. */
static void find_shape(builder *b, int index) {
  lua_State *L = b->L;
  int top = lua_gettop(L);
  lua_pushvalue(L, index);
  while (lua_istable(L, -1)) {
    if (b->rank == RANK_MAX) bad_table(L, "tables are nested more than %lld deep", RANK_MAX, 0);
    luaL_checkstack(L, 4, NULL);
    b->shape[b->rank++] = (int64_t)lua_rawlen(L, -1);
    lua_rawgeti(L, -1, 1);
    if (lua_isnil(L, -1)) break;
  }
  lua_settop(L, top);
}

enum { SEEN_BOOL = 1, SEEN_INTEGER = 2, SEEN_FLOAT = 4 };

/* Checks lengths and collects which kinds of elements there are. */
static int look(builder *b, int index, size_t depth) {
  lua_State *L = b->L;
  if (depth == b->rank) {
    if (lua_isboolean(L, index)) return SEEN_BOOL;
    if (lua_type(L, index) == LUA_TNUMBER) return lua_isinteger(L, index) ? SEEN_INTEGER : SEEN_FLOAT;
    pl_error(L, "invalid_argument", "prune.tensor", "rows of nested tables must be equally long",
             "elements must be numbers or booleans, got %s at depth %zu", pl_type_name(L, index), depth + 1);
  }
  if (!lua_istable(L, index))
    bad_table(L, "a number where a table was expected, at depth %lld", (long long)depth + 1, 0);
  if ((int64_t)lua_rawlen(L, index) != b->shape[depth]) {
    bad_table(L, "a row has %lld elements, the first has %lld", (long long)lua_rawlen(L, index),
              (long long)b->shape[depth]);
  }
  luaL_checkstack(L, 4, NULL);
  int seen = 0;
  for (int64_t i = 1; i <= b->shape[depth]; i++) {
    lua_rawgeti(L, index, i);
    seen |= look(b, lua_gettop(L), depth + 1);
    lua_pop(L, 1);
  }
  return seen;
}

static void fill(builder *b, int index, size_t depth) {
  lua_State *L = b->L;
  if (depth == b->rank) {
    pl_store_element(L, index, b->dtype, b->data, b->filled++);
    return;
  }
  for (int64_t i = 1; i <= b->shape[depth]; i++) {
    lua_rawgeti(L, index, i);
    fill(b, lua_gettop(L), depth + 1);
    lua_pop(L, 1);
  }
}

/* Pushes a tensor of the builder's shape, or of `shape` when given. */
static prune_tensor *build(builder *b, int index, const int64_t *shape, size_t rank, prune_dtype dtype) {
  lua_State *L = b->L;
  find_shape(b, index);
  int seen = look(b, index, 0);
  b->dtype = dtype                 ? dtype
             : seen & SEEN_FLOAT   ? PRUNE_FLOAT32
             : seen & SEEN_INTEGER ? PRUNE_INT64
             : seen & SEEN_BOOL    ? PRUNE_BOOL
                                   : PRUNE_FLOAT32;
  int64_t actual = 1, expected = 1;
  for (size_t i = 0; i < b->rank; i++) actual *= b->shape[i]; /* all these elements exist */
  for (size_t i = 0; shape && i < rank; i++) {
    if (__builtin_mul_overflow(expected, shape[i], &expected)) expected = -1;
    if (expected < 0) break;
  }
  bool zeros = shape && actual == 0;
  if (shape && !zeros && actual != expected) {
    pl_error(L, "invalid_argument", "prune.tensor", NULL, "%lld elements do not fill the shape of %lld",
             (long long)actual, (long long)expected);
  }
  handle *object = pl_new(L, &pl_tensor);
  prune_tensor *tensor = NULL;
  prune_status status = prune_tensor_create(b->dtype, shape ? rank : b->rank, shape ? shape : b->shape, NULL, &tensor);
  object->pointer = tensor;
  pl_check(L, status);
  if (!zeros && actual > 0) {
    pl_check(L, prune_tensor_data_mutable(tensor, &b->data));
    fill(b, index, 0);
  }
  return tensor;
}

prune_tensor *pl_to_tensor(lua_State *L, int index, prune_dtype dtype) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 8, NULL);
  if (pl_test(L, index, &pl_tensor)) {
    lua_pushvalue(L, index);
    return pl_check_tensor(L, index);
  }
  if (!lua_istable(L, index) && lua_type(L, index) != LUA_TNUMBER && !lua_isboolean(L, index)) {
    luaL_argerror(L, index, lua_pushfstring(L, "Tensor or table of numbers expected, got %s", pl_type_name(L, index)));
  }
  builder b = {.L = L};
  return build(&b, index, NULL, 0, dtype);
}

/* Keys other than list positions must be dtype or shape. */
static void check_keys(lua_State *L, int index) {
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) continue;
    const char *name = lua_tostring(L, -1);
    if (strcmp(name, "dtype") == 0 || strcmp(name, "shape") == 0) continue;
    pl_error(L, "invalid_argument", "prune.tensor", "known: dtype, shape", "unknown option '%s'", name);
  }
}

/* prune.tensor{1, 2, 3, dtype =, shape =}, prune.tensor(5) */
int pl_tensor_new(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  if (!lua_istable(L, 1)) {
    pl_to_tensor(L, 1, 0);
    return 1;
  }
  check_keys(L, 1);
  prune_dtype dtype = 0;
  if (lua_getfield(L, 1, "dtype") != LUA_TNIL) {
    if (lua_type(L, -1) != LUA_TSTRING) {
      pl_error(L, "invalid_argument", "prune.tensor", NULL, "option 'dtype' must be a string, got %s",
               pl_type_name(L, -1));
    }
    dtype = pl_dtype(L, lua_tostring(L, -1), "prune.tensor");
  }
  const int64_t *shape = NULL;
  size_t rank = 0;
  if (lua_getfield(L, 1, "shape") != LUA_TNIL) shape = pl_integers(L, -1, 0, "prune.tensor: option 'shape'", &rank);
  builder b = {.L = L};
  build(&b, 1, shape, rank, dtype);
  return 1;
}
