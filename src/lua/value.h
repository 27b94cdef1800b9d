/* Between Lua values and the wire's: what may be sent and what is read. The
 * rules are api.md's table "Values". */
#ifndef DQL_VALUE_H
#define DQL_VALUE_H

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

/* How values are read. */
struct dql_reading {
  uint8_t int64;
  uint8_t wrap_blobs; /* BLOB as a dqlite.blob */
  uint8_t raw_dates; /* keep the empty text that servers send for NULL */
};

/* Why a value cannot be sent. */
enum dql_problem {
  DQL_FINE,
  DQL_MISUSE, /* a type that is no SQL value: a mistake in the program */
  DQL_UNSENDABLE /* a value of a right type that the wire cannot carry */
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

/* An integer in Lua's best exact form, or by policy. */
void dql_push_integer(lua_State *L, int64_t integer, uint8_t policy);

/* Words without a sign. A number where that is exact, else a decimal string;
 * an id is always a decimal string. */
void dql_push_unsigned(lua_State *L, uint64_t word);
void dql_push_id(lua_State *L, uint64_t id);

/* From a whole number or a decimal string; 0 when it is neither. */
int dql_to_unsigned(lua_State *L, int index, uint64_t *word);
int dql_to_signed(lua_State *L, int index, int64_t *word);

void dql_push_bytes(lua_State *L, struct dqc_bytes bytes);

/* Adds null, blob, real, int64 and set_cdata to the table on the stack. */
void dql_register_values(lua_State *L);

#pragma GCC visibility pop

#endif
