/* The current reply of a session as Lua values. */
#include "core/fork.h"
#include "core/status.h"
#include "lua/bytes.h"
#include "lua/decode.h"
#include "lua/number.h"
#include "lua/result.h"
#include "lua/session.h"

static void check_kind(lua_State *L, struct dql_session *s, uint8_t number)
{
  if (!s->has_reply || s->reply.message.layout->number != number) {
    luaL_error(L, "the current reply is not of this kind");
  }
}

/* The current reply, which must be of this kind; done() ends its reading.
 * After an error in the middle of it the session is good for nothing else. */
static struct dqc_message *check_reply(lua_State *L, struct dql_session *s,
                                       uint8_t number)
{
  check_kind(L, s, number);
  s->pushing = 1;
  return &s->reply.message;
}

static int done(struct dql_session *s, int values)
{
  s->pushing = 0;
  return values;
}

static int push_unreadable(lua_State *L, struct dql_session *s)
{
  dqc_session_fail(&s->core, DQC_EPROTO, "a row that cannot be read");
  s->has_reply = 0;
  return done(s, dql_push_ended(L, s));
}

/* message() -> the current reply as a table | nil, kind, reason */
static int session_message(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
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
  struct dql_session *s = dql_session_of(L);
  struct dqc_message *m = check_reply(L, s, DQC_RESPONSE_RESULT);
  dql_push_integer(L, (int64_t)m->fields[0].word, s->reading.int64);
  dql_push_unsigned(L, m->fields[1].word);
  return done(s, 2);
}

/* failure() -> code, message of the current FAILURE */
static int session_failure(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  struct dqc_message *m = check_reply(L, s, DQC_RESPONSE_FAILURE);
  dql_push_unsigned(L, m->fields[0].word);
  dql_push_bytes(L, m->fields[1].bytes);
  return done(s, 2);
}

/* statement() -> id, params, tail of the current STMT; tail, the offset behind
 * the first statement, is nil in schema 0 */
static int session_statement(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  struct dqc_message *m = check_reply(L, s, DQC_RESPONSE_STMT);
  dql_push_unsigned(L, m->fields[1].word);
  dql_push_unsigned(L, m->fields[2].word);
  if (m->layout->schema == 0) {
    lua_pushnil(L);
  } else {
    dql_push_unsigned(L, m->fields[3].word);
  }
  return done(s, 3);
}

/* ---- rows ---- */

static struct dqc_rows *check_rows(lua_State *L, struct dql_session *s)
{
  return &check_reply(L, s, DQC_RESPONSE_ROWS)->fields[0].rows;
}

/* columns(last) -> names of the current ROWS; the list `last` itself where it
 * has the same ones, as the answers to one statement mostly have */
static int session_columns(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  lua_settop(L, 2);
  struct dqc_rows *rows = check_rows(L, s);
  if (!lua_istable(L, 2) || !dql_same_columns(L, 2, rows)) {
    dql_push_columns(L, rows);
  }
  return done(s, 1);
}

/* types() -> type names of the next row, or nil when there is none */
static int session_types(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  if (dql_push_types(L, check_rows(L, s))) return push_unreadable(L, s);
  return done(s, 1);
}

/* count_rows() -> how many rows the current ROWS still had; now it has none |
 * nil, kind, reason */
static int session_count_rows(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  size_t count;
  if (dql_count_rows(check_rows(L, s), &count)) return push_unreadable(L, s);
  lua_pushinteger(L, (lua_Integer)count);
  return done(s, 1);
}

/* The next rows of the current ROWS go into list[n + 1] and on, up to
 * list[limit]. -> n, whether rows are left over | nil, kind, reason. */
static int read_rows(lua_State *L, enum dql_shape shape)
{
  struct dql_session *s = dql_session_of(L);
  struct dql_row_form form = {shape, 5, 6, 0, &s->reading};
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t n = (size_t)luaL_checknumber(L, 3);
  lua_Number limit = luaL_checknumber(L, 4);
  lua_settop(L, 6);
  struct dqc_rows *rows = check_rows(L, s);
  while (rows->rows.len && (lua_Number)n < limit) {
    if (dql_push_row(L, rows, &form)) return push_unreadable(L, s);
    lua_rawseti(L, 2, (int)++n);
  }
  lua_pushinteger(L, (lua_Integer)n);
  lua_pushboolean(L, rows->rows.len != 0);
  return done(s, 2);
}

