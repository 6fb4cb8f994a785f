/* Named-argument tables to C structs: every key and every value is checked against one declared list. */
#include "binding.h"

#include <math.h>
#include <string.h>

/* What is being read, for messages: option `name` of `where`. */
typedef struct place {
  pl_call *call;
  const char *where, *name;
} place;

static _Noreturn void wrong_type(const place *at, int value, const char *expected) {
  lua_State *L = at->call->L;
  pl_error(L, "invalid_argument", at->where, NULL, "option '%s' must be %s, got %s", at->name, expected,
           pl_type_name(L, value));
}

void *pl_scratch(lua_State *L, size_t size) {
  luaL_checkstack(L, 4, NULL);
  void *memory = lua_newuserdatauv(L, size ? size : 1, 0);
  memset(memory, 0, size ? size : 1);
  return memory;
}

void pl_want_table(lua_State *L, int index, const char *where, bool optional) {
  if (lua_istable(L, index) || (optional && lua_isnoneornil(L, index))) return;
  pl_error(L, "invalid_argument", where, "options are named, as in f{name = value}",
           "expected a table of options, got %s", pl_type_name(L, index));
}

int64_t *pl_integers(lua_State *L, int index, int64_t least, const char *what, size_t *out_count) {
  index = lua_absindex(L, index);
  if (!lua_istable(L, index)) {
    pl_error(L, "invalid_argument", what, NULL, "expected a list of integers, got %s", pl_type_name(L, index));
  }
  size_t count = (size_t)lua_rawlen(L, index);
  int64_t *list = pl_scratch(L, count * sizeof *list);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    int is_integer = 0;
    lua_Integer value = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &is_integer) : 0;
    if (!is_integer) {
      pl_error(L, "invalid_argument", what, NULL, "element %zu must be an integer, got %s", i + 1,
               lua_type(L, -1) == LUA_TNUMBER ? "a fraction" : pl_type_name(L, -1));
    }
    if (value < least) {
      pl_error(L, "invalid_argument", what, NULL, "element %zu must be at least %lld, got %lld", i + 1,
               (long long)least, (long long)value);
    }
    list[i] = value;
    lua_pop(L, 1);
  }
  *out_count = count;
  return list;
}

const prune_shape *pl_shapes(lua_State *L, int index, const char *where, size_t *out_count) {
  static const char example[] = "write {height = 640, input = {1, 3, 640, 640}}";
  index = lua_absindex(L, index);
  if (!lua_istable(L, index)) {
    pl_error(L, "invalid_argument", where, example, "shapes are a table by name, got %s", pl_type_name(L, index));
  }
  size_t count = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) count++;
  prune_shape *shapes = pl_scratch(L, count * sizeof *shapes);
  size_t entry = 0;
  lua_pushnil(L);
  while (lua_next(L, index) && entry < count) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      pl_error(L, "invalid_argument", where, example, "extents go by name, got a %s as key", luaL_typename(L, -2));
    }
    const char *name = lua_tostring(L, -2); /* the user's table keeps it */
    if (!lua_istable(L, -1)) {
      lua_createtable(L, 1, 0);
      lua_insert(L, -2);
      lua_rawseti(L, -2, 1);
    }
    const char *what = lua_pushfstring(L, "%s: shapes.%s", where, name);
    size_t rank = 0;
    const int64_t *extents = pl_integers(L, -2, 1, what, &rank);
    shapes[entry++] = (prune_shape){name, extents, rank};
    /* The extents stay below the key; the key is pushed on top for the next round. */
    lua_replace(L, -3);
    lua_pop(L, 1);
    lua_insert(L, -2);
  }
  *out_count = count;
  return shapes;
}

static double number_at(const place *at, int value, const char *expected) {
  lua_State *L = at->call->L;
  if (lua_type(L, value) != LUA_TNUMBER) wrong_type(at, value, expected);
  return lua_tonumber(L, value);
}

static _Noreturn void out_of_range(const place *at, int value, const char *expected) {
  lua_State *L = at->call->L;
  pl_error(L, "invalid_argument", at->where, NULL, "option '%s' must be %s, got %s", at->name, expected,
           luaL_tolstring(L, value, NULL));
}

