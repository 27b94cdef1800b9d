/* One session in Lua: core/session.h with its current reply. session.c owns
 * it; request.c writes requests, reply.c reads the current reply, opening.c does
 * both for what opens a session, bulk.c either for many. */
#ifndef DQL_SESSION_H
#define DQL_SESSION_H

#include "core/session.h"
#include "lua/compat.h"
#include "lua/value.h"

#pragma GCC visibility push(hidden)

struct dql_session {
  struct dqc_session core;
  struct dqc_reply reply;
  uint8_t has_reply;
  uint8_t pushing; /* Lua values are being made of the reply's bytes */
  unsigned reader; /* the ticket of who reads its rows one by one, or 0 */
  unsigned tickets; /* the highest of them */
  unsigned forks; /* of dqc_fork_count: the process that it belongs to */
  struct dql_reading reading;
};

/* The session at index 1, or an error. */
struct dql_session *dql_session_of(lua_State *L);

/* The same, to write requests to. While values are pushed the collector may
 * run somebody's finalizer: what that does must not move the bytes, so it is
 * an error then. To close is harmless. */
struct dql_session *dql_idle_session(lua_State *L);

/* The session at index, to put bytes into: an error as above, and the current
 * reply is gone. */
struct dqc_session *dql_check_session(lua_State *L, int index);

/* The session at index itself, to receive for: else as the one above. */
struct dql_session *dql_check_receiver(lua_State *L, int index);

/* Takes the next reply, which is the current one then, and pushes its name, whether
 * its request is finished, and its size. The number of values pushed: 0 when more
 * bytes are wanted; nil, kind and reason where the session has ended. */
int dql_push_reply(lua_State *L, struct dql_session *session);

/* Pushes nil, the kind of error that status is (api.md, Errors) and its
 * reason; raises for DQC_ENOMEM. The number of values pushed. */
int dql_push_failure(lua_State *L, int status, const char *reason);

/* The same for what ended the session. */
int dql_push_ended(lua_State *L, const struct dql_session *session);

/* Methods, ended by one without a name. */
extern const luaL_Reg dql_opening_methods[];
extern const luaL_Reg dql_request_methods[];
extern const luaL_Reg dql_reply_methods[];
extern const luaL_Reg dql_bulk_methods[];

/* Adds session to the table on the stack. */
void dql_register_session(lua_State *L);

#pragma GCC visibility pop

#endif
