/* Between Lua values and the wire's: what may be sent and what is read. The
 * rules are api.md's table "Values". */
#ifndef DQL_VALUE_H
#define DQL_VALUE_H

#include "core/value.h"
#include "lua/boxed.h"
#include "lua/bytes.h"
#include "lua/compat.h"
#include "lua/number.h"

#pragma GCC visibility push(hidden)

/* How values are read. */
struct dql_reading {
  uint8_t int64;
  uint8_t wrap_blobs; /* BLOB as a dqlite.blob */
  uint8_t raw_dates; /* keep the empty text that servers send for NULL */
};

/* The Lua value at index, as it would be bound. Strings and blobs are pointed
 * into: the value must stay on the stack or in its table. */
enum dql_problem dql_value_of(lua_State *L, int index, struct dqc_value *value,
                              const char **text);

/* As one given type of the wire, for tools; the types are checked. */
enum dql_problem dql_value_as(lua_State *L, int index, uint8_t type,
                              struct dqc_value *value, const char **text);

static inline void dql_push_date(lua_State *L, struct dqc_bytes text, int null,
                                 const struct dql_reading *how)
{
  if (text.len == 0 && !how->raw_dates) {
    lua_pushvalue(L, null);
  } else {
    dql_push_bytes(L, text);
  }
}

/* A value of a row. For a NULL, or what stands for one, what is at the index
 * `null`. Inline, as core/take.h. */
static inline void dql_push_read(lua_State *L, const struct dqc_value *value,
                                 int null, const struct dql_reading *how)
{
  struct dqc_bytes bytes = value->as.bytes;
  switch (value->type) {
  case DQC_INTEGER:
  case DQC_UNIXTIME: dql_push_integer(L, value->as.integer, how->int64); break;
  case DQC_FLOAT: lua_pushnumber(L, value->as.real); break;
  case DQC_BOOLEAN: lua_pushboolean(L, value->as.integer != 0); break;
  case DQC_NULL: lua_pushvalue(L, null); break;
  case DQC_ISO8601: dql_push_date(L, bytes, null, how); break;
  case DQC_BLOB:
    if (how->wrap_blobs) {
      dql_push_blob(L, bytes);
    } else {
      dql_push_bytes(L, bytes);
    }
    break;
  default: dql_push_bytes(L, bytes); break;
  }
}

/* Adds null, blob, real, int64 and set_cdata to the table on the stack. */
void dql_register_values(lua_State *L);

#pragma GCC visibility pop

#endif
