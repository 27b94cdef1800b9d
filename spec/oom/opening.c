/* dqlite.core is opened in new states, with memory running out at every
 * request for it. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "oom/alloc.h"
#include "oom/module.h"

#define MOST ((size_t)10000) /* requests that opening may make */

struct counts {
  int passed, failed;
};

static void check(struct counts *counts, int fine, const char *what)
{
  counts->passed += fine ? 1 : 0;
  counts->failed += fine ? 0 : 1;
  if (!fine) printf("FAIL  %s\n", what);
}

/* 0, or the status of Lua. */
static int open_core(lua_State *L, struct alloc *alloc)
{
  lua_pushcfunction(L, luaopen_dqlite_core);
  alloc->running = 1;
  int rc = lua_pcall(L, 0, 1, 0);
  alloc->running = 0;
  return rc;
}

static void open_twice(lua_State *L, struct alloc *alloc,
                       struct counts *counts)
{
  int rc = open_core(L, alloc);
  if (!rc) return;
  check(counts, alloc->failed && rc == LUA_ERRMEM,
        "dqlite.core does not open: not enough memory");
  alloc->first = alloc->last = 0;
  check(counts, open_core(L, alloc) == 0, "dqlite.core opens the second time");
}

/* The requests from the first to the last fail. Did one? */
static int open_without(size_t first, size_t last, struct counts *counts)
{
  struct alloc alloc;
  memset(&alloc, 0, sizeof alloc);
  lua_State *L = lua_newstate(alloc_resize, &alloc);
  if (!L) return 0;
  luaL_openlibs(L);
  alloc.first = first;
  alloc.last = last;
  open_twice(L, &alloc, counts);
  lua_close(L);
  check(counts, alloc.blocks == 0, "a closed state holds nothing");
  return alloc.failed > 0;
}

int oom_opening(lua_State *L)
{
  static const size_t more[] = {0, 1, MOST};
  struct counts counts = {0, 0};
  for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
    size_t n = 1;
    while (n < MOST && open_without(n, n + more[i], &counts)) n++;
    check(&counts, n > 10 && n < MOST, "opening dqlite.core needs memory");
  }
  lua_pushnumber(L, counts.passed);
  lua_pushnumber(L, counts.failed);
  return 2;
}
