/* A list of values as the JSON text that SQLite's json_each takes apart. */
#include "lua/list.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "lua/alloc.h"
#include "lua/bytes.h"
#include "lua/value.h"

static const char CLASS[] = "dqlite.core_list";

/* ---- the text: DQC_DONE or DQC_ENOMEM ---- */

static int put(struct dqc_buf *out, const char *text)
{
  return dqc_buf_append(out, text, strlen(text));
}

static int put_integer(struct dqc_buf *out, int64_t integer)
{
  char digits[32];
  snprintf(digits, sizeof digits, "%" PRId64, integer);
  return put(out, digits);
}

/* A point, whatever the locale calls one, and at least a ".0" to keep it a
 * REAL. */
static int put_point(struct dqc_buf *out, const char *digits)
{
  char text[64];
  size_t len = 0;
  int real = 0;
  for (; *digits; digits++) {
    int known = strchr("0123456789+-e", *digits) != NULL;
    if (known || !real) text[len++] = known ? *digits : '.';
    if (!known || *digits == 'e') real = 1;
  }
  text[len] = 0;
  int rc = put(out, text);
  return rc || real ? rc : put(out, ".0");
}

/* With as few digits as give the same number again. JSON has no infinity, but
 * SQLite reads a number beyond all reals as one. */
static int put_real(struct dqc_buf *out, double real)
{
  char digits[48];
  if (real != real) return put(out, "null");
  if (isinf(real)) return put(out, real < 0 ? "-9e999" : "9e999");
  for (int precision = 15; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, real);
    if (strtod(digits, NULL) == real) break;
  }
  return put_point(out, digits);
}

static int put_escape(struct dqc_buf *out, uint8_t byte)
{
  char text[8] = {'\\', (char)byte, 0};
  if (byte < 0x20) snprintf(text, sizeof text, "\\u%04x", (unsigned)byte);
  return put(out, text);
}

static int put_string(struct dqc_buf *out, struct dqc_bytes bytes)
{
  const uint8_t *at = bytes.ptr, *end = bytes.ptr + bytes.len;
  int rc = put(out, "\"");
  while (!rc && at < end) {
    const uint8_t *plain = at;
    while (at < end && *at >= 0x20 && *at != '"' && *at != '\\') at++;
    rc = dqc_buf_append(out, plain, (size_t)(at - plain));
    if (!rc && at < end) rc = put_escape(out, *at++);
  }
  return rc ? rc : put(out, "\"");
}

static int put_value(struct dqc_buf *out, const struct dqc_value *value)
{
  switch (value->type) {
  case DQC_INTEGER: return put_integer(out, value->as.integer);
  case DQC_BOOLEAN: return put(out, value->as.integer ? "1" : "0");
  case DQC_FLOAT: return put_real(out, value->as.real);
  case DQC_TEXT: return put_string(out, value->as.bytes);
  default: return put(out, "null");
  }
}

/* ---- the table ---- */

static size_t list_len(lua_State *L)
{
  lua_pushliteral(L, "n");
  lua_rawget(L, 1);
  if (lua_isnil(L, -1)) return (size_t)lua_rawlen(L, 1);
  lua_Number n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
  if (!(n >= 0 && n <= INT32_MAX && n == (lua_Number)(int32_t)n)) {
    luaL_error(L, "the field n of a list is a count");
  }
  return (size_t)n;
}

static int is_n(lua_State *L, int index)
{
  size_t len;
  if (lua_type(L, index) != LUA_TSTRING) return 0;
  const char *key = lua_tolstring(L, index, &len);
  return len == 1 && *key == 'n';
}

static void check_keys(lua_State *L, size_t len)
{
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
    if (is_n(L, -2)) continue;
    lua_Number key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : -1;
    if (!(key >= 1 && key <= (lua_Number)len && floor(key) == key)) {
      luaL_error(L, "a list has the positions 1 to n: dqlite.null stands for "
                    "NULL");
    }
  }
}

static const char *element_problem(const struct dqc_value *value)
{
  if (value->type == DQC_BLOB) return "a blob cannot be in a list";
  if (value->type == DQC_TEXT &&
      memchr(value->as.bytes.ptr, 0, value->as.bytes.len)) {
    return "a text with a NUL in it cannot be in a list, nor can a blob";
  }
  return NULL;
}

/* The value on the top of the stack. */
static void read_element(lua_State *L, int i, struct dqc_value *value)
{
  const char *text, *mine;
  enum dql_problem problem = dql_value_of(L, lua_gettop(L), value, &text);
  if (problem == DQL_MISUSE) {
    luaL_error(L, "element %d: a %s is no SQL value", i, text);
  }
  mine = element_problem(value);
  if (mine) luaL_error(L, "element %d: %s", i, mine);
  if (problem) luaL_error(L, "element %d: %s", i, text);
}

/* The text belongs to Lua, so that no error leaks it. */
static struct dqc_buf *new_text(lua_State *L)
{
  struct dqc_buf *out = dql_newuserdata(L, sizeof *out, 0);
  dqc_buf_init(out, dql_alloc(L));
  dql_setclass(L, CLASS);
  return out;
}

static int text_gc(lua_State *L)
{
  dqc_buf_free(dql_checkclass(L, 1, CLASS));
  return 0;
}

/* list(table) -> its JSON text. `n` counts trailing nils. Raises what cannot
 * be in it. */
static int list(lua_State *L)
{
  struct dqc_value value;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  size_t len = list_len(L);
  check_keys(L, len);
  struct dqc_buf *out = new_text(L);
  int rc = put(out, "[");
  for (size_t i = 1; !rc && i <= len; i++) {
    lua_rawgeti(L, 1, (int)i);
    read_element(L, (int)i, &value);
    if (i > 1) rc = put(out, ",");
    if (!rc) rc = put_value(out, &value);
    lua_pop(L, 1);
  }
  if (!rc) rc = put(out, "]");
  if (rc) return luaL_error(L, "not enough memory");
  dql_push_bytes(L, dqc_buf_view(out));
  dqc_buf_free(out);
  return 1;
}

void dql_register_list(lua_State *L)
{
  static const luaL_Reg metamethods[] = {{"__gc", text_gc}, {NULL, NULL}};
  static const luaL_Reg none[] = {{NULL, NULL}};
  dql_newclass(L, CLASS, metamethods, none);
  lua_pop(L, 1);
  lua_pushcfunction(L, list);
  lua_setfield(L, -2, "list");
}
