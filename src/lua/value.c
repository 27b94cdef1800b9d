#include "lua/value.h"

#include <string.h>

#include "lua/boxed.h"
#include "lua/bytes.h"

/* ---- from Lua ---- */

static enum dql_problem string_value(lua_State *L, int index,
                                     struct dqc_value *value,
                                     const char **text)
{
  size_t len;
  value->type = DQC_TEXT;
  value->as.bytes.ptr = (const uint8_t *)lua_tolstring(L, index, &len);
  value->as.bytes.len = len;
  *text = "a text with a NUL in it cannot travel: use dqlite.blob";
  if (memchr(value->as.bytes.ptr, 0, len)) return DQL_UNSENDABLE;
  *text = "a text larger than 1,000,000,000 bytes";
  return len > DQC_VALUE_MAX ? DQL_UNSENDABLE : DQL_FINE;
}

static enum dql_problem other_value(lua_State *L, int index,
                                    struct dqc_value *value, const char **text)
{
  if (lua_islightuserdata(L, index) && !lua_touserdata(L, index)) {
    value->type = DQC_NULL;
    return DQL_FINE;
  }
  if (dql_boxed_value(L, index, value)) {
    *text = "a blob larger than 1,000,000,000 bytes";
    return value->type == DQC_BLOB && value->as.bytes.len > DQC_VALUE_MAX
               ? DQL_UNSENDABLE
               : DQL_FINE;
  }
  return dql_number_of(L, index, value, text);
}

enum dql_problem dql_value_of(lua_State *L, int index, struct dqc_value *value,
                              const char **text)
{
  memset(value, 0, sizeof *value);
  *text = NULL;
  switch (lua_type(L, index)) {
  case LUA_TNONE:
  case LUA_TNIL: value->type = DQC_NULL; return DQL_FINE;
  case LUA_TBOOLEAN:
    value->type = DQC_BOOLEAN;
    value->as.integer = lua_toboolean(L, index);
    return DQL_FINE;
  case LUA_TNUMBER: return dql_number_of(L, index, value, text);
  case LUA_TSTRING: return string_value(L, index, value, text);
  default: return other_value(L, index, value, text);
  }
}

/* ---- from Lua, by a given type ---- */

static int as_word(lua_State *L, int index, struct dqc_value *value)
{
  if (lua_isboolean(L, index)) {
    value->as.integer = lua_toboolean(L, index);
    return 1;
  }
  return dql_to_signed(L, index, &value->as.integer);
}

static int as_real(lua_State *L, int index, struct dqc_value *value)
{
  if (lua_type(L, index) != LUA_TNUMBER) return 0;
  value->as.real = lua_tonumber(L, index);
  return 1;
}

static int as_bytes(lua_State *L, int index, struct dqc_value *value)
{
  if (lua_type(L, index) != LUA_TSTRING) {
    return dql_boxed_value(L, index, value) && value->type == DQC_BLOB;
  }
  value->as.bytes.ptr =
      (const uint8_t *)lua_tolstring(L, index, &value->as.bytes.len);
  return 1;
}

enum dql_problem dql_value_as(lua_State *L, int index, uint8_t type,
                              struct dqc_value *value, const char **text)
{
  int fine = 0;
  memset(value, 0, sizeof *value);
  switch (type) {
  case DQC_INTEGER:
  case DQC_UNIXTIME:
  case DQC_BOOLEAN: fine = as_word(L, index, value); break;
  case DQC_FLOAT: fine = as_real(L, index, value); break;
  case DQC_TEXT:
  case DQC_ISO8601:
  case DQC_BLOB: fine = as_bytes(L, index, value); break;
  case DQC_NULL: fine = 1; break;
  default: break;
  }
  value->type = type;
  *text = luaL_typename(L, index);
  return fine ? DQL_FINE : DQL_MISUSE;
}

void dql_register_values(lua_State *L)
{
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  dql_register_numbers(L);
  dql_register_boxed(L);
}
