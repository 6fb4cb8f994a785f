/* Tensor elements to Lua values and back, by dtype. */
#include "binding.h"

#include <math.h>
#include <string.h>

typedef struct dtype_info {
  prune_dtype dtype;
  const char *name;
  size_t size;
} dtype_info;

static const dtype_info dtypes[] = {
    {PRUNE_FLOAT32, "float32", 4},       {PRUNE_FLOAT64, "float64", 8}, {PRUNE_INT64, "int64", 8},
    {PRUNE_INT32, "int32", 4},           {PRUNE_INT16, "int16", 2},     {PRUNE_INT8, "int8", 1},
    {PRUNE_UINT8, "uint8", 1},           {PRUNE_UINT16, "uint16", 2},   {PRUNE_UINT32, "uint32", 4},
    {PRUNE_UINT64, "uint64", 8},         {PRUNE_BOOL, "bool", 1},       {PRUNE_FLOAT16, "float16", 2},
    {PRUNE_BFLOAT16, "bfloat16", 2},     {PRUNE_STRING, "string", 0},   {PRUNE_COMPLEX64, "complex64", 0},
    {PRUNE_COMPLEX128, "complex128", 0},
};
enum { DTYPE_COUNT = sizeof dtypes / sizeof *dtypes };

static const dtype_info *info_of(prune_dtype dtype) {
  for (size_t i = 0; i < DTYPE_COUNT; i++) {
    if (dtypes[i].dtype == dtype) return &dtypes[i];
  }
  return NULL;
}

const char *pl_dtype_name(prune_dtype dtype) {
  const dtype_info *info = info_of(dtype);
  return info ? info->name : NULL;
}

size_t pl_dtype_size(prune_dtype dtype) {
  const dtype_info *info = info_of(dtype);
  return info ? info->size : 0;
}

prune_dtype pl_dtype(lua_State *L, const char *name, const char *where) {
  const char *nearest = NULL;
  size_t best = SIZE_MAX;
  for (size_t i = 0; i < DTYPE_COUNT; i++) {
    if (!dtypes[i].size) continue;
    if (strcmp(dtypes[i].name, name) == 0) return dtypes[i].dtype;
    if (pl_similar(name, dtypes[i].name, &best)) nearest = dtypes[i].name;
  }
  const char *hint = "known: float32 float64 float16 bfloat16 int64 int32 int16 int8 uint64 uint32 uint16 uint8 bool";
  if (nearest) pl_error(L, "invalid_argument", where, hint, "unknown dtype '%s', did you mean '%s'?", name, nearest);
  pl_error(L, "invalid_argument", where, hint, "unknown dtype '%s'", name);
}

static float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint32_t bits_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static float float_of_half(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent == 0) {
    float small = ldexpf((float)fraction, -24);
    return sign ? -small : small;
  }
  if (exponent == 31) return float_of_bits(sign | 0x7f800000 | fraction << 13);
  return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

