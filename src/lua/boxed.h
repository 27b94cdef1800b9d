/* Values that say which SQL type they are to be bound as: dqlite.blob, real
 * and int64. */
#ifndef DQL_BOXED_H
#define DQL_BOXED_H

#include "core/value.h"
#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* 1 and the value, when index holds one of them. */
int dql_boxed_value(lua_State *L, int index, struct dqc_value *value);

void dql_push_blob(lua_State *L, struct dqc_bytes bytes);

/* Adds the constructors to the table on the stack. */
void dql_register_boxed(lua_State *L);

#pragma GCC visibility pop

#endif
