#ifndef DQL_SOCK_H
#define DQL_SOCK_H

#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* Adds socket, parse_address, lookup, unused_port and now to the table on the
 * stack. */
void dql_register_sock(lua_State *L);

#pragma GCC visibility pop

#endif
