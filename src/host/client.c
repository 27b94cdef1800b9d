#include "host/embedded.h"
#include "host/luadqlite.h"

static int load(lua_State *L)
{
  return dqh_load(L, dqh_client);
}

DQL_EXPORT int luadqlite_preload(lua_State *L)
{
  dqh_preload(L, dqh_client, load, "dqlite.core", luaopen_dqlite_core);
  return 0;
}
