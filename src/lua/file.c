/* core/file.h and core/random.h for Lua. */
#define _POSIX_C_SOURCE 200809L

#include "lua/file.h"

#include <errno.h>
#include <string.h>

#include "core/cause.h"
#include "core/file.h"
#include "core/random.h"
#include "core/status.h"
#include "lua/alloc.h"
#include "lua/bytes.h"

static const char CLASS[] = "dqlite.core_file";

#define READ_MAX (64 * 1024 * 1024) /* bytes */

/* A path without a NUL, or an error. */
static const char *check_path(lua_State *L)
{
  size_t len;
  const char *path = luaL_checklstring(L, 1, &len);
  luaL_argcheck(L, strlen(path) == len, 1, "a path has no NUL");
  return path;
}

/* nil, kind, reason: "missing", "value" (not a file to read or replace) or
 * "system" */
static int push_failure(lua_State *L, int rc, int cause)
{
  if (rc == DQC_ENOMEM) return luaL_error(L, "not enough memory");
  const char *kind = cause == ENOENT ? "missing" : "system";
  struct dqc_cause room;
  lua_pushnil(L);
  lua_pushstring(L, rc == DQC_EOS ? kind : "value");
  lua_pushstring(L, rc == DQC_EOS ? dqc_cause_text(&room, cause)
                                  : "it is a link, or no regular file");
  return 3;
}

/* The bytes belong to Lua, so that no error leaks them. */
static struct dqc_buf *new_bytes(lua_State *L)
{
  struct dqc_buf *out = dql_newuserdata(L, sizeof *out, 0);
  dqc_buf_init(out, dql_alloc(L));
  dql_setclass(L, CLASS);
  return out;
}

static int bytes_gc(lua_State *L)
{
  dqc_buf_free(dql_checkclass(L, 1, CLASS));
  return 0;
}

/* read_file(path, max) -> bytes | nil, kind, reason */
static int read_file(lua_State *L)
{
  const char *path = check_path(L);
  lua_Number max = luaL_checknumber(L, 2);
  luaL_argcheck(L, max >= 0 && max <= READ_MAX, 2, "range");
  struct dqc_buf *out = new_bytes(L);
  int rc = dqc_file_read(path, (size_t)max, out), cause = errno;
  if (rc) dqc_buf_free(out);
  if (rc == DQC_ETOOBIG) {
    lua_pushnil(L);
    lua_pushliteral(L, "value");
    lua_pushfstring(L, "the file is larger than %d bytes", (int)max);
    return 3;
  }
  if (rc) return push_failure(L, rc, cause);
  dql_push_bytes(L, dqc_buf_view(out));
  dqc_buf_free(out);
  return 1;
}

/* replace_file(path, bytes) -> true | nil, kind, reason */
static int replace_file(lua_State *L)
{
  const char *path = check_path(L);
  luaL_checktype(L, 2, LUA_TSTRING);
  int rc = dqc_file_replace(path, dql_check_bytes(L, 2), dql_alloc(L));
  int cause = errno;
  if (rc) return push_failure(L, rc, cause);
  lua_pushboolean(L, 1);
  return 1;
}

/* random() -> a number from 0 to below 1 */
static int random_number(lua_State *L)
{
  uint64_t bits = dqc_random() >> 11; /* the 53 that a double holds */
  lua_pushnumber(L, (lua_Number)bits * (lua_Number)0x1p-53);
  return 1;
}

void dql_register_file(lua_State *L)
{
  static const luaL_Reg metamethods[] = {{"__gc", bytes_gc}, {NULL, NULL}};
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg functions[] = {{"read_file", read_file},
                                       {"replace_file", replace_file},
                                       {"random", random_number},
                                       {NULL, NULL}};
  dql_newclass(L, CLASS, metamethods, none);
  lua_pop(L, 1);
  dql_setfuncs(L, functions);
}
