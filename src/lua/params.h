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

/* Reads the arguments from `first` on, or the one table that stands there: a
 * list whose `n` counts trailing nils. NULL, or the kind of the mistake
 * ("misuse", "value", "unsupported") with its text pushed. */
const char *dql_params_of(lua_State *L, int first, struct dql_params *params);

#pragma GCC visibility pop

#endif
