#include "lua/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define EXACT 9007199254740992.0 /* 2^53 */
#define TWO_TO_64 18446744073709551616.0

#define TYPE_CDATA 10 /* LuaJIT's own addition to lua_type */

/* ---- helpers of LuaJIT's FFI, which only Lua code can reach ---- */

static const char make_cdata = 0, read_cdata = 0; /* registry keys */

/* set_cdata(make, read): make(high, low) gives an int64_t; read(v) gives 1
 * for an int64_t, 2 for a uint64_t, nil for another cdata. */
static int set_cdata(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &read_cdata);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &make_cdata);
  return 0;
}

/* What `read` says of the cdata; 0 without it. */
static int cdata_sort(lua_State *L, int index)
{
  lua_pushvalue(L, index);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &read_cdata);
  lua_insert(L, -2);
  if (lua_isnil(L, -2)) {
    lua_pop(L, 2);
    return 0;
  }
  lua_call(L, 1, 1);
  int sort = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return sort;
}

static enum dql_problem cdata_value(lua_State *L, int index,
                                    struct dqc_value *value, const char **text)
{
  uint64_t bits;
  int sort = cdata_sort(L, index);
  *text = "cdata that is neither int64_t nor uint64_t";
  if (sort != 1 && sort != 2) return DQL_MISUSE;
  memcpy(&bits, lua_topointer(L, index), sizeof bits);
  *text = "an integer beyond 64 bits with a sign";
  if (sort == 2 && bits > INT64_MAX) return DQL_UNSENDABLE;
  value->type = DQC_INTEGER;
  value->as.integer = (int64_t)bits;
  return DQL_FINE;
}

/* ---- from Lua ---- */

#if DQL_INTEGERS

static enum dql_problem number_value(lua_State *L, int index,
                                     struct dqc_value *value,
                                     const char **text)
{
  (void)text;
  if (lua_isinteger(L, index)) {
    value->type = DQC_INTEGER;
    value->as.integer = lua_tointeger(L, index);
  } else {
    value->type = DQC_FLOAT;
    value->as.real = lua_tonumber(L, index);
  }
  return DQL_FINE;
}

#else

/* One kind of number: a whole one is an INTEGER as long as it is exact. One
 * that 64 bits could hold may have lost digits, so its user must choose. */
static enum dql_problem number_value(lua_State *L, int index,
                                     struct dqc_value *value,
                                     const char **text)
{
  double number = lua_tonumber(L, index);
  int whole = floor(number) == number; /* not for NaN */
  if (whole && fabs(number) <= EXACT && !(number == 0 && signbit(number))) {
    value->type = DQC_INTEGER;
    value->as.integer = (int64_t)number;
    return DQL_FINE;
  }
  *text = "a whole number beyond 2^53: use dqlite.int64 or dqlite.real";
  if (whole && fabs(number) > EXACT && fabs(number) < TWO_TO_64) {
    return DQL_UNSENDABLE;
  }
  value->type = DQC_FLOAT;
  value->as.real = number;
  return DQL_FINE;
}

#endif

enum dql_problem dql_number_of(lua_State *L, int index,
                               struct dqc_value *value, const char **text)
{
  int type = lua_type(L, index);
  if (type == LUA_TNUMBER) return number_value(L, index, value, text);
  if (type == TYPE_CDATA) return cdata_value(L, index, value, text);
  *text = luaL_typename(L, index);
  return DQL_MISUSE;
}

/* Digits with a sign or without, nothing else. */
static int parse_digits(lua_State *L, int index, int *negative, uint64_t *word)
{
  size_t len;
  const char *s = lua_tolstring(L, index, &len);
  const char *end = s + len;
  *negative = *s == '-';
  if (*s == '-' || *s == '+') s++;
  if (s == end) return 0;
  for (*word = 0; *s >= '0' && *s <= '9'; s++) {
    unsigned digit = (unsigned)(*s - '0');
    if (*word > (UINT64_MAX - digit) / 10) return 0;
    *word = *word * 10 + digit;
  }
  return s == end;
}

static int string_to_signed(lua_State *L, int index, int64_t *word)
{
  uint64_t bits;
  int negative;
  if (!parse_digits(L, index, &negative, &bits)) return 0;
  if (bits > (uint64_t)INT64_MAX + (negative ? 1 : 0)) return 0;
  *word = (int64_t)(negative ? 0 - bits : bits);
  return 1;
}

int dql_to_signed(lua_State *L, int index, int64_t *word)
{
  struct dqc_value value;
  const char *text;
  if (lua_type(L, index) == LUA_TSTRING) {
    return string_to_signed(L, index, word);
  }
  if (dql_number_of(L, index, &value, &text) != DQL_FINE) return 0;
  if (value.type == DQC_INTEGER) {
    *word = value.as.integer;
    return 1;
  }
  double real = value.as.real;
  if (floor(real) != real || fabs(real) > EXACT) return 0;
  *word = (int64_t)real;
  return 1;
}

int dql_to_unsigned(lua_State *L, int index, uint64_t *word)
{
  int negative;
  if (lua_type(L, index) == LUA_TSTRING) {
    return parse_digits(L, index, &negative, word) && !negative;
  }
  int64_t integer;
  if (!dql_to_signed(L, index, &integer) || integer < 0) return 0;
  *word = (uint64_t)integer;
  return 1;
}

/* ---- to Lua ---- */

static void push_digits(lua_State *L, int64_t integer)
{
  char digits[24];
  int len = snprintf(digits, sizeof digits, "%" PRId64, integer);
  lua_pushlstring(L, digits, (size_t)len);
}

void dql_push_id(lua_State *L, uint64_t id)
{
  char digits[24];
  int len = snprintf(digits, sizeof digits, "%" PRIu64, id);
  lua_pushlstring(L, digits, (size_t)len);
}

void dql_push_unsigned(lua_State *L, uint64_t word)
{
  if (word <= INT64_MAX) {
    dql_push_integer(L, (int64_t)word, DQL_INT64_STRING);
  } else {
    dql_push_id(L, word);
  }
}

#if DQL_INTEGERS

static void push_exact(lua_State *L, int64_t integer, uint8_t policy)
{
  (void)policy;
  lua_pushinteger(L, integer);
}

#else

static int push_cdata(lua_State *L, int64_t integer)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &make_cdata);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return 0;
  }
  uint64_t bits = (uint64_t)integer;
  lua_pushnumber(L, (lua_Number)(int32_t)(uint32_t)(bits >> 32));
  lua_pushnumber(L, (lua_Number)(uint32_t)bits);
  lua_call(L, 2, 1);
  return 1;
}

static void push_exact(lua_State *L, int64_t integer, uint8_t policy)
{
  int exact = integer <= (int64_t)EXACT && integer >= -(int64_t)EXACT;
  if (exact || policy == DQL_INT64_NUMBER) {
    lua_pushnumber(L, (lua_Number)integer);
  } else if (policy != DQL_INT64_CDATA || !push_cdata(L, integer)) {
    push_digits(L, integer);
  }
}

#endif

void dql_push_large(lua_State *L, int64_t integer, uint8_t policy)
{
  if (policy == DQL_INT64_STRING_ALL) {
    push_digits(L, integer);
  } else {
    push_exact(L, integer, policy);
  }
}

void dql_register_numbers(lua_State *L)
{
  lua_pushcfunction(L, set_cdata);
  lua_setfield(L, -2, "set_cdata");
}
