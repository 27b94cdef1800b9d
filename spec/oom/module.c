/* "oom": what the scenarios tell the allocator of their own state. */
#include "oom/module.h"

#include <unistd.h>

#include "lua/compat.h"
#include "oom/alloc.h"

static struct alloc *alloc_of(lua_State *L)
{
  void *ctx;
  lua_getallocf(L, &ctx);
  return ctx;
}

/* call(first, last, fn, ...) -> how many requests for memory failed, how many
 * there were, and what pcall would answer. Those from the first to the last
 * that fn causes fail. */
static int call(lua_State *L)
{
  struct alloc *alloc = alloc_of(L);
  alloc->first = (size_t)luaL_checknumber(L, 1);
  alloc->last = (size_t)luaL_checknumber(L, 2);
  alloc->calls = alloc->failed = 0;
  alloc->running = 1;
  int rc = lua_pcall(L, lua_gettop(L) - 3, LUA_MULTRET, 0);
  alloc->running = 0;
  luaL_checkstack(L, 3, "results");
  lua_pushboolean(L, rc == 0);
  lua_insert(L, 3);
  lua_pushnumber(L, (lua_Number)alloc->failed);
  lua_replace(L, 1);
  lua_pushnumber(L, (lua_Number)alloc->calls);
  lua_replace(L, 2);
  return lua_gettop(L);
}

static int call_paused(lua_State *L, int paused)
{
  struct alloc *alloc = alloc_of(L);
  int before = alloc->paused;
  alloc->paused = paused;
  int rc = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  alloc->paused = before;
  return rc ? lua_error(L) : lua_gettop(L);
}

/* aside(fn, ...): no request of fn fails, none is counted; for the server */
static int aside(lua_State *L)
{
  return call_paused(L, 1);
}

/* again(fn, ...): inside of aside, what belongs to the client after all */
static int again(lua_State *L)
{
  return call_paused(L, 0);
}

/* live() -> blocks, bytes that are held */
static int live(lua_State *L)
{
  struct alloc *alloc = alloc_of(L);
  size_t blocks = alloc->blocks, bytes = alloc->bytes;
  lua_pushnumber(L, (lua_Number)blocks);
  lua_pushnumber(L, (lua_Number)bytes);
  return 2;
}

/* descriptors() -> how many of the first 256 are open */
static int descriptors(lua_State *L)
{
  int count = 0;
  for (int fd = 0; fd < 256; fd++) {
    int copy = dup(fd);
    if (copy < 0) continue;
    close(copy);
    count++;
  }
  lua_pushnumber(L, count);
  return 1;
}

int luaopen_oom(lua_State *L)
{
  static const luaL_Reg functions[] = {{"call", call},
                                       {"aside", aside},
                                       {"again", again},
                                       {"live", live},
                                       {"descriptors", descriptors},
                                       {"opening", oom_opening},
                                       {NULL, NULL}};
  lua_newtable(L);
  dql_setfuncs(L, functions);
  return 1;
}
