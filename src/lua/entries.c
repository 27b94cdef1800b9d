/* The list of a pipeline: { text, parameters ... } each. */
#include "lua/entries.h"

#include <string.h>

#include "core/value.h"

#define LIST 1
#define TEXTS 2
#define COUNTS 3
#define ENTRY 4

/* How many there are, or -1 where there is a hole. */
static int length(lua_State *L)
{
  lua_Number highest = 0;
  int found = 0;
  for (lua_pushnil(L); lua_next(L, LIST); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TNUMBER) continue;
    lua_Number key = lua_tonumber(L, -2);
    if (key > highest) highest = key;
    found++;
  }
  return highest == (lua_Number)found ? found : -1;
}

static int is_n(lua_State *L, int index)
{
  return lua_type(L, index) == LUA_TSTRING && lua_rawlen(L, index) == 1 &&
         lua_tostring(L, index)[0] == 'n';
}

/* How many parameters follow the text: what `n` says, which counts nils at the end,
 * or the highest position. -1: that is no count. */
static int count(lua_State *L)
{
  lua_Number highest = 1, n = -1;
  int has_n = 0;
  for (lua_pushnil(L); lua_next(L, ENTRY); lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TNUMBER) {
      lua_Number key = lua_tonumber(L, -2);
      if (key > highest) highest = key;
    } else if (is_n(L, -2)) {
      has_n = 1;
      if (lua_type(L, -1) == LUA_TNUMBER) n = lua_tonumber(L, -1);
    }
  }
  if (!has_n) n = highest - 1;
  if (!(n >= 0 && n <= (lua_Number)DQC_PARAMS_MAX)) return -1;
  return n == (lua_Number)(int)n ? (int)n : -1;
}

/* Reads one: its text and its count, false where they are none. */
static int read_entry(lua_State *L, int i)
{
  lua_settop(L, COUNTS);
  lua_rawgeti(L, LIST, i);
  if (lua_istable(L, ENTRY)) lua_rawgeti(L, ENTRY, 1);
  int whole = lua_type(L, -1) == LUA_TSTRING && lua_gettop(L) > ENTRY;
  if (!whole) lua_pushboolean(L, 0);
  lua_rawseti(L, TEXTS, i);
  if (!whole) return 0;
  int n = count(L);
  if (n < 0)
    lua_pushboolean(L, 0);
  else
    lua_pushinteger(L, n);
  lua_rawseti(L, COUNTS, i);
  return 1;
}

/* entries(list, texts, counts) -> how many there are; nil: it has a hole. Puts the
 * text of each into one table, and how many parameters it has into the other: false
 * where there is none, and up to an entry that is none. */
static int entries(lua_State *L)
{
  for (int i = LIST; i <= COUNTS; i++) luaL_checktype(L, i, LUA_TTABLE);
  lua_settop(L, COUNTS);
  int n = length(L);
  if (n < 0) return 0;
  for (int i = 1; i <= n && read_entry(L, i);) i++;
  lua_pushinteger(L, n);
  return 1;
}

void dql_register_entries(lua_State *L)
{
  lua_pushcfunction(L, entries);
  lua_setfield(L, -2, "entries");
}
