/* From a Lua table to a message, for the wire module and raw sessions. */
#ifndef DQL_ENCODE_H
#define DQL_ENCODE_H

#include "core/message.h"
#include "lua/compat.h"

#pragma GCC visibility push(hidden)

/* Reads the table at `index` (an absolute one) as the fields of the message
 * called `name`; the table's `schema` selects the version, 0 if absent. A
 * number that is absent is 0, a text is empty, a list has nothing in it.
 * Raises what is wrong. Leaves values on the stack that the message points
 * into. */
void dql_message_of(lua_State *L, const char *name, int index,
                    struct dqc_message *message);

#pragma GCC visibility pop

#endif
