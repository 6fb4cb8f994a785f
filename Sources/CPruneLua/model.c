/* Model: loading, looking, running, saving; prune.load and prune.zoo. */
#include "binding_options.h"
#include "tensors.h"

#include <string.h>

#define NEW_MODEL(L, call)                 \
  do {                                     \
    handle *object = pl_new(L, &pl_model); \
    prune_model *out = NULL;               \
    prune_status status = call;            \
    object->pointer = out;                 \
    pl_check(L, status);                   \
  } while (0)

/* prune.load(path, {copy =}) */
static int load(lua_State *L) {
  const char *path = pl_check_path(L, 1);
  pl_call call = {.L = L, .where = "prune.load"};
  prune_load_options options;
  pl_options(&call, 2, &pl_load_set, &options);
  prune_context *context = pl_get_context(L);
  NEW_MODEL(L, prune_model_load(context, path, &options, &out));
  return 1;
}

static int zoo(lua_State *L, const char *name) {
  pl_call call = {.L = L, .where = "prune.zoo"};
  prune_zoo_options options;
  pl_options(&call, 1, &pl_zoo_set, &options);
  prune_context *context = pl_get_context(L);
  NEW_MODEL(L, prune_zoo_create(context, name, &options, &out));
  return 1;
}

static int zoo_mlp(lua_State *L) { return zoo(L, "mlp"); }
static int zoo_lenet_300_100(lua_State *L) { return zoo(L, "lenet_300_100"); }
static int zoo_lenet5(lua_State *L) { return zoo(L, "lenet5"); }
static int zoo_vgg(lua_State *L) { return zoo(L, "vgg"); }
static int zoo_resnet(lua_State *L) { return zoo(L, "resnet"); }
static int zoo_mobilenet_v2(lua_State *L) { return zoo(L, "mobilenet_v2"); }
static int zoo_densenet121(lua_State *L) { return zoo(L, "densenet121"); }
static int zoo_vit(lua_State *L) { return zoo(L, "vit"); }
static int zoo_lstm(lua_State *L) { return zoo(L, "lstm"); }

static int model_save(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  pl_check(L, prune_model_save(model, pl_check_path(L, 2)));
  return 0;
}

static int model_clone(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  NEW_MODEL(L, prune_model_clone(model, &out));
  return 1;
}

static void push_info(lua_State *L, const prune_value_info *info) {
  lua_createtable(L, 0, 3);
  lua_pushstring(L, info->name);
  lua_setfield(L, -2, "name");
  const char *dtype = pl_dtype_name((prune_dtype)info->dtype);
  lua_pushstring(L, dtype ? dtype : "unknown");
  lua_setfield(L, -2, "dtype");
  pl_push_shape(L, info->shape, info->symbols, info->rank);
  lua_setfield(L, -2, "shape");
}

