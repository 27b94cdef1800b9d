/* The keys of a table of parameters. */
#ifndef DQL_KEYS_H
#define DQL_KEYS_H

#include "lua/compat.h"
#include "lua/numbering.h"

#pragma GCC visibility push(hidden)

struct dql_keys {
  lua_Number found, highest; /* of the positions */
  lua_Number surplus; /* a position that no parameter without a name has */
  lua_Number n; /* the count: -1 without one, -2 when it is none */
  int named; /* some are names of parameters */
};

/* Looks at the table at `list`. `numbering` is that of the statement, with its
 * names at the index `names`; or NULL when no parameter has a name: then the
 * key n is a count. NULL, or the kind of the mistake with its text pushed, as
 * in params.h. */
const char *dql_keys_of(lua_State *L, int list,
                        const struct dql_numbering *numbering, int names,
                        struct dql_keys *keys);

#pragma GCC visibility pop

#endif
