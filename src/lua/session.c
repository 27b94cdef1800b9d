/* core/session.h for Lua: what lua/dqlite/session.lua and connection.lua talk
 * to. Nothing here touches a socket. */
#include "lua/session.h"

#include <string.h>

#include "core/status.h"
#include "lua/alloc.h"
#include "lua/bytes.h"
#include "lua/decode.h"
#include "lua/encode.h"
#include "lua/params.h"
#include "lua/result.h"
#include "lua/value.h"

#define CLASS "dqlite.core_session"

struct session {
  struct dqc_session core;
  struct dqc_reply reply;
  uint8_t has_reply;
  uint8_t pushing; /* Lua values are being made of the reply's bytes */
  struct dql_reading reading;
};

static struct session *check(lua_State *L)
{
  return luaL_checkudata(L, 1, CLASS);
}

/* While values are pushed the collector may run somebody's finalizer. What
 * that does here must not move the bytes; to close is harmless. After an
 * error in the middle of it the session is good for nothing else. */
static struct session *check_unread(lua_State *L, int index)
{
  struct session *s = luaL_checkudata(L, index, CLASS);
  if (s->pushing) luaL_error(L, "the reply is being read");
  s->has_reply = 0;
  return s;
}

struct dqc_session *dql_check_session(lua_State *L, int index)
{
  return &check_unread(L, index)->core;
}

int dql_push_failure(lua_State *L, int status, const char *reason)
{
  const char *kind = "closed";
  if (status == DQC_ENOMEM) return luaL_error(L, "not enough memory");
  if (status == DQC_EPROTO || status == DQC_ETOOBIG) kind = "protocol";
  if (status == DQC_ETIMEOUT) kind = "timeout";
  lua_pushnil(L);
  lua_pushstring(L, kind);
  lua_pushstring(L, reason);
  return 3;
}

static int push_ended(lua_State *L, const struct session *s)
{
  return dql_push_failure(L, s->core.status, s->core.reason);
}

static int push_true(lua_State *L)
{
  lua_pushboolean(L, 1);
  return 1;
}

/* session(max_message) */
static int new_session(lua_State *L)
{
  lua_Number max = luaL_checknumber(L, 1);
  luaL_argcheck(L, max >= 8 && max <= (lua_Number)DQC_FRAME_MAX, 1, "range");
  struct session *s = dql_newuserdata(L, sizeof *s, 0);
  memset(s, 0, sizeof *s);
  dqc_session_init(&s->core, dql_alloc(L), (size_t)max);
  luaL_getmetatable(L, CLASS);
  lua_setmetatable(L, -2);
  return 1;
}

static int session_gc(lua_State *L)
{
  dqc_session_free(&check(L)->core);
  return 0;
}

/* ---- requests ---- */

static int push_unsent(lua_State *L, const char *kind, const char *text)
{
  lua_pushnil(L);
  lua_pushstring(L, kind);
  lua_pushstring(L, text);
  return 3;
}

static const char *unsent_reason(int rc, const struct dqc_message *message)
{
  const char *refusal = dqc_session_refusal(message);
  if (refusal) return refusal;
  if (rc == DQC_ETOOBIG) return "a request larger than max_message_size";
  return "a text with a NUL in it, or more parameters than the schema counts";
}

static int send_message(lua_State *L, struct session *s,
                        const struct dqc_message *message)
{
  int rc = dqc_session_send(&s->core, message);
  if (rc == DQC_DONE) return push_true(L);
  if (s->core.status) return push_ended(L, s);
  if (rc == DQC_ENOMEM) return luaL_error(L, "not enough memory");
  return push_unsent(L, "value", unsent_reason(rc, message));
}

/* send(name, fields) -> true | nil, kind, reason. Raises bad fields. */
static int session_send(lua_State *L)
{
  struct session *s = check_unread(L, 1);
  struct dqc_message message;
  const char *name = luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  dql_message_of(L, name, 3, &message);
  return send_message(L, s, &message);
}

/* exec_sql(sql, ...) and query_sql(sql, ...): parameters one by one or in one
 * table. -> true | nil, kind, reason; the kind "misuse" is for raising. */
