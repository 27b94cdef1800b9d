/* core/sql.h for Lua: what can be told from the text of a statement. */
#include "lua/scan.h"

#include "core/sql.h"
#include "core/status.h"
#include "lua/alloc.h"
#include "lua/bytes.h"
#include "lua/numbering.h"

static const char CLASS[] = "dqlite.core_sql";

/* The scanner's memory belongs to Lua, so that no error leaks it. */
static struct dqc_sql *new_sql(lua_State *L)
{
  struct dqc_sql *sql = dql_newuserdata(L, sizeof *sql, 0);
  dqc_sql_init(sql, dql_alloc(L));
  dql_setclass(L, CLASS);
  return sql;
}

static int sql_gc(lua_State *L)
{
  dqc_sql_free(dql_checkclass(L, 1, CLASS));
  return 0;
}

static const char *kind_name(enum dqc_sql_kind kind)
{
  switch (kind) {
  case DQC_SQL_EMPTY: return "empty";
  case DQC_SQL_UNKNOWN: return "unknown";
  case DQC_SQL_READ: return "read";
  case DQC_SQL_CHANGE: return "change";
  case DQC_SQL_DEFINE: return "define";
  case DQC_SQL_PRAGMA: return "pragma";
  case DQC_SQL_ATTACH: return "attach";
  case DQC_SQL_DETACH: return "detach";
  case DQC_SQL_BEGIN: return "begin";
  case DQC_SQL_COMMIT: return "commit";
  case DQC_SQL_ROLLBACK: return "rollback";
  case DQC_SQL_ROLLBACK_TO: return "rollback_to";
  case DQC_SQL_SAVEPOINT: return "savepoint";
  case DQC_SQL_RELEASE: return "release";
  }
  return "unknown";
}

static void set_string(lua_State *L, const char *name, const char *value)
{
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

static void set_flag(lua_State *L, const char *name, int value)
{
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

static void set_size(lua_State *L, const char *name, size_t value)
{
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

/* The statement itself. Its text is the string at 1 where that is all. */
static void set_text(lua_State *L, const struct dqc_sql *sql,
                     struct dqc_bytes text, size_t skipped)
{
  if (skipped == 0 && sql->begin == 0 && sql->end == text.len) {
    lua_pushvalue(L, 1);
  } else {
    lua_pushlstring(L, (const char *)text.ptr + sql->begin,
                    sql->end - sql->begin);
  }
  lua_setfield(L, -2, "text");
  set_size(L, "next", skipped + sql->next + 1);
}

static void push_scanned(lua_State *L, const struct dqc_sql *sql,
                         struct dqc_bytes text, size_t skipped)
{
  lua_createtable(L, 0, 16);
  set_string(L, "kind", kind_name((enum dqc_sql_kind)sql->kind));
  set_string(L, "verb", sql->verb);
  set_string(L, "refusal", sql->refusal);
  set_flag(L, "explain", sql->explain);
  set_flag(L, "with", sql->with);
  set_flag(L, "returning", sql->returning);
  set_flag(L, "star", sql->star);
  set_flag(L, "rollback", sql->rollback);
  set_flag(L, "fails", sql->fails);
  set_flag(L, "setter", sql->setter);
  set_flag(L, "more", sql->more);
  set_flag(L, "misnumbered", sql->misnumbered);
  set_size(L, "params", sql->params);
  dql_push_numbering(L, sql, text);
  lua_setfield(L, -2, "numbering");
  set_text(L, sql, text, skipped);
}

/* scan(text, init) -> what is known of the first statement from the byte init
 * (1 by default) on. Raises for a text of 4 GiB. */
static int scan(lua_State *L)
{
  struct dqc_bytes text = dql_check_bytes(L, 1);
  lua_Number init = luaL_optnumber(L, 2, 1);
  luaL_argcheck(L, init >= 1 && init <= (lua_Number)text.len + 1, 2, "range");
  size_t skipped = (size_t)init - 1;
  text.ptr += skipped;
  text.len -= skipped;
  struct dqc_sql *sql = new_sql(L);
  int rc = dqc_sql_scan(sql, text);
  if (rc == DQC_ENOMEM) return luaL_error(L, "not enough memory");
  if (rc) return luaL_error(L, "a text of 4 GiB or more");
  push_scanned(L, sql, text, skipped);
  dqc_sql_free(sql);
  return 1;
}

void dql_register_scan(lua_State *L)
{
  static const luaL_Reg metamethods[] = {{"__gc", sql_gc}, {NULL, NULL}};
  static const luaL_Reg none[] = {{NULL, NULL}};
  dql_newclass(L, CLASS, metamethods, none);
  lua_pop(L, 1);
  dql_register_numbering(L);
  lua_pushcfunction(L, scan);
  lua_setfield(L, -2, "scan");
}
