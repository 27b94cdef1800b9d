/* How SQLite numbers the parameters of a statement, for statements in which
 * some have names. In Lua it is a userdata; without names it is the count. */
#ifndef DQL_NUMBERING_H
#define DQL_NUMBERING_H

#include "core/sql.h"
#include "lua/compat.h"

#pragma GCC visibility push(hidden)

struct dql_numbering {
  size_t count; /* values that the statement takes: the highest number */
  size_t names; /* parameters with a name */
  uint16_t name_of[]; /* of number i + 1: 0, or which name, from 1 */
};

/* Pushes the numbering of the text that was scanned: a count where no
 * parameter has a name, else a userdata that holds what it needs of it. The table of
 * names belongs to it: the i-th name at 2i - 1, without its first byte at 2i, and
 * each of these strings as a key. */
void dql_push_numbering(lua_State *L, const struct dqc_sql *sql,
                        struct dqc_bytes text);

/* The userdata at index; anything else raises. */
const struct dql_numbering *dql_check_numbering(lua_State *L, int index);

/* Pushes as much of the string at index as a message shows, and returns it. */
const char *dql_push_shown(lua_State *L, int index);

/* Makes the class of the userdata. */
void dql_register_numbering(lua_State *L);

#pragma GCC visibility pop

#endif
