/* Between Lua values and the wire's: what may be sent and what is read. The
 * rules are api.md's table "Values". */
#ifndef DQL_VALUE_H
#define DQL_VALUE_H

#include "core/value.h"
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

/* A NULL, or what stands for one. */
int dql_is_null(const struct dqc_value *value, const struct dql_reading *how);

/* Any value but a NULL. */
void dql_push_value(lua_State *L, const struct dqc_value *value,
                    const struct dql_reading *how);

/* Adds null, blob, real, int64 and set_cdata to the table on the stack. */
void dql_register_values(lua_State *L);

#pragma GCC visibility pop

#endif
