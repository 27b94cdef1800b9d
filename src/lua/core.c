/* dqlite.core: everything the Lua layer needs of C. Not a public interface:
 * it changes with the Lua files that come with it. */
#include "core/fork.h"
#include "lua/entries.h"
#include "lua/file.h"
#include "lua/list.h"
#include "lua/params.h"
#include "lua/poll.h"
#include "lua/scan.h"
#include "lua/session.h"
#include "lua/sock.h"
#include "lua/value.h"
#include "lua/version.h"
#include "lua/wire.h"

DQL_EXPORT int luaopen_dqlite_core(lua_State *L);

/* forks() -> how many lie between this process and the one that has loaded this:
 * what remembers it notices that it was inherited */
static int forks(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)dqc_fork_count());
  return 1;
}

#if LUA_VERSION_NUM >= 503
/* place(forks) -> the coroutine that runs, if it can yield here and forks() is
 * still that | nil */
static int place(lua_State *L)
{
  if (luaL_checkinteger(L, 1) != (lua_Integer)dqc_fork_count()) return 0;
  if (!lua_isyieldable(L)) return 0;
  lua_pushthread(L);
  return 1;
}
#endif

/* runs_only(set) -> is each function in C that runs in this coroutine, but for
 * this one, a key of the set? */
static int runs_only(lua_State *L)
{
  lua_Debug frame;
  int open = 1;
  luaL_checktype(L, 1, LUA_TTABLE);
  for (int level = 1; open && lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "f", &frame);
    if (lua_iscfunction(L, -1)) {
      lua_rawget(L, 1);
      open = lua_toboolean(L, -1);
    }
    lua_pop(L, 1);
  }
  lua_pushboolean(L, open);
  return 1;
}

int luaopen_dqlite_core(lua_State *L)
{
  if (dqc_fork_watch()) return luaL_error(L, "not enough memory");
  lua_newtable(L);
  lua_pushliteral(L, DQL_VERSION);
  lua_setfield(L, -2, "_VERSION");
  lua_pushboolean(L, DQL_INTEGERS);
  lua_setfield(L, -2, "integers");
  lua_pushcfunction(L, forks);
  lua_setfield(L, -2, "forks");
#if LUA_VERSION_NUM >= 503
  lua_pushcfunction(L, place);
  lua_setfield(L, -2, "place");
#endif
  lua_pushcfunction(L, runs_only);
  lua_setfield(L, -2, "runs_only");
  dql_register_values(L);
  dql_register_list(L);
  dql_register_scan(L);
  dql_register_params(L);
  dql_register_entries(L);
  dql_register_wire(L);
  dql_register_session(L);
  dql_register_sock(L);
  dql_register_poll(L);
  dql_register_file(L);
  return 1;
}
