#ifndef DQL_SESSION_H
#define DQL_SESSION_H

#include "core/session.h"
#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* The session at index, or an error. */
struct dqc_session *dql_check_session(lua_State *L, int index);

/* Pushes nil, the kind of error that status is (api.md, Errors) and its
 * reason; raises for DQC_ENOMEM. The number of values pushed. */
int dql_push_failure(lua_State *L, int status, const char *reason);

/* Adds session to the table on the stack. */
void dql_register_session(lua_State *L);

#pragma GCC visibility pop

#endif
