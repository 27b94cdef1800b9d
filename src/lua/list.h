#ifndef DQL_LIST_H
#define DQL_LIST_H

#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* Adds list to the table on the stack. */
void dql_register_list(lua_State *L);

#pragma GCC visibility pop

#endif
