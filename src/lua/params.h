/* The parameters of a statement, from the arguments of a call. */
#ifndef DQL_PARAMS_H
#define DQL_PARAMS_H

#include "core/value.h"
#include "lua/compat.h"

#pragma GCC visibility push(hidden)

#define DQL_FEW 16

struct dql_params {
  const struct dqc_value *values;
  size_t count;
  struct dqc_value few[DQL_FEW];
};

/* Reads the arguments behind the index `numbering`: values one by one, or one
 * plain table by position or by name (api.md, Values). At the index is what
 * the statement takes: a count, a numbering with names (numbering.h), or nil
 * for as many as there are. NULL, or the kind of the mistake with its text
 * pushed: "misuse" is for raising, "value" for what depends on data or on the
 * statement. What the values point into stays until Lua runs again. */
const char *dql_params_of(lua_State *L, int numbering,
                          struct dql_params *params);

/* Adds check_params to the table on the stack. */
void dql_register_params(lua_State *L);

#pragma GCC visibility pop

#endif
