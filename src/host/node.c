/* An object of the archive of its own: who does not call this needs no
 * libdqlite. */
#include "host/embedded.h"
#include "host/luadqlite.h"

static int load(lua_State *L)
{
  return dqh_load(L, dqh_node);
}

DQL_EXPORT int luadqlite_preload_node(lua_State *L)
{
  dqh_preload(L, dqh_node, load, "dqlite.node_core", luaopen_dqlite_node_core);
  return 0;
}