static int send_sql(lua_State *L, uint8_t request)
{
  struct session *s = check_unread(L, 1);
  struct dqc_message message;
  struct dql_params params;
  memset(&message, 0, sizeof message);
  message.layout = dqc_layout_of(DQC_TO_SERVER, request, 0);
  message.fields[1].bytes = dql_check_bytes(L, 2);
  const char *kind = dql_params_of(L, 3, &params);
  if (kind) return push_unsent(L, kind, lua_tostring(L, -1));
  message.fields[2].values = params.values;
  message.fields[2].count = params.count;
  return send_message(L, s, &message);
}

static int session_exec_sql(lua_State *L)
{
  return send_sql(L, DQC_REQUEST_EXEC_SQL);
}

static int session_query_sql(lua_State *L)
{
  return send_sql(L, DQC_REQUEST_QUERY_SQL);
}

/* ---- bytes, for streams that carry strings ---- */

static int session_pending(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)dqc_session_pending(&check(L)->core).len);
  return 1;
}

/* take() -> what is pending, which counts as sent */
static int session_take(lua_State *L)
{
  struct session *s = check(L);
  struct dqc_bytes pending = dqc_session_pending(&s->core);
  dql_push_bytes(L, pending);
  dqc_session_sent(&s->core, pending.len);
  return 1;
}

static int session_feed(lua_State *L)
{
  struct dqc_session *core = dql_check_session(L, 1);
  if (dqc_session_feed(core, dql_check_bytes(L, 2)) == DQC_ENOMEM) {
    return luaL_error(L, "not enough memory");
  }
  return 0;
}

/* ---- replies ---- */

/* next() -> name, last | nothing: more bytes are wanted | nil, kind, reason */
static int session_next(lua_State *L)
{
  struct session *s = check_unread(L, 1);
  int rc = dqc_session_next(&s->core, &s->reply);
  s->has_reply = rc == DQC_DONE;
  if (rc == DQC_WANT_READ) return 0;
  if (rc) return push_ended(L, s);
  lua_pushstring(L, s->reply.message.layout->name);
  lua_pushboolean(L, s->reply.last);
  return 2;
}

/* The current reply, which must be of this kind; done() ends its reading. */
static struct dqc_message *check_reply(lua_State *L, struct session *s,
                                       uint8_t number)
{
  if (!s->has_reply || s->reply.message.layout->number != number) {
    luaL_error(L, "the current reply is not of this kind");
  }
  s->pushing = 1;
  return &s->reply.message;
}

static int done(struct session *s, int values)
{
  s->pushing = 0;
  return values;
}

static int push_unreadable(lua_State *L, struct session *s)
{
  dqc_session_fail(&s->core, DQC_EPROTO, "a row that cannot be read");
  s->has_reply = 0;
  return done(s, push_ended(L, s));
}

/* message() -> the current reply as a table | nil, kind, reason */
static int session_message(lua_State *L)
{
  struct session *s = check(L);
  if (!s->has_reply) return luaL_error(L, "there is no current reply");
  s->pushing = 1;
  if (dql_push_message(L, &s->reply.message, s->reply.roles)) {
    return push_unreadable(L, s);
  }
  return done(s, 1);
}

/* result() -> last_insert_id, rows_affected of the current RESULT */
static int session_result(lua_State *L)
{
  struct session *s = check(L);
  struct dqc_message *m = check_reply(L, s, DQC_RESPONSE_RESULT);
  dql_push_integer(L, (int64_t)m->fields[0].word, s->reading.int64);
  dql_push_unsigned(L, m->fields[1].word);
  return done(s, 2);
}

/* failure() -> code, message of the current FAILURE */
static int session_failure(lua_State *L)
{
  struct session *s = check(L);
  struct dqc_message *m = check_reply(L, s, DQC_RESPONSE_FAILURE);
  dql_push_unsigned(L, m->fields[0].word);
  dql_push_bytes(L, m->fields[1].bytes);
  return done(s, 2);
}

