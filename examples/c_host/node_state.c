#define _XOPEN_SOURCE 700 /* nftw, mkdtemp */

#include "node_state.h"

#include <ftw.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "luadqlite.h"

/* Keeps the node in the state: one that is collected stops. */
static const char start[] =
    "local node = require 'dqlite.node' "
    "own = assert(node.new { dir = ..., address = '127.0.0.1:0' }) "
    "assert(own:start()) "
    "return own.address";

/* run(node): in a protected call */
static int run(lua_State *L)
{
  struct node_state *node = lua_touserdata(L, 1);
  luaL_openlibs(L);
  luadqlite_preload(L);
  luadqlite_preload_node(L);
  if (luaL_loadbuffer(L, start, strlen(start), "=start")) lua_error(L);
  lua_pushstring(L, node->dir);
  lua_call(L, 1, 1);
  snprintf(node->address, sizeof node->address, "%s", lua_tostring(L, -1));
  return 0;
}

static int fail(const char *reason)
{
  fprintf(stderr, "no node: %s\n",
          reason ? reason : "an error without a text");
  return -1;
}

int node_state_open(struct node_state *node)
{
  memset(node, 0, sizeof *node);
  strcpy(node->dir, "/tmp/c_host.XXXXXX");
  if (!mkdtemp(node->dir)) {
    node->dir[0] = '\0';
    return fail("no temporary directory");
  }
  node->L = luaL_newstate();
  if (!node->L) return fail("no memory");
  lua_pushcfunction(node->L, run);
  lua_pushlightuserdata(node->L, node);
  if (lua_pcall(node->L, 1, 0, 0) == 0) return 0;
  return fail(luaL_tolstring(node->L, -1, NULL));
}

static int remove_file(const char *path, const struct stat *status, int type,
                       struct FTW *where)
{
  (void)status;
  (void)type;
  (void)where;
  return remove(path);
}

/* The node stops with its state. */
void node_state_close(struct node_state *node)
{
  if (node->L) lua_close(node->L);
  if (node->dir[0]) nftw(node->dir, remove_file, 8, FTW_DEPTH | FTW_PHYS);
}
