/* Lua modules whose text is part of the program, and their places in
 * package.preload. embed.awk writes the lists. */
#ifndef DQH_EMBEDDED_H
#define DQH_EMBEDDED_H

#include "lua/compat.h"

#pragma GCC visibility push(hidden)

struct dqh_module {
  const char *name; /* NULL ends a list */
  const char *chunk; /* "@dqlite/pool.lua" */
  const char *const *text; /* pieces in a row, then NULL */
};

extern const struct dqh_module dqh_client[];
extern const struct dqh_module dqh_node[];

/* Puts the modules into package.preload, and beside them one in C. `load` has
 * the index of its module as upvalue 1, for dqh_load. Leaves the stack as it was;
 * may raise. */
void dqh_preload(lua_State *L, const struct dqh_module *modules,
                 lua_CFunction load, const char *name, lua_CFunction open);

/* What `load` does: compiles its module of these, runs it with the arguments of
 * `load`, and leaves one result, which is to be returned. */
int dqh_load(lua_State *L, const struct dqh_module *modules);

#pragma GCC visibility pop

#endif
