/* From a message to a Lua table, for the wire module and raw sessions. */
#ifndef DQL_DECODE_H
#define DQL_DECODE_H

#include "core/message.h"
#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* Pushes a table with name, number, schema and the fields. DQC_EPROTO, with
 * nothing pushed, when a list in the message cannot be read. `roles` says
 * whether the entries of a SERVERS have roles; -1: whichever fits. */
int dql_push_message(lua_State *L, const struct dqc_message *message,
                     int roles);

#pragma GCC visibility pop

#endif
