/* The core's memory comes from the Lua state, so that a host's limit on the
 * state covers it. */
#ifndef DQL_ALLOC_H
#define DQL_ALLOC_H

#include "core/buf.h"
#include "lua/compat.h"

static inline struct dqc_alloc dql_alloc(lua_State *L)
{
  struct dqc_alloc alloc;
  alloc.resize = lua_getallocf(L, &alloc.ctx);
  return alloc;
}

#endif
