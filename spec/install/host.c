/* host FILE: runs this file in a Lua state of its own, with nothing but the
 * archive to require from. With NODE defined there is the embedded node, too. */
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <luadqlite.h>

int main(int argc, char **argv)
{
  lua_State *L = luaL_newstate();
  int failed;
  if (!L || argc != 2) return 2;
  luaL_openlibs(L);
  luadqlite_preload(L);
#ifdef NODE
  luadqlite_preload_node(L);
#endif
  failed = luaL_dofile(L, argv[1]);
  if (failed) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return failed;
}
