/* libluadqlite.a as a program finds it that has no file on disk and no libdqlite.
 * The lists of texts are linked a second time, to be looked at. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/embedded.h"
#include "luadqlite.h"
#include "oom/alloc.h"
#include "support/check.h"

static struct alloc alloc;

static lua_State *open_state(void)
{
  memset(&alloc, 0, sizeof alloc);
  lua_State *L = lua_newstate(alloc_resize, &alloc);
  if (!L) check_fatal("no state");
  luaL_openlibs(L);
  return L;
}

static void close_state(lua_State *L)
{
  lua_close(L);
  CHECK_EQ(alloc.blocks, 0);
}

/* Runs a chunk, whose results are texts: the first one, or its error. */
static const char *run(lua_State *L, const char *chunk)
{
  lua_settop(L, 0);
  if (luaL_loadbuffer(L, chunk, strlen(chunk), "=app") == 0) {
    lua_pcall(L, 0, 1, 0);
  }
  return lua_tostring(L, -1);
}

#define NO_FILES "package.path, package.cpath = '', '' "

/* ---- the texts ---- */

static int matches(const struct dqh_module *module, FILE *file)
{
  char found[8192];
  for (const char *const *piece = module->text; *piece; piece++) {
    size_t len = strlen(*piece);
    if (len > 4095 || fread(found, 1, len, file) != len) return 0;
    if (memcmp(found, *piece, len) != 0) return 0;
  }
  return fgetc(file) == EOF;
}

static int is_file(const struct dqh_module *module)
{
  char path[256];
  snprintf(path, sizeof path, "lua/%s", module->chunk + 1);
  FILE *file = fopen(path, "rb");
  int same = file && matches(module, file);
  if (file) fclose(file);
  return same;
}

/* How many there are. */
static int check_texts(const struct dqh_module *modules)
{
  int n = 0;
  for (; modules[n].name; n++) {
    check_about(modules[n].name);
    CHECK(is_file(&modules[n]));
  }
  check_about(NULL);
  return n;
}

/* ---- what is there ---- */

/* Those of others that some need are not there, and no file is. */
static const char require_all[] =
    NO_FILES "local failed = {} "
             "local function tolerated(err) "
             "  return err:find(\"module 'luv' not found\") "
             "    or err:find(\"module 'cqueues[.%a]*' not found\") "
             "    or err:find(\"module 'resty.core.base' not found\") "
             "    or err:find(\"previous error loading module\") "
             "end "
             "for name in pairs(package.preload) do "
             "  local ok, err = pcall(require, name) "
             "  if not ok and not tolerated(err) then "
             "    failed[#failed + 1] = name .. ': ' .. err "
             "  end "
             "end "
             "return table.concat(failed, '\\n')";

static void check_all_modules(void)
{
  lua_State *L = open_state();
  luadqlite_preload(L);
  CHECK_EQ(lua_gettop(L), 0);
  CHECK_TEXT(run(L, NO_FILES "return #require('dqlite').blob('abc') .. ''"),
             "3");
  CHECK_TEXT(run(L, require_all), "");
  close_state(L);
}

static void check_names(void)
{
  lua_State *L = open_state();
  luadqlite_preload(L);
  CHECK_TEXT(run(L, "local dqlite = require 'dqlite' "
                    "return debug.getinfo(dqlite.connect, 'S').short_src"),
             "dqlite/cluster.lua");
  CHECK_TEXT(run(L, "local dqlite = require 'dqlite'\n"
                    "dqlite.sleep(-1)"),
             "app:2: sleep takes a number of seconds");
  CHECK_TEXT(run(L, "return select(2, pcall(require, 'dqlite.node'))"
                    ":match '^[^\\n]*'"),
             "module 'dqlite.node' not found:");
  close_state(L);
}

static void check_again(void)
{
  lua_State *L = open_state();
  luadqlite_preload(L);
  luadqlite_preload(L);
  CHECK_TEXT(run(L, "package.preload.renamed = package.preload['dqlite.yaml'] "
                    "return type(require 'renamed')"),
             "table");
  close_state(L);
}

/* ---- misuse, and no memory ---- */

static int fill_and_preload(lua_State *L)
{
  while (lua_gettop(L) < LUA_MINSTACK) lua_pushnil(L);
  luadqlite_preload(L);
  CHECK_EQ(lua_gettop(L), LUA_MINSTACK);
  return 0;
}

static void check_full_stack(void)
{
  lua_State *L = open_state();
  lua_pushcfunction(L, fill_and_preload);
  CHECK_EQ(lua_pcall(L, 0, 0, 0), 0);
  close_state(L);
}

static void check_without_package(void)
{
  memset(&alloc, 0, sizeof alloc);
  lua_State *L = lua_newstate(alloc_resize, &alloc);
  lua_pushcfunction(L, luadqlite_preload);
  int rc = lua_pcall(L, 0, 0, 0);
  if (LUA_VERSION_NUM == 501) {
    CHECK_EQ(rc, LUA_ERRRUN);
    CHECK_TEXT(lua_tostring(L, -1),
               "luadqlite: the library 'package' is not open in this state");
  } else {
    CHECK_EQ(rc, 0);
    luaL_openlibs(L);
    CHECK_TEXT(run(L, NO_FILES "return require('dqlite') and 'there'"),
               "there");
  }
  close_state(L);
}

/* Fails the request with this number; how many there were. */
static size_t preload_without(size_t request, int *rc)
{
  lua_State *L = open_state();
  lua_pushcfunction(L, luadqlite_preload);
  alloc.first = request;
  alloc.last = (size_t)-1;
  alloc.running = 1;
  *rc = lua_pcall(L, 0, 0, 0);
  alloc.running = 0;
  size_t calls = alloc.calls;
  if (*rc == LUA_ERRMEM) {
    CHECK_TEXT(lua_tostring(L, -1), "not enough memory");
    lua_pop(L, 1);
    luadqlite_preload(L);
  }
  CHECK_TEXT(run(L, "return type(package.preload.dqlite)"), "function");
  close_state(L);
  return calls;
}

static void check_without_memory(void)
{
  int rc;
  size_t all = preload_without((size_t)-1, &rc);
  CHECK_EQ(rc, 0);
  CHECK(all > 10);
  for (size_t request = 1; request <= all; request += 5) {
    preload_without(request, &rc);
    CHECK_EQ(rc, LUA_ERRMEM);
  }
}

int main(void)
{
  CHECK(check_texts(dqh_client) > 80);
  CHECK(check_texts(dqh_node) >= 5);
  check_all_modules();
  check_names();
  check_again();
  check_full_stack();
  check_without_package();
  check_without_memory();
  return check_done();
}
