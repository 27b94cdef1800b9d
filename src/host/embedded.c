#include "host/embedded.h"

#include <string.h>

/* ---- the text ---- */

static const char *next_piece(lua_State *L, void *data, size_t *size)
{
  const char *const **text = data;
  const char *piece = **text;
  (void)L;
  *size = piece ? strlen(piece) : 0;
  if (piece) ++*text;
  return piece;
}

static int compile(lua_State *L, const struct dqh_module *module)
{
  const char *const *text = module->text;
#if LUA_VERSION_NUM >= 502
  return lua_load(L, next_piece, &text, module->chunk, "t");
#else
  return lua_load(L, next_piece, &text, module->chunk);
#endif
}

int dqh_load(lua_State *L, const struct dqh_module *modules)
{
  const struct dqh_module *module =
      &modules[lua_tointeger(L, lua_upvalueindex(1))];
  if (compile(L, module)) return lua_error(L);
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

/* ---- package.preload ---- */

#if LUA_VERSION_NUM >= 502

static void push_preload(lua_State *L)
{
  luaL_checkversion(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "_PRELOAD");
}

#else

/* The field of the table on the top in its place. */
static void get_field(lua_State *L, const char *name)
{
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, name);
  } else {
    lua_pushnil(L);
  }
  lua_remove(L, -2);
}

/* Not by way of the global, which a host may have hidden. */
static void push_preload(lua_State *L)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  get_field(L, "package");
  get_field(L, "preload");
  if (!lua_istable(L, -1)) {
    luaL_error(L,
               "luadqlite: the library 'package' is not open in this state");
  }
}

#endif

void dqh_preload(lua_State *L, const struct dqh_module *modules,
                 lua_CFunction load, const char *name, lua_CFunction open)
{
  dql_checkstack(L, LUA_MINSTACK);
  push_preload(L);
  for (int i = 0; modules[i].name; i++) {
    lua_pushinteger(L, i);
    lua_pushcclosure(L, load, 1);
    lua_setfield(L, -2, modules[i].name);
  }
  lua_pushcfunction(L, open);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}
