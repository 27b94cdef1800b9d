#include "lua/numbering.h"

#include <string.h>

#include "core/value.h"

static const char CLASS[] = "dqlite.core_numbering";

/* Bytes of a name that a message shows. */
#define SHOWN 60

const struct dql_numbering *dql_check_numbering(lua_State *L, int index)
{
  return dql_checkclass(L, index, CLASS);
}

static struct dql_numbering *new_numbering(lua_State *L, size_t count)
{
  struct dql_numbering *numbering;
  size_t size = sizeof *numbering + count * sizeof numbering->name_of[0];
  numbering = dql_newuserdata(L, size, 1);
  memset(numbering, 0, size);
  numbering->count = count;
  return numbering;
}

/* Adds the string to the table below it and takes it off. */
static void add_name(lua_State *L, const char *name, size_t len, int at)
{
  lua_pushlstring(L, name, len);
  lua_pushvalue(L, -1);
  lua_rawseti(L, -3, at);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
}

void dql_push_numbering(lua_State *L, const struct dqc_sql *sql,
                        struct dqc_bytes text)
{
  if (sql->names == 0 || sql->params > DQC_PARAMS_MAX) {
    lua_pushinteger(L, (lua_Integer)sql->params);
    return;
  }
  struct dql_numbering *numbering = new_numbering(L, sql->params);
  numbering->names = sql->names;
  lua_createtable(L, 2 * (int)sql->names, 2 * (int)sql->names);
  for (size_t i = 0; i < sql->names; i++) {
    struct dqc_sql_name name = dqc_sql_name_at(sql, i);
    const char *begin = (const char *)text.ptr + name.begin;
    numbering->name_of[name.number - 1] = (uint16_t)(i + 1);
    add_name(L, begin, name.len, 2 * (int)i + 1);
    add_name(L, begin + 1, name.len - 1, 2 * (int)i + 2);
  }
  dql_setuservalue(L, -2);
  dql_setclass(L, CLASS);
}

const char *dql_push_shown(lua_State *L, int index)
{
  size_t len;
  const char *text = lua_tolstring(L, index, &len);
  lua_pushlstring(L, text, len < SHOWN ? len : SHOWN);
  return lua_tostring(L, -1);
}

void dql_register_numbering(lua_State *L)
{
  static const luaL_Reg none[] = {{NULL, NULL}};
  dql_newclass(L, CLASS, none, none);
  lua_pop(L, 1);
}
