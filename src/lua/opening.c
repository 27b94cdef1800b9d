/* How a session is opened: the requests that leave in one write, and what is
 * in their answers, without a table for each of them. */
#include <string.h>

#include "core/status.h"
#include "lua/bytes.h"
#include "lua/session.h"

/* Queues a request: schema 0, all fields but this one 0 or empty. */
static int put(struct dql_session *s, uint8_t request, struct dqc_field field,
               const char **refusal)
{
  struct dqc_message message;
  memset(&message, 0, sizeof message);
  message.layout = dqc_layout_of(DQC_TO_SERVER, request, 0);
  message.fields[0] = field;
  *refusal = dqc_session_refusal(&message);
  return dqc_session_send(&s->core, &message);
}

static int put_all(struct dql_session *s, struct dqc_bytes database,
                   int members, const char **refusal)
{
  struct dqc_field none = {0}, name = {0}, format = {0};
  name.bytes = database;
  format.word = 1; /* with roles */
  int rc = put(s, DQC_REQUEST_LEADER, none, refusal);
  if (!rc) rc = put(s, DQC_REQUEST_CLIENT, none, refusal);
  if (!rc) rc = put(s, DQC_REQUEST_OPEN, name, refusal);
  if (!rc && members) rc = put(s, DQC_REQUEST_CLUSTER, format, refusal);
  return rc;
}

/* open(database, members) -> how many bytes are pending: LEADER, CLIENT, OPEN
 * and, for the members, CLUSTER | nil, kind, reason: the session is good for
 * nothing else */
static int session_open(lua_State *L)
{
  struct dql_session *s = dql_idle_session(L);
  struct dqc_bytes database = dql_check_bytes(L, 2);
  const char *refusal;
  int rc = put_all(s, database, lua_toboolean(L, 3), &refusal);
  if (rc == DQC_DONE) {
    lua_pushinteger(L, (lua_Integer)dqc_session_pending(&s->core).len);
    return 1;
  }
  if (s->core.status) return dql_push_ended(L, s);
  if (rc == DQC_ENOMEM) return luaL_error(L, "not enough memory");
  lua_pushnil(L);
  lua_pushliteral(L, "value");
  lua_pushstring(L,
                 refusal ? refusal : "a request larger than max_message_size");
  return 3;
}

static struct dqc_message *check_reply(lua_State *L, struct dql_session *s,
                                       uint8_t number)
{
  if (!s->has_reply || s->reply.message.layout->number != number) {
    luaL_error(L, "the current reply is not of this kind");
  }
  return &s->reply.message;
}

/* leader() -> address and whether the id is another than 0, of the current
 * SERVER */
static int session_leader(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  struct dqc_message *m = check_reply(L, s, DQC_RESPONSE_SERVER);
  lua_settop(L, 1);
  lua_pushboolean(L, m->fields[0].word != 0);
  s->pushing = 1;
  dql_push_bytes(L, m->fields[1].bytes);
  s->pushing = 0;
  lua_insert(L, 2);
  return 2;
}

/* database() -> number of the current DB */
static int session_database(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  struct dqc_message *m = check_reply(L, s, DQC_RESPONSE_DB);
  lua_pushnumber(L, (lua_Number)m->fields[0].word);
  return 1;
}

const luaL_Reg dql_opening_methods[] = {{"open", session_open},
                                        {"leader", session_leader},
                                        {"database", session_database},
                                        {NULL, NULL}};
