/* Criteria of the user's own: tensors of scores, or a Lua function called for each weight. */
#include "binding_options.h"
#include "tensors.h"

#include <string.h>

typedef struct scoring {
  const char *name;
  const prune_tensor *weight;
  float *scores;
} scoring;

/* Under lua_pcall, with the scoring and the function: calls it and copies what it returns. */
static int score(lua_State *L) {
  const scoring *request = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lua_pushstring(L, request->name);
  pl_push_borrowed_tensor(L, request->weight);
  lua_call(L, 2, 1);
  if (!pl_test(L, -1, &pl_tensor) && !lua_istable(L, -1)) {
    pl_error(L, "invalid_argument", request->name, "return a tensor of the weight's shape",
             "the criterion must return a Tensor, got %s", pl_type_name(L, -1));
  }
  const prune_tensor *scores = pl_to_tensor(L, lua_gettop(L), pl_test(L, -1, &pl_tensor) ? 0 : PRUNE_FLOAT32);
  size_t count = prune_tensor_count(request->weight);
  if (prune_tensor_dtype(scores) != PRUNE_FLOAT32 || prune_tensor_count(scores) != count) {
    const char *dtype = pl_dtype_name(prune_tensor_dtype(scores));
    pl_error(L, "mismatch", request->name, "one score for each weight",
             "the scores are %zu numbers of %s, wanted %zu of float32", prune_tensor_count(scores),
             dtype ? dtype : "another type", count);
  }
  memcpy(request->scores, prune_tensor_data(scores), count * sizeof(float));
  return 0;
}

static int call_score(const char *name, const prune_tensor *weight, float *scores, void *user) {
  pl_call *call = user;
  lua_State *L = call->L;
  if (call->failed || !lua_checkstack(L, LUA_MINSTACK)) return 1;
  scoring request = {name, weight, scores};
  lua_pushcfunction(L, score);
  lua_pushlightuserdata(L, &request);
  lua_pushvalue(L, call->on_score);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    lua_replace(L, call->error);
    call->failed = true;
    return 1;
  }
  return 0;
}

bool pl_read_criterion(pl_call *call, int value, const criterion_fields *fields) {
  lua_State *L = call->L;
  if (!value) return false;
  switch (lua_type(L, value)) {
  case LUA_TSTRING: *fields->name = lua_tostring(L, value); return false;
  case LUA_TTABLE: *fields->scores = pl_tensors_from_table(L, value, call->where); return false;
  case LUA_TFUNCTION:
    call->on_score = value;
    *fields->callback = call_score;
    return true;
  default:
    pl_error(L, "invalid_argument", call->where, NULL,
             "option 'criterion' must be a name, a function or {weight = tensor}, got %s", pl_type_name(L, value));
  }
}