/* rows_by_name(list, n, limit, null, columns): a NULL becomes `null` */
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

/* ---- rows one at a time ---- */

/* begin_rows(ticket) -> the ticket, a new one where there is none: to who has it
 * next_row gives the rows of the current ROWS */
static int session_begin_rows(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  lua_Number ticket = luaL_optnumber(L, 2, (lua_Number)s->tickets + 1);
  luaL_argcheck(L, ticket >= 1 && ticket <= s->tickets + 1.0, 2, "range");
  check_kind(L, s, DQC_RESPONSE_ROWS);
  s->reader = (unsigned)ticket;
  if (s->reader > s->tickets) s->tickets = s->reader;
  lua_pushinteger(L, (lua_Integer)s->reader);
  return 1;
}

/* next_row(ticket, null, columns, into) -> row, by name where columns is a table,
 * in the one that is `into` or a new one | nothing: this frame has no more, or is
 * for another ticket, or belongs to the process that has forked this one | nil,
 * kind, reason; nil, "broken off" where an error was raised while a row was read */
static int session_next_row(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  if (s->pushing) {
    lua_pushnil(L);
    lua_pushliteral(L, "broken off");
    return 2;
  }
  int valid = s->has_reply && s->reader && lua_tonumber(L, 2) == s->reader;
  if (!valid || s->forks != dqc_fork_count()) return 0;
  struct dqc_rows *rows = check_rows(L, s);
  if (rows->rows.len == 0) return done(s, 0);
  lua_settop(L, 5);
  struct dql_row_form form = {lua_istable(L, 4) ? DQL_BY_NAME
                                                : DQL_BY_POSITION,
                              3, 4, lua_istable(L, 5) ? 5 : 0, &s->reading};
  if (dql_push_row(L, rows, &form)) return push_unreadable(L, s);
  return done(s, 1);
}

/* The first row of the current ROWS in a shape -> it | nil where there is none | nil,
 * kind, reason */
static int read_only_row(lua_State *L, struct dql_session *s,
                         const struct dqc_rows *frame,
                         const struct dql_row_form *form)
{
  struct dqc_rows rows = *frame;
  if (rows.rows.len == 0) {
    lua_pushnil(L);
  } else if (dql_push_row(L, &rows, form)) {
    return push_unreadable(L, s);
  }
  return done(s, 1);
}

/* Pushes the names of columns that the session at 1 keeps: those of its last answer,
 * which most answers have, with their bytes at 0. */
static void push_kept_columns(lua_State *L, const struct dqc_rows *rows)
{
  dql_getuservalue(L, 1);
  lua_rawgeti(L, -1, 0);
  int same = dql_is_text(L, -1, rows->names);
  lua_pop(L, 1);
  if (same) return;
  dql_push_columns(L, rows);
  dql_push_bytes(L, rows->names);
  lua_rawseti(L, -2, 0);
  lua_replace(L, -2);
  lua_pushvalue(L, -1);
  dql_setuservalue(L, 1);
}

/* only_by_name(null) */
static int session_only_by_name(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  struct dql_row_form form = {DQL_BY_NAME, 2, 3, 0, &s->reading};
  lua_settop(L, 2);
  struct dqc_rows *rows = check_rows(L, s);
  push_kept_columns(L, rows);
  return read_only_row(L, s, rows, &form);
}

/* only_value(null): the first column */
static int session_only_value(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  struct dql_row_form form = {DQL_FIRST_VALUE, 2, 0, 0, &s->reading};
  lua_settop(L, 2);
  return read_only_row(L, s, check_rows(L, s), &form);
}

const luaL_Reg dql_reply_methods[] = {
    {"message", session_message},
    {"result", session_result},
    {"failure", session_failure},
    {"statement", session_statement},
    {"columns", session_columns},
    {"types", session_types},
    {"count_rows", session_count_rows},
    {"rows_by_name", session_rows_by_name},
    {"rows_by_position", session_rows_by_position},
    {"first_values", session_first_values},
    {"only_by_name", session_only_by_name},
    {"only_value", session_only_value},
    {"begin_rows", session_begin_rows},
    {"next_row", session_next_row},
    {NULL, NULL}};
