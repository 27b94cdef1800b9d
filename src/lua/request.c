/* Requests of a session: from arguments to bytes that wait to be sent. Each
 * method answers how many bytes wait now, or nil, a kind and a reason; then
 * nothing was written and the session is as it was. The kind "misuse" is for
 * raising. */
#include <string.h>

#include "core/fork.h"
#include "core/status.h"
#include "lua/bytes.h"
#include "lua/encode.h"
#include "lua/params.h"
#include "lua/session.h"

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

static int send_message(lua_State *L, struct dql_session *s,
                        const struct dqc_message *message)
{
  int rc = dqc_session_send(&s->core, message);
  if (rc == DQC_DONE) {
    lua_pushinteger(L, (lua_Integer)dqc_session_pending(&s->core).len);
    return 1;
  }
  if (s->core.status) return dql_push_ended(L, s);
  if (rc == DQC_ENOMEM) return luaL_error(L, "not enough memory");
  return push_unsent(L, "value", unsent_reason(rc, message));
}

/* send(name, fields). Raises bad fields. */
static int session_send(lua_State *L)
{
  struct dql_session *s = dql_idle_session(L);
  struct dqc_message message;
  const char *name = luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  dql_message_of(L, name, 3, &message);
  return send_message(L, s, &message);
}

static uint64_t check_id(lua_State *L, int index)
{
  lua_Number id = luaL_checknumber(L, index);
  luaL_argcheck(L, id >= 0 && id <= (lua_Number)UINT32_MAX, index, "range");
  return (uint64_t)id;
}

/* ---- statements ---- */

/* Sends what stands at 2 (the field 1 of the message) with the parameters
 * behind the numbering at 3. Schema 0 has a byte to count them. */
static int send_statement(lua_State *L, uint8_t request, struct dql_session *s,
                          struct dqc_message *message)
{
  struct dql_params params;
  const char *kind = dql_params_of(L, 3, &params);
  if (kind) return push_unsent(L, kind, lua_tostring(L, -1));
  message->layout =
      dqc_layout_of(DQC_TO_SERVER, request, params.count > UINT8_MAX);
  message->fields[2].values = params.values;
  message->fields[2].count = params.count;
  return send_message(L, s, message);
}

/* A child of the process that it belongs to would write between its parent's bytes. */
static int push_inherited(lua_State *L)
{
  return push_unsent(L, "misuse",
                     "the connection belongs to the process that has forked "
                     "this one, and cannot be used here: connect anew in this "
                     "process, after the fork");
}

static int send_text_or_id(lua_State *L, uint8_t by_text, uint8_t by_id)
{
  struct dql_session *s = dql_idle_session(L);
  struct dqc_message message;
  memset(&message, 0, sizeof message);
  if (s->forks != dqc_fork_count()) return push_inherited(L);
  if (lua_type(L, 2) == LUA_TNUMBER) {
    message.fields[1].word = check_id(L, 2);
    return send_statement(L, by_id, s, &message);
  }
  message.fields[1].bytes = dql_check_bytes(L, 2);
  return send_statement(L, by_text, s, &message);
}

/* exec(text or id, numbering, ...): parameters as in params.h */
static int session_exec(lua_State *L)
{
  return send_text_or_id(L, DQC_REQUEST_EXEC_SQL, DQC_REQUEST_EXEC);
}

/* query(text or id, numbering, ...) */
static int session_query(lua_State *L)
{
  return send_text_or_id(L, DQC_REQUEST_QUERY_SQL, DQC_REQUEST_QUERY);
}

/* prepare(text, schema) */
static int session_prepare(lua_State *L)
{
  struct dql_session *s = dql_idle_session(L);
  struct dqc_message message;
  lua_Number schema = luaL_checknumber(L, 3);
  luaL_argcheck(L, schema == 0 || schema == 1, 3, "range");
  memset(&message, 0, sizeof message);
  message.layout =
      dqc_layout_of(DQC_TO_SERVER, DQC_REQUEST_PREPARE, schema == 1);
  message.fields[1].bytes = dql_check_bytes(L, 2);
  return send_message(L, s, &message);
}

/* finalize(id) */
static int session_finalize(lua_State *L)
{
  struct dql_session *s = dql_idle_session(L);
  struct dqc_message message;
  memset(&message, 0, sizeof message);
  message.layout = dqc_layout_of(DQC_TO_SERVER, DQC_REQUEST_FINALIZE, 0);
  message.fields[1].word = check_id(L, 2);
  return send_message(L, s, &message);
}

const luaL_Reg dql_request_methods[] = {
    {"send", session_send},         {"exec", session_exec},
    {"query", session_query},       {"prepare", session_prepare},
    {"finalize", session_finalize}, {NULL, NULL}};
