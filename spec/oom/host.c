/* host SCRIPT ARGUMENT...: an interpreter whose memory comes from alloc.h and
 * that has dqlite.core built in, with the modules of module.h. When the script
 * returns how many checks passed and failed, it looks at what is left of the
 * closed state, too, and ends with the line `N passed, N failed`. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "oom/alloc.h"
#include "oom/module.h"

static void preload(lua_State *L, const char *name, lua_CFunction open)
{
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, open);
  lua_setfield(L, -2, name);
  lua_pop(L, 2);
}

/* The global table `arg`, as other interpreters have it. */
static void set_arguments(lua_State *L, int argc, char **argv)
{
  lua_newtable(L);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 1);
  }
  lua_setglobal(L, "arg");
}

static int with_traceback(lua_State *L)
{
  lua_getglobal(L, "debug"); /* Lua 5.1 has no luaL_traceback */
  lua_getfield(L, -1, "traceback");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* The status of Lua; 0: the script's first two results are on the stack. */
static int run(lua_State *L, int argc, char **argv)
{
  set_arguments(L, argc, argv);
  lua_pushcfunction(L, with_traceback);
  int rc = luaL_loadfile(L, argv[1]);
  for (int i = 2; i < argc; i++) lua_pushstring(L, argv[i]);
  if (!rc) rc = lua_pcall(L, argc - 2, 2, 1);
  if (rc) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  return rc;
}

static int is_empty(const struct alloc *alloc)
{
  /* LuaJIT takes a function that could not be finished for smaller. */
  if (LUA_VERSION_NUM == 501) return alloc->blocks == 0;
  return alloc->blocks == 0 && alloc->bytes == 0;
}

/* The exit status. */
static int finish(lua_State *L, const struct alloc *alloc)
{
  int counted = lua_isnumber(L, -2) && lua_isnumber(L, -1);
  int passed = (int)lua_tonumber(L, -2), failed = (int)lua_tonumber(L, -1);
  lua_close(L);
  if (!counted) return 0;
  if (is_empty(alloc)) {
    passed++;
  } else {
    printf("FAIL  a closed state holds %zu blocks\n", alloc->blocks);
    failed++;
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}

int main(int argc, char **argv)
{
  struct alloc alloc;
  memset(&alloc, 0, sizeof alloc);
  lua_State *L = argc < 2 ? NULL : lua_newstate(alloc_resize, &alloc);
  if (!L) return 2;
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  luaL_openlibs(L);
  preload(L, "dqlite.core", luaopen_dqlite_core);
  preload(L, "oom", luaopen_oom);
  preload(L, "oom.peer", luaopen_oom_peer);
  return run(L, argc, argv) ? 1 : finish(L, &alloc);
}
