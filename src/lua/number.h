/* Numbers between Lua and the wire: none loses a digit without being asked
 * to (api.md, Values). */
#ifndef DQL_NUMBER_H
#define DQL_NUMBER_H

#include "core/value.h"
#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* What becomes of an INTEGER that is beyond a Lua number. */
enum dql_int64 {
  DQL_INT64_STRING, /* a decimal string (the default) */
  DQL_INT64_CDATA, /* an int64_t of LuaJIT */
  DQL_INT64_NUMBER, /* the nearest number */
  DQL_INT64_STRING_ALL /* strings beyond 10^14, also where Lua could hold it */
};

/* Why a value cannot be sent. */
enum dql_problem {
  DQL_FINE,
  DQL_MISUSE, /* a type that is no SQL value: a mistake in the program */
  DQL_UNSENDABLE /* a value of a right type that the wire cannot carry */
};

/* A number or 64-bit cdata as INTEGER or FLOAT. */
enum dql_problem dql_number_of(lua_State *L, int index,
                               struct dqc_value *value, const char **text);

/* From a whole number or a decimal string; 0 when it is neither. */
int dql_to_signed(lua_State *L, int index, int64_t *word);
int dql_to_unsigned(lua_State *L, int index, uint64_t *word);

#define DQL_EXACT_IN_JSON 100000000000000 /* 10^14: cjson prints 14 digits */

/* One beyond that. */
void dql_push_large(lua_State *L, int64_t integer, uint8_t policy);

/* An integer in Lua's best exact form, or by policy. */
static inline void dql_push_integer(lua_State *L, int64_t integer,
                                    uint8_t policy)
{
  if (integer > DQL_EXACT_IN_JSON || integer < -DQL_EXACT_IN_JSON) {
    dql_push_large(L, integer, policy);
  } else {
#if DQL_INTEGERS
    lua_pushinteger(L, integer);
#else
    lua_pushnumber(L, (lua_Number)integer);
#endif
  }
}

/* Words without a sign. A number where that is exact, else a decimal string;
 * an id is always a decimal string. */
void dql_push_unsigned(lua_State *L, uint64_t word);
void dql_push_id(lua_State *L, uint64_t id);

/* Adds set_cdata to the table on the stack. */
void dql_register_numbers(lua_State *L);

#pragma GCC visibility pop

#endif