static lua_Integer integer_at(const place *at, int value, lua_Integer least, lua_Integer most, const char *expected) {
  lua_State *L = at->call->L;
  number_at(at, value, expected);
  int is_integer = 0;
  lua_Integer number = lua_tointegerx(L, value, &is_integer);
  if (!is_integer || number < least || number > most) out_of_range(at, value, expected);
  return number;
}

/* A string that C reads whole. */
static const char *text_at(const place *at, int value, const char *expected) {
  lua_State *L = at->call->L;
  if (lua_type(L, value) != LUA_TSTRING) wrong_type(at, value, expected);
  const char *text = lua_tostring(L, value);
  if (strlen(text) != lua_rawlen(L, value)) {
    pl_error(L, "invalid_argument", at->where, NULL, "option '%s' is '%s…', which has a zero byte behind it", at->name,
             text);
  }
  return text;
}

static const char *const *texts_at(const place *at, int value, size_t *out_count) {
  lua_State *L = at->call->L;
  if (lua_type(L, value) == LUA_TSTRING) {
    const char **list = pl_scratch(L, sizeof *list);
    list[0] = text_at(at, value, "a string");
    *out_count = 1;
    return list;
  }
  if (!lua_istable(L, value)) wrong_type(at, value, "a list of strings");
  size_t count = (size_t)lua_rawlen(L, value);
  const char **list = pl_scratch(L, count * sizeof *list);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, value, (lua_Integer)i + 1);
    list[i] = text_at(at, -1, "a list of strings"); /* the list in the user's table keeps it */
    lua_pop(L, 1);
  }
  *out_count = count;
  return list;
}

