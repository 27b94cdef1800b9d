/* What the host gives its scripts. */
#ifndef OOM_MODULE_H
#define OOM_MODULE_H

#include <lua.h>

int luaopen_oom(lua_State *L);
int luaopen_oom_peer(lua_State *L);

/* opening() -> how many checks of opening dqlite.core passed and failed */
int oom_opening(lua_State *L);

int luaopen_dqlite_core(lua_State *L);

#endif