static int model_inputs(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  size_t count = prune_model_input_count(model);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    prune_value_info info = {.struct_size = sizeof info};
    pl_check(L, prune_model_input(model, i, &info));
    push_info(L, &info);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int model_outputs(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  size_t count = prune_model_output_count(model);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    prune_value_info info = {.struct_size = sizeof info};
    pl_check(L, prune_model_output(model, i, &info));
    push_info(L, &info);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int model_name(lua_State *L) {
  lua_pushstring(L, prune_model_name(pl_check_model(L, 1)));
  return 1;
}

/* m:parameters(): names. */
static int model_parameters(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  size_t count = prune_model_parameter_count(model);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_pushstring(L, prune_model_parameter_name(model, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static prune_tensor *push_parameter(lua_State *L, prune_model *model, const char *name) {
  handle *object = pl_new(L, &pl_tensor);
  prune_tensor *tensor = NULL;
  prune_status status = prune_model_parameter(model, name, &tensor);
  object->pointer = tensor;
  pl_check(L, status);
  return tensor;
}

/* m:parameter(name) -> Tensor; m:parameter(name, tensor) replaces it. */
static int model_parameter(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  const char *name = luaL_checkstring(L, 2);
  if (lua_isnoneornil(L, 3)) {
    push_parameter(L, model, name);
    return 1;
  }
  prune_dtype dtype = 0; /* a table takes the parameter's dtype */
  if (!pl_test(L, 3, &pl_tensor)) dtype = prune_tensor_dtype(push_parameter(L, model, name));
  prune_tensor *tensor = pl_to_tensor(L, 3, dtype);
  pl_check(L, prune_model_set_parameter(model, name, tensor));
  return 0;
}

/* m:run{name = tensor} -> {name = tensor} */
static int model_run(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  prune_tensors *inputs = pl_tensors_from_table(L, 2, "Model:run");
  handle *object = pl_new(L, &pl_tensors);
  prune_tensors *outputs = NULL;
  prune_status status = prune_model_run(model, inputs, &outputs);
  object->pointer = outputs;
  pl_check(L, status);
  pl_push_tensors(L, lua_gettop(L));
  return 1;
}

/* The dtype of the only input, so that a table of integers can feed a float network. */
static prune_dtype input_dtype(lua_State *L, prune_model *model) {
  prune_value_info info = {.struct_size = sizeof info};
  if (prune_model_input_count(model) != 1) return 0;
  pl_check(L, prune_model_input(model, 0, &info));
  return (prune_dtype)info.dtype;
}

/* The first output for named inputs {name = tensor}. */
static int predict_named(lua_State *L, prune_model *model) {
  prune_value_info info = {.struct_size = sizeof info};
  pl_check(L, prune_model_output(model, 0, &info));
  lua_getfield(L, 1, "run");
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  lua_getfield(L, -1, info.name);
  return 1;
}

/* m:predict(x): a Tensor, nested tables or {input = tensor}, run as they are, or a Dataset, run in batches. */
static int model_predict(lua_State *L) {
  prune_model *model = pl_check_model(L, 1);
  handle *data = pl_test(L, 2, &pl_dataset);
  if (data) {
    lua_Integer size = luaL_optinteger(L, 3, 0);
    luaL_argcheck(L, size >= 0 && size <= UINT32_MAX, 3, "a batch size is 1 or more");
    handle *object = pl_new(L, &pl_tensor);
    prune_tensor *y = NULL;
    prune_status status = prune_model_predict_dataset(model, data->pointer, (uint32_t)size, &y);
    object->pointer = y;
    pl_check(L, status);
    return 1;
  }
  lua_settop(L, 2);
  if (pl_has_names(L, 2)) return predict_named(L, model);
  prune_tensor *x = pl_to_tensor(L, 2, pl_test(L, 2, &pl_tensor) ? 0 : input_dtype(L, model));
  handle *object = pl_new(L, &pl_tensor);
  prune_tensor *y = NULL;
  prune_status status = prune_model_predict(model, x, &y);
  object->pointer = y;
  pl_check(L, status);
  return 1;
}

static void add_info(lua_State *L, luaL_Buffer *text, const prune_value_info *info) {
  const char *dtype = pl_dtype_name((prune_dtype)info->dtype);
  luaL_addstring(text, info->name ? info->name : "?");
  luaL_addchar(text, ' ');
  luaL_addstring(text, dtype ? dtype : "unknown");
  luaL_addstring(text, " [");
  for (size_t i = 0; i < info->rank; i++) {
    if (i) luaL_addchar(text, ',');
    if (info->shape[i] >= 0) {
      lua_pushfstring(L, "%I", (LUAI_UACINT)info->shape[i]);
      luaL_addvalue(text);
    } else {
      luaL_addstring(text, info->symbols && info->symbols[i] ? info->symbols[i] : "?");
    }
  }
  luaL_addchar(text, ']');
}

/* "Model 'lenet5': x float32 [N,1,28,28] -> logits float32 [N,10], 8 parameters" */
static int model_tostring(lua_State *L) {
  handle *object = luaL_checkudata(L, 1, pl_model.name);
  prune_model *model = object->pointer;
  if (!model) {
    lua_pushliteral(L, "Model (closed)");
    return 1;
  }
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  const char *name = prune_model_name(model);
  lua_pushfstring(L, "Model '%s': ", name ? name : "");
  luaL_addvalue(&text);
  for (size_t i = 0; i < prune_model_input_count(model); i++) {
    prune_value_info info = {.struct_size = sizeof info};
    if (i) luaL_addstring(&text, ", ");
    if (prune_model_input(model, i, &info) == PRUNE_OK) add_info(L, &text, &info);
  }
  luaL_addstring(&text, " -> ");
  for (size_t i = 0; i < prune_model_output_count(model); i++) {
    prune_value_info info = {.struct_size = sizeof info};
    if (i) luaL_addstring(&text, ", ");
    if (prune_model_output(model, i, &info) == PRUNE_OK) add_info(L, &text, &info);
  }
  lua_pushfstring(L, ", %I parameter tensors", (LUAI_UACINT)prune_model_parameter_count(model));
  luaL_addvalue(&text);
  luaL_pushresult(&text);
  return 1;
}

/* #m: the number of layers. */
static int model_len(lua_State *L) {
  lua_getfield(L, 1, "layers");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
  return 1;
}

void pl_open_model(lua_State *L, int api) {
  static const luaL_Reg methods[] = {{"save", model_save},
                                     {"clone", model_clone},
                                     {"parameters", model_parameters},
                                     {"parameter", model_parameter},
                                     {"run", model_run},
                                     {"predict", model_predict},
                                     {"load_weights", pl_model_load_weights},
                                     {"save_weights", pl_model_save_weights},
                                     {NULL, NULL}};
  static const luaL_Reg fields[] = {
      {"name", model_name}, {"inputs", model_inputs}, {"outputs", model_outputs}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__tostring", model_tostring}, {"__len", model_len}, {NULL, NULL}};
  static const luaL_Reg nets[] = {{"mlp", zoo_mlp},
                                  {"lenet_300_100", zoo_lenet_300_100},
                                  {"lenet5", zoo_lenet5},
                                  {"vgg", zoo_vgg},
                                  {"resnet", zoo_resnet},
                                  {"mobilenet_v2", zoo_mobilenet_v2},
                                  {"densenet121", zoo_densenet121},
                                  {"vit", zoo_vit},
                                  {"lstm", zoo_lstm},
                                  {NULL, NULL}};
  pl_class(L, &pl_model, methods, fields, metamethods);
  luaL_getmetatable(L, pl_model.name);
  lua_getfield(L, -1, "methods");
  luaL_setfuncs(L, pl_model_work, 0);
  lua_pop(L, 2);
  lua_pushcfunction(L, load);
  lua_setfield(L, api, "load");
  luaL_newlib(L, nets);
  lua_setfield(L, api, "zoo");
}
