#include "lua/keys.h"

#include <string.h>

/* The helpers look at the key and the value that lua_next pushed. */

static int is_position(lua_State *L)
{
  if (lua_type(L, -2) != LUA_TNUMBER) return 0;
  lua_Number key = lua_tonumber(L, -2);
  return key >= 1 && key <= INT32_MAX && key == (lua_Number)(int32_t)key;
}

static void add_position(lua_State *L, const struct dql_numbering *numbering,
                         struct dql_keys *keys)
{
  lua_Number key = lua_tonumber(L, -2);
  ++keys->found;
  if (key > keys->highest) keys->highest = key;
  if (!numbering) return;
  if (key > (lua_Number)numbering->count ||
      numbering->name_of[(size_t)key - 1]) {
    keys->surplus = key;
  }
}

static int is_name(lua_State *L, int names)
{
  lua_pushvalue(L, -2);
  lua_rawget(L, names);
  int found = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return found;
}

static int is_n(lua_State *L)
{
  return lua_tostring(L, -2)[0] == 'n' && lua_rawlen(L, -2) == 1;
}

static lua_Number given_count(lua_State *L)
{
  if (lua_type(L, -1) != LUA_TNUMBER) return -2;
  lua_Number n = lua_tonumber(L, -1);
  if (!(n >= 0 && n <= INT32_MAX)) return -2;
  return n == (lua_Number)(int32_t)n ? n : -2;
}

static const char *unknown_key(lua_State *L, int has_names)
{
  const char *none = has_names ? "" : ": the statement has none with a name";
  lua_pushfstring(L,
                  "no parameter named '%s'%s; options come behind the table "
                  "of parameters",
                  dql_push_shown(L, -2), none);
  return "value";
}

static const char *add_key(lua_State *L, const struct dql_numbering *numbering,
                           int names, struct dql_keys *keys)
{
  if (is_position(L)) {
    add_position(L, numbering, keys);
  } else if (lua_type(L, -2) != LUA_TSTRING) {
    lua_pushliteral(L, "a table of parameters has the positions 1 to n, or "
                       "names, for keys");
    return "misuse";
  } else if (numbering) {
    if (!is_name(L, names)) return unknown_key(L, 1);
    keys->named = 1;
  } else {
    if (!is_n(L)) return unknown_key(L, 0);
    keys->n = given_count(L);
  }
  return NULL;
}

const char *dql_keys_of(lua_State *L, int list,
                        const struct dql_numbering *numbering, int names,
                        struct dql_keys *keys)
{
  memset(keys, 0, sizeof *keys);
  keys->n = -1;
  for (lua_pushnil(L); lua_next(L, list); lua_pop(L, 1)) {
    const char *kind = add_key(L, numbering, names, keys);
    if (kind) return kind;
  }
  return NULL;
}
