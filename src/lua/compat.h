/* One source for Lua 5.1, LuaJIT, 5.2, 5.3 and 5.4: what the newer headers
 * have and the older ones lack. A module built for 5.1 loads in LuaJIT too. */
#ifndef DQL_COMPAT_H
#define DQL_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#if defined(__GNUC__)
#define DQL_EXPORT __attribute__((visibility("default")))
#else
#define DQL_EXPORT
#endif

/* Where integers and floats are two things. */
#if LUA_VERSION_NUM >= 503
#define DQL_INTEGERS 1
#else
#define DQL_INTEGERS 0
#endif

#if LUA_VERSION_NUM < 502
#define lua_rawlen lua_objlen
#define dql_setfuncs(L, functions) luaL_register(L, NULL, functions)
#define dql_setclosures(L, functions, n) luaL_openlib(L, NULL, functions, n)

static inline void lua_rawgetp(lua_State *L, int index, const void *key)
{
  lua_pushlightuserdata(L, (void *)(size_t)key);
  lua_rawget(L, index);
}

static inline void lua_rawsetp(lua_State *L, int index, const void *key)
{
  lua_pushlightuserdata(L, (void *)(size_t)key);
  lua_insert(L, -2);
  lua_rawset(L, index);
}

#else
#define dql_setfuncs(L, functions) luaL_setfuncs(L, functions, 0)
#define dql_setclosures(L, functions, n) luaL_setfuncs(L, functions, n)
#endif

#if LUA_VERSION_NUM >= 504
#define dql_newuserdata(L, size, values) lua_newuserdatauv(L, size, values)
#else
#define dql_newuserdata(L, size, values) lua_newuserdata(L, size)
#endif

/* The table that belongs to a userdata. Before one is set there is another value, or in
 * 5.1 some other table. */
static inline void dql_getuservalue(lua_State *L, int index)
{
#if LUA_VERSION_NUM >= 504
  lua_getiuservalue(L, index, 1);
#elif LUA_VERSION_NUM >= 502
  lua_getuservalue(L, index);
#else
  lua_getfenv(L, index);
#endif
}

static inline void dql_setuservalue(lua_State *L, int index)
{
#if LUA_VERSION_NUM >= 504
  lua_setiuservalue(L, index, 1);
#elif LUA_VERSION_NUM >= 502
  lua_setuservalue(L, index);
#else
  lua_setfenv(L, index);
#endif
}

/* luaL_checkstack calls a lack of memory a stack overflow. */
static inline void dql_checkstack(lua_State *L, int slots)
{
  if (!lua_checkstack(L, slots)) luaL_error(L, "not enough memory");
}

/* The userdata at index when it is of this class, else NULL. A class is known by
 * the address of its name: luaL_testudata would make a string of that first. */
static inline void *dql_testclass(lua_State *L, int index, const char *name)
{
  void *block = lua_touserdata(L, index);
  if (!block || lua_islightuserdata(L, index)) return NULL;
  if (!lua_getmetatable(L, index)) return NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, name);
  int same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same ? block : NULL;
}

/* The same, or an error. */
static inline void *dql_checkclass(lua_State *L, int index, const char *name)
{
  void *block = dql_testclass(L, index, name);
  return block ? block : luaL_checkudata(L, index, name);
}

/* The first argument of a method, which is of the method's class, or an error: the
 * metatable that the method has at hand tells so sooner. */
static inline void *dql_checkself(lua_State *L, const char *name)
{
  void *block = lua_touserdata(L, 1);
  if (block && lua_getmetatable(L, 1)) {
    int same = lua_rawequal(L, -1, lua_upvalueindex(1));
    lua_pop(L, 1);
    if (same && !lua_islightuserdata(L, 1)) return block;
  }
  return dql_checkclass(L, 1, name);
}

/* Gives the userdata on the top its class. */
static inline void dql_setclass(lua_State *L, const char *name)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, name);
  lua_setmetatable(L, -2);
}

/* Adds functions of a class, whose metatable is at -2, to the table on the top. */
static inline void dql_addmethods(lua_State *L, const luaL_Reg *functions)
{
  lua_pushvalue(L, -2);
  dql_setclosures(L, functions, 1);
}

/* A metatable whose methods are its __index. Leaves it on the stack. `name` is a
 * variable, whose address is its own. */
static inline void dql_newclass(lua_State *L, const char *name,
                                const luaL_Reg *metamethods,
                                const luaL_Reg *methods)
{
  luaL_newmetatable(L, name);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, name);
  lua_pushvalue(L, -1);
  dql_addmethods(L, metamethods);
  lua_pop(L, 1);
  lua_newtable(L);
  dql_addmethods(L, methods);
  lua_setfield(L, -2, "__index");
}

#endif
