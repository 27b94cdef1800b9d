#ifndef DQL_SOCK_H
#define DQL_SOCK_H

#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* The descriptor of the socket at index, -1 when it is closed; anything else raises. */
int dql_sock_fd(lua_State *L, int index);

/* Seconds at index to whole milliseconds. */
int dql_milliseconds(lua_State *L, int index);

/* "r", "w" or "rw" as a set of bits. */
int dql_wanted_by(const char *letters);

/* Pushes nil, kind and reason of a call that did not succeed. 3. */
int dql_push_error(lua_State *L, int rc);

/* Adds socket, parse_address, lookup, unused_port and now to the table on the
 * stack. */
void dql_register_sock(lua_State *L);

#pragma GCC visibility pop

#endif