static struct dqc_rows *check_rows(lua_State *L, struct session *s)
{
  return &check_reply(L, s, DQC_RESPONSE_ROWS)->fields[0].rows;
}

/* columns() -> names of the current ROWS */
static int session_columns(lua_State *L)
{
  struct session *s = check(L);
  dql_push_columns(L, check_rows(L, s));
  return done(s, 1);
}

/* types() -> type names of the next row, or nil when there is none */
static int session_types(lua_State *L)
{
  struct session *s = check(L);
  if (dql_push_types(L, check_rows(L, s))) return push_unreadable(L, s);
  return done(s, 1);
}

/* The next rows of the current ROWS go into list[n + 1] and on, up to
 * list[limit]. -> n, whether rows are left over | nil, kind, reason. For
 * `null` see result.h. */
static int read_rows(lua_State *L, enum dql_shape shape)
{
  struct session *s = check(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t n = (size_t)luaL_checknumber(L, 3);
  lua_Number limit = luaL_checknumber(L, 4);
  lua_settop(L, 6);
  struct dqc_rows *rows = check_rows(L, s);
  while (rows->rows.len && (lua_Number)n < limit) {
    if (dql_push_row(L, rows, shape, &s->reading)) {
      return push_unreadable(L, s);
    }
    lua_rawseti(L, 2, (int)++n);
  }
  lua_pushinteger(L, (lua_Integer)n);
  lua_pushboolean(L, rows->rows.len != 0);
  return done(s, 2);
}

/* rows_by_name(list, n, limit, null, columns) */
static int session_rows_by_name(lua_State *L)
{
  return read_rows(L, DQL_BY_NAME);
}

/* rows_by_position(list, n, limit, null) */
static int session_rows_by_position(lua_State *L)
{
  return read_rows(L, DQL_BY_POSITION);
}

/* first_values(list, n, limit, null) */
static int session_first_values(lua_State *L)
{
  return read_rows(L, DQL_FIRST_VALUE);
}

/* ---- state ---- */

/* reading(int64, wrap_blobs, raw_dates): how values are read from now on */
static int session_reading(lua_State *L)
{
  static const char *const policies[] = {"string", "cdata", "number",
                                         "string-all", NULL};
  struct session *s = check(L);
  s->reading.int64 = (uint8_t)luaL_checkoption(L, 2, NULL, policies);
  s->reading.wrap_blobs = (uint8_t)lua_toboolean(L, 3);
  s->reading.raw_dates = (uint8_t)lua_toboolean(L, 4);
  return 0;
}

/* body_size() -> bytes of the current reply */
static int session_body_size(lua_State *L)
{
  struct session *s = check(L);
  lua_pushinteger(L, (lua_Integer)s->core.current);
  return 1;
}

static int session_outstanding(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)dqc_session_outstanding(&check(L)->core));
  return 1;
}

/* close(): every later call answers "closed" */
static int session_close(lua_State *L)
{
  struct session *s = check(L);
  dqc_session_fail(&s->core, DQC_ECLOSED, "the connection was closed");
  s->has_reply = 0;
  if (!s->pushing) dqc_session_free(&s->core);
  return 0;
}

void dql_register_session(lua_State *L)
{
  static const luaL_Reg metamethods[] = {{"__gc", session_gc}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"send", session_send},
      {"exec_sql", session_exec_sql},
      {"query_sql", session_query_sql},
      {"pending", session_pending},
      {"take", session_take},
      {"feed", session_feed},
      {"next", session_next},
      {"message", session_message},
      {"result", session_result},
      {"failure", session_failure},
      {"columns", session_columns},
      {"types", session_types},
      {"rows_by_name", session_rows_by_name},
      {"rows_by_position", session_rows_by_position},
      {"first_values", session_first_values},
      {"reading", session_reading},
      {"body_size", session_body_size},
      {"outstanding", session_outstanding},
      {"close", session_close},
      {NULL, NULL}};
  dql_newclass(L, CLASS, metamethods, methods);
  lua_pop(L, 1);
  lua_pushcfunction(L, new_session);
  lua_setfield(L, -2, "session");
}
