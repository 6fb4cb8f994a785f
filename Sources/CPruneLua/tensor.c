/* Tensor: t.shape, t.dtype, #t, t[i][j], t:at(i, j), t:totable(), and prune.npz. */
#include "binding.h"

#include <math.h>
#include <string.h>

void pl_push_shape(lua_State *L, const int64_t *shape, const char *const *symbols, size_t rank) {
  lua_createtable(L, (int)rank, 0);
  for (size_t i = 0; i < rank; i++) {
    if (shape[i] >= 0) {
      lua_pushinteger(L, shape[i]);
    } else {
      lua_pushstring(L, symbols && symbols[i] ? symbols[i] : "?");
    }
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

void pl_push_borrowed_tensor(lua_State *L, const prune_tensor *tensor) {
  handle *carrier = pl_new(L, &pl_tensors);
  prune_tensors *tensors = NULL;
  pl_check(L, prune_tensors_create(&tensors));
  carrier->pointer = tensors;
  pl_check(L, prune_tensors_set(tensors, "t", tensor));
  handle *object = pl_new(L, &pl_tensor);
  prune_tensor *copy = NULL;
  prune_status status = prune_tensors_get(tensors, "t", &copy);
  object->pointer = copy;
  pl_check(L, status);
  pl_release(carrier, &pl_tensors);
  lua_remove(L, -2);
}

static const void *readable_data(lua_State *L, const prune_tensor *tensor) {
  const void *data = prune_tensor_data(tensor);
  if (!data || !pl_dtype_size(prune_tensor_dtype(tensor))) {
    if (prune_tensor_count(tensor) == 0) return "";
    const char *name = pl_dtype_name(prune_tensor_dtype(tensor));
    pl_error(L, "unsupported", "Tensor", NULL, "elements of dtype %s cannot be read from Lua", name ? name : "unknown");
  }
  return data;
}

static int tensor_shape(lua_State *L) {
  const prune_tensor *tensor = pl_check_tensor(L, 1);
  pl_push_shape(L, prune_tensor_shape(tensor), NULL, prune_tensor_rank(tensor));
  return 1;
}

static int tensor_dtype(lua_State *L) {
  const char *name = pl_dtype_name(prune_tensor_dtype(pl_check_tensor(L, 1)));
  lua_pushstring(L, name ? name : "unknown");
  return 1;
}

static int tensor_rank(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)prune_tensor_rank(pl_check_tensor(L, 1)));
  return 1;
}

static int tensor_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)prune_tensor_count(pl_check_tensor(L, 1)));
  return 1;
}

/* #t: the first extent; 0 for a scalar. */
static int tensor_len(lua_State *L) {
  const prune_tensor *tensor = pl_check_tensor(L, 1);
  lua_pushinteger(L, prune_tensor_rank(tensor) ? prune_tensor_shape(tensor)[0] : 0);
  return 1;
}

/* t[i]: a number of a vector, else a tensor of the rest; nil past the end, so that ipairs works. */
static int tensor_index(lua_State *L) {
  const prune_tensor *tensor = pl_check_tensor(L, 1);
  int is_integer = 0;
  lua_Integer i = lua_type(L, 2) == LUA_TNUMBER ? lua_tointegerx(L, 2, &is_integer) : 0;
  if (!is_integer) {
    pl_error(L, "invalid_argument", "Tensor", "t[i][j] or t:at(i, j)", "a position must be an integer, got %s",
             luaL_tolstring(L, 2, NULL));
  }
  size_t rank = prune_tensor_rank(tensor);
  const int64_t *shape = prune_tensor_shape(tensor);
  if (rank == 0 || i < 1 || i > shape[0]) return 0;
  prune_dtype dtype = prune_tensor_dtype(tensor);
  const char *data = readable_data(L, tensor);
  if (rank == 1) {
    pl_push_element(L, dtype, data, (size_t)i - 1);
    return 1;
  }
  size_t row_bytes = prune_tensor_byte_count(tensor) / (size_t)shape[0];
  handle *object = pl_new(L, &pl_tensor);
  prune_tensor *row = NULL;
  prune_status status = prune_tensor_create(dtype, rank - 1, shape + 1, data + row_bytes * (size_t)(i - 1), &row);
  object->pointer = row;
  pl_check(L, status);
  return 1;
}

/* t:at(i, j, …) */
static int tensor_at(lua_State *L) {
  const prune_tensor *tensor = pl_check_tensor(L, 1);
  size_t rank = prune_tensor_rank(tensor);
  const int64_t *shape = prune_tensor_shape(tensor);
  if ((size_t)(lua_gettop(L) - 1) != rank) {
    pl_error(L, "invalid_argument", "Tensor:at", NULL, "the tensor has %zu dimensions, got %d positions", rank,
             lua_gettop(L) - 1);
  }
  size_t offset = 0;
  for (size_t d = 0; d < rank; d++) {
    lua_Integer i = luaL_checkinteger(L, (int)d + 2);
    if (i < 1 || i > shape[d]) {
      pl_error(L, "invalid_argument", "Tensor:at", NULL, "position %lld of dimension %zu is outside 1...%lld",
               (long long)i, d + 1, (long long)shape[d]);
    }
    offset = offset * (size_t)shape[d] + (size_t)(i - 1);
  }
  pl_push_element(L, prune_tensor_dtype(tensor), readable_data(L, tensor), offset);
  return 1;
}

