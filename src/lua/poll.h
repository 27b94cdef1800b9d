#ifndef DQL_POLL_H
#define DQL_POLL_H

#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* Adds poll, poll_fds and their constants to the table on the stack. */
void dql_register_poll(lua_State *L);

#pragma GCC visibility pop

#endif