/* Rounds to nearest, ties to even. */
static uint16_t half_of_float(float value) {
  uint32_t bits = bits_of_float(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
  if (magnitude < 0x38800000) return (uint16_t)(sign | (uint32_t)lrintf(ldexpf(fabsf(value), 24)));
  uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return (uint16_t)(sign | ((rounded >> 13) - (112 << 10)));
}

static uint16_t bfloat_of_float(float value) {
  uint32_t bits = bits_of_float(value);
  if (isnan(value)) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

void pl_push_element(lua_State *L, prune_dtype dtype, const void *data, size_t i) {
  switch (dtype) {
  case PRUNE_FLOAT32: lua_pushnumber(L, (double)((const float *)data)[i]); return;
  case PRUNE_FLOAT64: lua_pushnumber(L, ((const double *)data)[i]); return;
  case PRUNE_FLOAT16: lua_pushnumber(L, (double)float_of_half(((const uint16_t *)data)[i])); return;
  case PRUNE_BFLOAT16: lua_pushnumber(L, (double)float_of_bits((uint32_t)((const uint16_t *)data)[i] << 16)); return;
  case PRUNE_INT64: lua_pushinteger(L, ((const int64_t *)data)[i]); return;
  case PRUNE_INT32: lua_pushinteger(L, ((const int32_t *)data)[i]); return;
  case PRUNE_INT16: lua_pushinteger(L, ((const int16_t *)data)[i]); return;
  case PRUNE_INT8: lua_pushinteger(L, ((const int8_t *)data)[i]); return;
  case PRUNE_UINT64: lua_pushinteger(L, (lua_Integer)((const uint64_t *)data)[i]); return;
  case PRUNE_UINT32: lua_pushinteger(L, ((const uint32_t *)data)[i]); return;
  case PRUNE_UINT16: lua_pushinteger(L, ((const uint16_t *)data)[i]); return;
  case PRUNE_UINT8: lua_pushinteger(L, ((const uint8_t *)data)[i]); return;
  case PRUNE_BOOL: lua_pushboolean(L, ((const uint8_t *)data)[i] != 0); return;
  default: lua_pushnil(L); return;
  }
}

static int64_t integer_element(lua_State *L, int value, prune_dtype dtype, int64_t least, int64_t most) {
  int is_integer = 0;
  int64_t number = lua_type(L, value) == LUA_TNUMBER ? lua_tointegerx(L, value, &is_integer) : 0;
  if (lua_isboolean(L, value)) {
    number = lua_toboolean(L, value);
  } else if (!is_integer || number < least || number > most) {
    pl_error(L, "invalid_argument", "prune.tensor", NULL, "%s does not fit dtype %s", luaL_tolstring(L, value, NULL),
             pl_dtype_name(dtype));
  }
  return number;
}

static double number_element(lua_State *L, int value, prune_dtype dtype) {
  if (lua_isboolean(L, value)) return lua_toboolean(L, value);
  if (lua_type(L, value) != LUA_TNUMBER) {
    pl_error(L, "invalid_argument", "prune.tensor", NULL, "elements must be numbers or booleans, got %s for dtype %s",
             pl_type_name(L, value), pl_dtype_name(dtype));
  }
  return lua_tonumber(L, value);
}

void pl_store_element(lua_State *L, int value, prune_dtype dtype, void *data, size_t i) {
  switch (dtype) {
  case PRUNE_FLOAT32: ((float *)data)[i] = (float)number_element(L, value, dtype); return;
  case PRUNE_FLOAT64: ((double *)data)[i] = number_element(L, value, dtype); return;
  case PRUNE_FLOAT16: ((uint16_t *)data)[i] = half_of_float((float)number_element(L, value, dtype)); return;
  case PRUNE_BFLOAT16: ((uint16_t *)data)[i] = bfloat_of_float((float)number_element(L, value, dtype)); return;
  case PRUNE_INT64: ((int64_t *)data)[i] = integer_element(L, value, dtype, INT64_MIN, INT64_MAX); return;
  case PRUNE_INT32: ((int32_t *)data)[i] = (int32_t)integer_element(L, value, dtype, INT32_MIN, INT32_MAX); return;
  case PRUNE_INT16: ((int16_t *)data)[i] = (int16_t)integer_element(L, value, dtype, INT16_MIN, INT16_MAX); return;
  case PRUNE_INT8: ((int8_t *)data)[i] = (int8_t)integer_element(L, value, dtype, INT8_MIN, INT8_MAX); return;
  case PRUNE_UINT64: ((uint64_t *)data)[i] = (uint64_t)integer_element(L, value, dtype, 0, INT64_MAX); return;
  case PRUNE_UINT32: ((uint32_t *)data)[i] = (uint32_t)integer_element(L, value, dtype, 0, UINT32_MAX); return;
  case PRUNE_UINT16: ((uint16_t *)data)[i] = (uint16_t)integer_element(L, value, dtype, 0, UINT16_MAX); return;
  case PRUNE_UINT8: ((uint8_t *)data)[i] = (uint8_t)integer_element(L, value, dtype, 0, UINT8_MAX); return;
  case PRUNE_BOOL: ((uint8_t *)data)[i] = (uint8_t)integer_element(L, value, dtype, 0, 1); return;
  default: pl_error(L, "unsupported", "prune.tensor", NULL, "no tensors of this dtype can be made here");
  }
}
