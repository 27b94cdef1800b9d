/* What a pipeline is given. */
#ifndef DQL_ENTRIES_H
#define DQL_ENTRIES_H

#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* Adds entries to the table on the stack. */
void dql_register_entries(lua_State *L);

#pragma GCC visibility pop

#endif
