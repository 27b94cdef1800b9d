#ifndef DQL_FILE_H
#define DQL_FILE_H

#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* Adds read_file, replace_file and random to the table on the stack. */
void dql_register_file(lua_State *L);

#pragma GCC visibility pop

#endif
