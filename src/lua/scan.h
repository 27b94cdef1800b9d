#ifndef DQL_SCAN_H
#define DQL_SCAN_H

#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* Adds scan to the table on the stack. */
void dql_register_scan(lua_State *L);

#pragma GCC visibility pop

#endif
