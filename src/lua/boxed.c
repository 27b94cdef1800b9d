#include "lua/boxed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lua/bytes.h"
#include "lua/number.h"

static const char CLASS[] = "dqlite.value";

struct boxed {
  struct dqc_value value;
  uint8_t bytes[]; /* of a blob */
};

static struct boxed *new_boxed(lua_State *L, size_t len)
{
  struct boxed *boxed =
      dql_newuserdata(L, offsetof(struct boxed, bytes) + len, 0);
  memset(boxed, 0, offsetof(struct boxed, bytes));
  dql_setclass(L, CLASS);
  return boxed;
}

int dql_boxed_value(lua_State *L, int index, struct dqc_value *value)
{
  struct boxed *boxed = dql_testclass(L, index, CLASS);
  if (!boxed) return 0;
  *value = boxed->value;
  return 1;
}

void dql_push_blob(lua_State *L, struct dqc_bytes bytes)
{
  struct boxed *boxed = new_boxed(L, bytes.len);
  if (bytes.len) memcpy(boxed->bytes, bytes.ptr, bytes.len);
  boxed->value.type = DQC_BLOB;
  boxed->value.as.bytes.ptr = boxed->bytes;
  boxed->value.as.bytes.len = bytes.len;
}

/* ---- constructors ---- */

static int new_blob(lua_State *L)
{
  struct dqc_bytes bytes;
  luaL_checktype(L, 1, LUA_TSTRING);
  bytes.ptr = (const uint8_t *)lua_tolstring(L, 1, &bytes.len);
  dql_push_blob(L, bytes);
  return 1;
}

static int new_real(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TNUMBER);
  struct boxed *boxed = new_boxed(L, 0);
  boxed->value.type = DQC_FLOAT;
  boxed->value.as.real = lua_tonumber(L, 1);
  return 1;
}

static int new_int64(lua_State *L)
{
  int64_t integer;
  if (!dql_to_signed(L, 1, &integer)) {
    return luaL_argerror(
        L, 1, "a whole number or decimal digits within 64 bits expected");
  }
  struct boxed *boxed = new_boxed(L, 0);
  boxed->value.type = DQC_INTEGER;
  boxed->value.as.integer = integer;
  return 1;
}

/* ---- methods ---- */

static struct boxed *check_boxed(lua_State *L, int index)
{
  return dql_checkclass(L, index, CLASS);
}

/* A blob's bytes; the digits of a number. */
static int to_string(lua_State *L)
{
  const struct dqc_value *v = &check_boxed(L, 1)->value;
  char digits[32];
  int len;
  if (v->type == DQC_BLOB) {
    dql_push_bytes(L, v->as.bytes);
    return 1;
  }
  if (v->type == DQC_FLOAT) {
    len = snprintf(digits, sizeof digits, "%.17g", v->as.real);
  } else {
    len = snprintf(digits, sizeof digits, "%" PRId64, v->as.integer);
  }
  lua_pushlstring(L, digits, (size_t)len);
  return 1;
}

static int length(lua_State *L)
{
  const struct dqc_value *v = &check_boxed(L, 1)->value;
  if (v->type != DQC_BLOB) return luaL_error(L, "a number has no length");
  lua_pushinteger(L, (lua_Integer)v->as.bytes.len);
  return 1;
}

static int same(const struct dqc_value *a, const struct dqc_value *b)
{
  if (a->type != b->type) return 0;
  if (a->type == DQC_INTEGER) return a->as.integer == b->as.integer;
  if (a->type == DQC_FLOAT) {
    return memcmp(&a->as.real, &b->as.real, sizeof a->as.real) == 0;
  }
  return a->as.bytes.len == b->as.bytes.len &&
         memcmp(a->as.bytes.ptr, b->as.bytes.ptr, a->as.bytes.len) == 0;
}

static int equal(lua_State *L)
{
  lua_pushboolean(L,
                  same(&check_boxed(L, 1)->value, &check_boxed(L, 2)->value));
  return 1;
}

void dql_register_boxed(lua_State *L)
{
  static const luaL_Reg metamethods[] = {{"__tostring", to_string},
                                         {"__len", length},
                                         {"__eq", equal},
                                         {NULL, NULL}};
  static const luaL_Reg methods[] = {{NULL, NULL}};
  static const luaL_Reg constructors[] = {{"blob", new_blob},
                                          {"real", new_real},
                                          {"int64", new_int64},
                                          {NULL, NULL}};
  dql_newclass(L, CLASS, metamethods, methods);
  lua_pop(L, 1);
  dql_setfuncs(L, constructors);
}
