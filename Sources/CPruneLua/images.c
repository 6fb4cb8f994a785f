/* Image folders: prune.data.images, and what a Dataset of images knows. */
#include "binding_options.h"

/* size = 224 or {height, width} */
int pl_data_images(lua_State *L) {
  pl_call call = {.L = L, .where = "prune.data.images"};
  images_options options;
  pl_options(&call, 1, &pl_images_set, &options);
  if (lua_type(L, options.size_value) == LUA_TNUMBER) {
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, options.size_value);
    lua_rawseti(L, -2, 1);
    lua_replace(L, options.size_value);
  }
  options.images.size =
      pl_integers(L, options.size_value, 1, "prune.data.images: option 'size'", &options.images.size_rank);
  prune_context *context = pl_get_context(L);
  NEW_DATASET(L, prune_dataset_images(context, &options.images, &out));
  return 1;
}

/* {"cat", "dog"}: names by class number + 1; {} where nobody said. */
int pl_dataset_class_names(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  lua_newtable(L);
  const char *name;
  for (size_t i = 0; (name = prune_dataset_class_name(dataset, i)); i++) {
    lua_pushstring(L, name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

int pl_dataset_broken(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  pl_result result = pl_expect(L, false);
  prune_status status = prune_dataset_broken(dataset, &result.report);
  return pl_deliver(L, &result, NULL, NULL, status);
}

int pl_dataset_layout(lua_State *L) {
  lua_pushstring(L, prune_dataset_layout(pl_check_dataset(L, 1)));
  return 1;
}

int pl_dataset_to_layout(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  const char *layout = luaL_checkstring(L, 2);
  NEW_DATASET(L, prune_dataset_to_layout(dataset, layout, &out));
  return 1;
}

int pl_dataset_set_layout(lua_State *L) {
  prune_dataset *dataset = pl_check_dataset(L, 1);
  const char *layout = luaL_checkstring(L, 2);
  NEW_DATASET(L, prune_dataset_set_layout(dataset, layout, &out));
  return 1;
}