static void push_nested(lua_State *L, const prune_tensor *tensor, const void *data, size_t depth, size_t *next) {
  if (depth == prune_tensor_rank(tensor)) {
    pl_push_element(L, prune_tensor_dtype(tensor), data, (*next)++);
    return;
  }
  luaL_checkstack(L, 4, NULL);
  int64_t extent = prune_tensor_shape(tensor)[depth];
  lua_createtable(L, extent < INT32_MAX ? (int)extent : 0, 0);
  for (int64_t i = 1; i <= extent; i++) {
    push_nested(L, tensor, data, depth + 1, next);
    lua_rawseti(L, -2, i);
  }
}

/* t:totable(): nested tables, or the number of a scalar. */
static int tensor_totable(lua_State *L) {
  const prune_tensor *tensor = pl_check_tensor(L, 1);
  const void *data = readable_data(L, tensor);
  size_t next = 0;
  push_nested(L, tensor, data, 0, &next);
  return 1;
}

/* t:reshape{2, -1} */
static int tensor_reshape(lua_State *L) {
  const prune_tensor *tensor = pl_check_tensor(L, 1);
  size_t rank = 0;
  int64_t *shape = pl_integers(L, 2, -1, "Tensor:reshape", &rank);
  int64_t product = 1;
  ptrdiff_t open = -1;
  for (size_t i = 0; i < rank; i++) {
    if (shape[i] >= 0) {
      if (__builtin_mul_overflow(product, shape[i], &product)) product = INT64_MAX;
    } else if (open >= 0) {
      pl_error(L, "invalid_argument", "Tensor:reshape", NULL, "only one extent can be -1");
    } else {
      open = (ptrdiff_t)i;
    }
  }
  int64_t count = (int64_t)prune_tensor_count(tensor);
  if (open >= 0) {
    shape[open] = product > 0 ? count / product : 0;
    if (__builtin_mul_overflow(product, shape[open], &product)) product = INT64_MAX;
  }
  if (product != count) {
    pl_error(L, "mismatch", "Tensor:reshape", NULL, "%lld elements do not fill the given shape", (long long)count);
  }
  const void *data = readable_data(L, tensor);
  handle *object = pl_new(L, &pl_tensor);
  prune_tensor *result = NULL;
  prune_status status = prune_tensor_create(prune_tensor_dtype(tensor), rank, shape, count ? data : NULL, &result);
  object->pointer = result;
  pl_check(L, status);
  return 1;
}

/* a == b: same dtype, shape and elements. */
static int tensor_equal(lua_State *L) {
  handle *a = pl_test(L, 1, &pl_tensor), *b = pl_test(L, 2, &pl_tensor);
  bool equal = a && b && a->pointer && b->pointer && prune_tensor_dtype(a->pointer) == prune_tensor_dtype(b->pointer) &&
               prune_tensor_rank(a->pointer) == prune_tensor_rank(b->pointer) &&
               prune_tensor_byte_count(a->pointer) == prune_tensor_byte_count(b->pointer);
  size_t shape_bytes = equal ? prune_tensor_rank(a->pointer) * sizeof(int64_t) : 0;
  if (equal && shape_bytes) {
    equal = memcmp(prune_tensor_shape(a->pointer), prune_tensor_shape(b->pointer), shape_bytes) == 0;
  }
  if (equal && prune_tensor_byte_count(a->pointer)) {
    const void *x = readable_data(L, a->pointer), *y = readable_data(L, b->pointer);
    equal = memcmp(x, y, prune_tensor_byte_count(a->pointer)) == 0;
  }
  lua_pushboolean(L, equal);
  return 1;
}

/* Printing is in lua/tensor.lua. */
static int tensor_tostring(lua_State *L) {
  const handle *object = luaL_checkudata(L, 1, pl_tensor.name);
  if (!object->pointer) {
    lua_pushliteral(L, "Tensor (closed)");
    return 1;
  }
  pl_push_internals(L);
  lua_getfield(L, -1, "tensor_text");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

void pl_open_tensor(lua_State *L, int api) {
  static const luaL_Reg methods[] = {
      {"at", tensor_at}, {"totable", tensor_totable}, {"reshape", tensor_reshape}, {NULL, NULL}};
  static const luaL_Reg fields[] = {
      {"shape", tensor_shape}, {"dtype", tensor_dtype}, {"rank", tensor_rank}, {"count", tensor_count}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__len", tensor_len},
                                         {"__index", tensor_index},
                                         {"__eq", tensor_equal},
                                         {"__tostring", tensor_tostring},
                                         {NULL, NULL}};
  pl_class(L, &pl_tensor, methods, fields, metamethods);
  lua_pushcfunction(L, pl_tensor_new);
  lua_setfield(L, api, "tensor");
}