static const double *numbers_at(const place *at, int value, size_t *out_count) {
  lua_State *L = at->call->L;
  if (lua_type(L, value) == LUA_TNUMBER) { /* one stands for a list of one */
    double *list = pl_scratch(L, sizeof *list);
    list[0] = lua_tonumber(L, value);
    *out_count = 1;
    return list;
  }
  if (!lua_istable(L, value)) wrong_type(at, value, "a list of numbers");
  size_t count = (size_t)lua_rawlen(L, value);
  double *list = pl_scratch(L, count * sizeof *list);
  for (size_t i = 0; i < count; i++) {
    if (lua_rawgeti(L, value, (lua_Integer)i + 1) != LUA_TNUMBER) wrong_type(at, -1, "a list of numbers");
    list[i] = lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  *out_count = count;
  return list;
}

/* What each table points to stays on the stack. */
static void *tables_at(const place *at, int value, const option_set *nested, size_t *out_count) {
  lua_State *L = at->call->L;
  if (!lua_istable(L, value)) wrong_type(at, value, "a list of tables");
  size_t count = (size_t)lua_rawlen(L, value);
  bool is_one = count == 0;
  if (is_one) {
    lua_pushnil(L);
    if (!lua_next(L, value)) return *out_count = 0, NULL;
    lua_pop(L, 2);
    count = 1;
  }
  if (count > 1024) out_of_range(at, value, "a list of at most 1024 tables");
  char *list = pl_scratch(L, count * nested->size);
  for (size_t i = 0; i < count; i++) {
    luaL_checkstack(L, 8, "too many options");
    if (is_one) {
      lua_pushvalue(L, value);
    } else if (lua_rawgeti(L, value, (lua_Integer)i + 1) != LUA_TTABLE) {
      wrong_type(at, -1, "a list of tables");
    }
    pl_options(at->call, -1, nested, list + i * nested->size);
  }
  *out_count = count;
  return list;
}

static bool flag_at(const place *at, int value) {
  lua_State *L = at->call->L;
  if (!lua_isboolean(L, value)) wrong_type(at, value, "true or false");
  return lua_toboolean(L, value);
}

static prune_model *model_at(const place *at, int value) {
  handle *model = pl_test(at->call->L, value, &pl_model);
  if (!model) wrong_type(at, value, "a Model");
  if (!model->pointer || model->busy) out_of_range(at, value, "an open Model that nothing is changing");
  pl_hold(at->call, model);
  return model->pointer;
}

static void read_value(const place *at, int value, const option *option, char *out) {
  pl_call *call = at->call;
  lua_State *L = call->L;
  void *field = out + option->offset;
  double number;
  switch (option->kind) {
  case OPTION_COUNT:
    *(uint32_t *)field = (uint32_t)integer_at(at, value, option->least, UINT32_MAX,
                                              option->least ? "an integer of 1 or more" : "an integer of 0 or more");
    return;
  case OPTION_SEED:
    *(uint64_t *)field = (uint64_t)integer_at(at, value, 0, LUA_MAXINTEGER, "an integer of 0 or more");
    return;
  case OPTION_NUMBER:
    number = number_at(at, value, "a number");
    if (!isfinite(number)) out_of_range(at, value, "a finite number");
    *(double *)field = number;
    return;
  case OPTION_POSITIVE:
    number = number_at(at, value, "a number above 0");
    if (!(number > 0 && isfinite(number))) out_of_range(at, value, "a number above 0");
    *(double *)field = number;
    return;
  case OPTION_NONNEGATIVE:
    number = number_at(at, value, "a number of 0 or more");
    if (!(number >= 0 && isfinite(number))) out_of_range(at, value, "0 or more");
    *(double *)field = number;
    return;
  case OPTION_FRACTION:
    number = number_at(at, value, "a number in 0...1");
    if (!(number >= 0 && number <= 1)) out_of_range(at, value, "in 0...1");
    *(double *)field = number;
    return;
  case OPTION_FLAG: *(uint32_t *)field = flag_at(at, value); return;
  case OPTION_TEXT: *(const char **)field = text_at(at, value, "a string"); return;
  case OPTION_TEXTS:
    *(const char *const **)field = texts_at(at, value, (size_t *)(void *)(out + option->extra));
    return;
  case OPTION_EXTENTS: {
    const char *what = lua_pushfstring(L, "%s: option '%s'", at->where, at->name);
    *(const int64_t **)field = pl_integers(L, value, 1, what, (size_t *)(void *)(out + option->extra));
    return;
  }
  case OPTION_SHAPES:
    *(const prune_shape **)field = pl_shapes(L, value, at->where, (size_t *)(void *)(out + option->extra));
    return;
  case OPTION_NUMBERS: *(const double **)field = numbers_at(at, value, (size_t *)(void *)(out + option->extra)); return;
  case OPTION_TABLES:
    *(void **)field = tables_at(at, value, option->nested, (size_t *)(void *)(out + option->extra));
    return;
  case OPTION_DATASET: {
    handle *dataset = pl_test(L, value, &pl_dataset);
    if (!dataset) wrong_type(at, value, "a Dataset");
    if (!dataset->pointer) out_of_range(at, value, "an open Dataset");
    pl_hold(call, dataset);
    *(const prune_dataset **)field = dataset->pointer;
    return;
  }
  case OPTION_MODEL: *(const prune_model **)field = model_at(at, value); return;
  case OPTION_TABLE: {
    if (!lua_istable(L, value)) wrong_type(at, value, "a table");
    void *nested = pl_scratch(L, option->nested->size);
    pl_options(call, value, option->nested, nested);
    *(void **)field = nested;
    return;
  }
  case OPTION_FUNCTION:
    if (!lua_isfunction(L, value)) wrong_type(at, value, "a function");
    *(int *)field = value;
    return;
  case OPTION_VALUE: *(int *)field = value; return;
  }
}

static const option *find_option(const option_set *set, const char *name) {
  for (size_t i = 0; i < set->count; i++) {
    if (strcmp(set->options[i].name, name) == 0) return &set->options[i];
  }
  return NULL;
}

/* What the field calls otherwise; the first that the function has counts. */
static const char *synonym(const option_set *set, const char *name) {
  static const char *const pairs[][2] = {
      {"flops", "macs"},           {"parameters", "params"}, {"size", "bytes"},        {"time", "latency"},
      {"sparsity", "amount"},      {"ratio", "amount"},      {"rate", "lr"},           {"learning_rate", "lr"},
      {"dataset", "data"},         {"finetune", "recover"},  {"fine_tune", "recover"}, {"method", "criterion"},
      {"importance", "criterion"}, {"layers", "scope"},      {"exclude", "ignore"},    {"tolerance", "max_drop"},
      {"nbits", "bits"},           {"wd", "weight_decay"},   {"batch", "batch_size"},  {"distill", "teacher"}};
  for (size_t i = 0; i < OPTION_COUNT_OF(pairs); i++) {
    if (strcmp(pairs[i][0], name) == 0 && find_option(set, pairs[i][1])) return pairs[i][1];
  }
  return NULL;
}

static _Noreturn void unknown_option(lua_State *L, const option_set *set, const char *name) {
  const char *nearest = synonym(set, name);
  size_t best = nearest ? 0 : SIZE_MAX;
  for (size_t i = 0; i < set->count && best; i++) {
    if (pl_similar(name, set->options[i].name, &best)) nearest = set->options[i].name;
  }
  if (nearest)
    pl_error(L, "invalid_argument", set->name, NULL, "unknown option '%s', did you mean '%s'?", name, nearest);
  luaL_Buffer hint;
  luaL_buffinit(L, &hint);
  luaL_addstring(&hint, "known: ");
  for (size_t i = 0; i < set->count; i++) {
    if (i) luaL_addstring(&hint, ", ");
    luaL_addstring(&hint, set->options[i].name);
  }
  luaL_pushresult(&hint);
  pl_error(L, "invalid_argument", set->name, lua_tostring(L, -1), "unknown option '%s'", name);
}

/* Every field as it is when nobody gives it. */
static void set_defaults(const option_set *set, char *out) {
  memset(out, 0, set->size);
  if (set->initial) memcpy(out, set->initial, set->struct_size);
  for (size_t i = 0; i < set->count; i++) {
    const option *option = &set->options[i];
    if (option->offset < set->struct_size) continue;
    switch (option->kind) {
    case OPTION_NUMBER:
    case OPTION_POSITIVE:
    case OPTION_NONNEGATIVE:
    case OPTION_FRACTION: *(double *)(void *)(out + option->offset) = PRUNE_NOT_GIVEN; break;
    default: break;
    }
  }
}

/* Reads in the order of the declaration, so that errors do not depend on hash order. */
static void read_known(pl_call *call, int index, const option_set *set, void *out) {
  lua_State *L = call->L;
  for (size_t i = 0; i < set->count; i++) {
    const option *option = &set->options[i];
    luaL_checkstack(L, 8, "too many options");
    if (lua_isnil(L, index)) {
      lua_pushnil(L);
    } else {
      lua_getfield(L, index, option->name);
    }
    if (lua_isnil(L, -1)) {
      if (option->required) pl_error(L, "invalid_argument", set->name, NULL, "option '%s' is required", option->name);
      lua_pop(L, 1);
      continue;
    }
    read_value(&(place){call, set->name, option->name}, lua_gettop(L), option, out); /* the value stays: an anchor */
  }
}

void pl_options(pl_call *call, int index, const option_set *set, void *out) {
  lua_State *L = call->L;
  luaL_checkstack(L, 8, NULL);
  if (lua_isnone(L, index)) {
    lua_pushnil(L);
    index = -1;
  }
  index = lua_absindex(L, index);
  pl_want_table(L, index, set->name, true);
  set_defaults(set, out);
  if (!lua_isnil(L, index)) {
    lua_pushnil(L);
    while (lua_next(L, index)) {
      lua_pop(L, 1);
      if (lua_type(L, -1) != LUA_TSTRING) {
        pl_error(L, "invalid_argument", set->name, "options are named, as in f{name = value}",
                 "unexpected value at [%s]", luaL_tolstring(L, -1, NULL));
      }
      if (!find_option(set, lua_tostring(L, -1))) unknown_option(L, set, lua_tostring(L, -1));
    }
  }
  read_known(call, index, set, out);
}

void pl_push_option_sets(lua_State *L) {
  size_t count = 0;
  const option_set *const *sets = pl_option_sets(&count);
  lua_createtable(L, 0, (int)count);
  for (size_t i = 0; i < count; i++) {
    lua_newtable(L);
    for (size_t j = 0; j < sets[i]->count; j++) {
      lua_pushboolean(L, sets[i]->options[j].required);
      lua_setfield(L, -2, sets[i]->options[j].name);
    }
    lua_setfield(L, -2, sets[i]->name);
  }
}
