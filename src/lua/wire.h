#ifndef DQL_WIRE_H
#define DQL_WIRE_H

#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* Adds encode, decoder, requests and responses to the table on the stack. */
void dql_register_wire(lua_State *L);

#pragma GCC visibility pop

#endif
