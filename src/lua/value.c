#include "lua/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/le.h"
#include "lua/boxed.h"

#define EXACT 9007199254740992.0 /* 2^53 */
#define EXACT_IN_JSON 100000000000000 /* 10^14: cjson prints 14 digits */
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

static enum dql_problem cdata_value(lua_State *L, int index,
                                    struct dqc_value *value, const char **text)
{
  uint64_t bits;
  lua_pushvalue(L, index);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &read_cdata);
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  int sort = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  *text = "a cdata that is neither int64_t nor uint64_t";
  if (sort != 1 && sort != 2) return DQL_MISUSE;
  memcpy(&bits, lua_topointer(L, index), sizeof bits);
  *text = "an integer beyond 64 bits with a sign";
  if (sort == 2 && bits > INT64_MAX) return DQL_UNSENDABLE;
  value->type = DQC_INTEGER;
  value->as.integer = (int64_t)bits;
  return DQL_FINE;
}

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
  if (lua_type(L, index) == TYPE_CDATA) {
    return cdata_value(L, index, value, text);
  }
  *text = luaL_typename(L, index);
  return DQL_MISUSE;
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
  case LUA_TNUMBER: return number_value(L, index, value, text);
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

/* Digits with a sign or without, nothing else. */
static int parse_digits(const char *s, int *negative, uint64_t *word)
{
  uint64_t value = 0;
  *negative = *s == '-';
  if (*s == '-' || *s == '+') s++;
  if (!*s) return 0;
  for (; *s >= '0' && *s <= '9'; s++) {
    unsigned digit = (unsigned)(*s - '0');
    if (value > (UINT64_MAX - digit) / 10) return 0;
    value = value * 10 + digit;
  }
  *word = value;
  return *s == '\0';
}

static int is_whole(double number)
{
  return floor(number) == number && fabs(number) <= EXACT;
}

int dql_to_unsigned(lua_State *L, int index, uint64_t *word)
{
  int negative;
  if (lua_type(L, index) == LUA_TSTRING) {
    return parse_digits(lua_tostring(L, index), &negative, word) && !negative;
  }
  int64_t integer;
  if (!dql_to_signed(L, index, &integer) || integer < 0) return 0;
  *word = (uint64_t)integer;
  return 1;
}

int dql_to_signed(lua_State *L, int index, int64_t *word)
{
  struct dqc_value value;
  uint64_t bits;
  int negative;
  const char *text;
  if (lua_type(L, index) == LUA_TSTRING) {
    if (!parse_digits(lua_tostring(L, index), &negative, &bits)) return 0;
    if (bits > (uint64_t)INT64_MAX + (negative ? 1 : 0)) return 0;
    *word = (int64_t)(negative ? 0 - bits : bits);
    return 1;
  }
  if (lua_isnoneornil(L, index) || lua_isboolean(L, index)) return 0;
  if (dql_value_of(L, index, &value, &text) != DQL_FINE) return 0;
  if (value.type == DQC_FLOAT && is_whole(value.as.real)) {
    value.type = DQC_INTEGER;
    value.as.integer = (int64_t)value.as.real;
  }
  *word = value.as.integer;
  return value.type == DQC_INTEGER;
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

void dql_push_integer(lua_State *L, int64_t integer, uint8_t policy)
{
  if (policy == DQL_INT64_STRING_ALL &&
      (integer > EXACT_IN_JSON || integer < -EXACT_IN_JSON)) {
    push_digits(L, integer);
  } else {
    push_exact(L, integer, policy);
  }
}

void dql_push_bytes(lua_State *L, struct dqc_bytes bytes)
{
  lua_pushlstring(L, bytes.len ? (const char *)bytes.ptr : "", bytes.len);
}

int dql_is_null(const struct dqc_value *value, const struct dql_reading *how)
{
  if (value->type == DQC_NULL) return 1;
  return value->type == DQC_ISO8601 && value->as.bytes.len == 0 &&
         !how->raw_dates;
}

void dql_push_value(lua_State *L, const struct dqc_value *value,
                    const struct dql_reading *how)
{
  switch (value->type) {
  case DQC_INTEGER:
  case DQC_UNIXTIME: dql_push_integer(L, value->as.integer, how->int64); break;
  case DQC_FLOAT: lua_pushnumber(L, value->as.real); break;
  case DQC_BOOLEAN: lua_pushboolean(L, value->as.integer != 0); break;
  case DQC_BLOB:
    if (how->wrap_blobs) {
      dql_push_blob(L, value->as.bytes);
    } else {
      dql_push_bytes(L, value->as.bytes);
    }
    break;
  default: dql_push_bytes(L, value->as.bytes); break;
  }
}

void dql_register_values(lua_State *L)
{
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  lua_pushcfunction(L, set_cdata);
  lua_setfield(L, -2, "set_cdata");
  dql_register_boxed(L);
}
