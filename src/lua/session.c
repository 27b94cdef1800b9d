/* core/session.h for Lua: what lua/dqlite/session.lua and connection.lua talk
 * to. Nothing here touches a socket. */
#include "lua/session.h"

#include <string.h>

#include "core/fork.h"
#include "core/status.h"
#include "lua/alloc.h"
#include "lua/bytes.h"

static const char CLASS[] = "dqlite.core_session";

struct dql_session *dql_session_of(lua_State *L)
{
  return dql_checkself(L, CLASS);
}

static struct dql_session *check_idle(lua_State *L, int index)
{
  struct dql_session *s =
      index == 1 ? dql_session_of(L) : dql_checkclass(L, index, CLASS);
  if (s->pushing) luaL_error(L, "the reply is being read");
  return s;
}

struct dql_session *dql_idle_session(lua_State *L)
{
  return check_idle(L, 1);
}

struct dql_session *dql_check_receiver(lua_State *L, int index)
{
  struct dql_session *s = check_idle(L, index);
  s->has_reply = 0;
  return s;
}

struct dqc_session *dql_check_session(lua_State *L, int index)
{
  return &dql_check_receiver(L, index)->core;
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

int dql_push_ended(lua_State *L, const struct dql_session *session)
{
  return dql_push_failure(L, session->core.status, session->core.reason);
}

/* session(max_message, greeted): greeted where the connection has carried an
 * earlier session */
static int new_session(lua_State *L)
{
  lua_Number max = luaL_checknumber(L, 1);
  int greeted = lua_toboolean(L, 2);
  luaL_argcheck(L, max >= 8 && max <= (lua_Number)DQC_FRAME_MAX, 1, "range");
  struct dql_session *s = dql_newuserdata(L, sizeof *s, 1);
  memset(s, 0, sizeof *s);
  s->forks = dqc_fork_count();
  dqc_session_init(&s->core, dql_alloc(L), (size_t)max);
  if (greeted) dqc_session_resume(&s->core);
  dql_setclass(L, CLASS);
  lua_newtable(L); /* the names of columns that it keeps */
  dql_setuservalue(L, -2);
  return 1;
}

static int session_gc(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  s->has_reply = 0; /* for finalizers that come later */
  dqc_session_free(&s->core);
  return 0;
}

static int push_size(lua_State *L, size_t size)
{
  lua_pushinteger(L, (lua_Integer)size);
  return 1;
}

/* ---- bytes, for streams that carry strings ---- */

static int session_pending(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  return push_size(L, dqc_session_pending(&s->core).len);
}

/* take() -> what is pending, which counts as sent */
static int session_take(lua_State *L)
{
  struct dql_session *s = check_idle(L, 1);
  struct dqc_bytes pending = dqc_session_pending(&s->core);
  s->pushing = 1;
  dql_push_bytes(L, pending);
  s->pushing = 0;
  dqc_session_sent(&s->core, pending.len);
  return 1;
}

/* nudge() -> one byte, to be written at once, which counts as sent | nil */
static int session_nudge(lua_State *L)
{
  struct dql_session *s = check_idle(L, 1);
  struct dqc_bytes byte = dqc_session_nudge(&s->core);
  dql_push_bytes(L, byte);
  /* A finalizer that ran meanwhile may have used the session. */
  if (byte.len == 0 || dqc_session_nudge(&s->core).ptr != byte.ptr) {
    lua_pushnil(L);
    return 1;
  }
  dqc_session_nudged(&s->core);
  return 1;
}

/* settle() -> how many bytes are pending, with the rest of what nudge has begun
 * | nil, kind, reason */
static int session_settle(lua_State *L)
{
  struct dql_session *s = check_idle(L, 1);
  int rc = dqc_session_settle(&s->core);
  if (s->core.status) return dql_push_ended(L, s);
  if (rc) return luaL_error(L, "not enough memory");
  return push_size(L, dqc_session_pending(&s->core).len);
}

static int session_feed(lua_State *L)
{
  struct dqc_session *core = dql_check_session(L, 1);
  if (dqc_session_feed(core, dql_check_bytes(L, 2)) == DQC_ENOMEM) {
    return luaL_error(L, "not enough memory");
  }
  return 0;
}

int dql_push_reply(lua_State *L, struct dql_session *s)
{
  s->reader = 0;
  int rc = dqc_session_next(&s->core, &s->reply);
  s->has_reply = rc == DQC_DONE;
  if (rc == DQC_WANT_READ) return 0;
  if (rc) return dql_push_ended(L, s);
  lua_pushstring(L, s->reply.message.layout->name);
  lua_pushboolean(L, s->reply.last);
  push_size(L, s->core.current);
  return 3;
}

/* next() -> name, last, size in bytes | nil, nil, how many bytes are pending:
 * more are wanted | nil, kind, reason. The reply is the current one until the
 * next call of next or feed. */
static int session_next(lua_State *L)
{
  struct dql_session *s = dql_check_receiver(L, 1);
  int pushed = dql_push_reply(L, s);
  if (pushed) return pushed;
  lua_pushnil(L);
  lua_pushnil(L);
  push_size(L, dqc_session_pending(&s->core).len);
  return 3;
}

/* ---- state ---- */

/* reading(int64, wrap_blobs, raw_dates): how values are read from now on */
static int session_reading(lua_State *L)
{
  static const char *const policies[] = {"string", "cdata", "number",
                                         "string-all", NULL};
  struct dql_session *s = dql_session_of(L);
  s->reading.int64 = (uint8_t)luaL_checkoption(L, 2, NULL, policies);
  s->reading.wrap_blobs = (uint8_t)lua_toboolean(L, 3);
  s->reading.raw_dates = (uint8_t)lua_toboolean(L, 4);
  return 0;
}

static int session_outstanding(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  return push_size(L, dqc_session_outstanding(&s->core));
}

/* owed() -> how many answers to what nudge has begun are to come: next() drops
 * them */
static int session_owed(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  return push_size(L, dqc_session_owed(&s->core));
}

/* awaits() -> is an answer due to a request that has left? */
static int session_awaits(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  lua_pushboolean(L, dqc_session_awaits(&s->core));
  return 1;
}

/* close(): every later call answers "closed" */
static int session_close(lua_State *L)
{
  struct dql_session *s = dql_session_of(L);
  dqc_session_fail(&s->core, DQC_ECLOSED, "the connection was closed");
  s->has_reply = 0;
  if (!s->pushing) dqc_session_free(&s->core);
  return 0;
}

void dql_register_session(lua_State *L)
{
  static const luaL_Reg metamethods[] = {{"__gc", session_gc}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"pending", session_pending}, {"take", session_take},
      {"nudge", session_nudge},     {"settle", session_settle},
      {"feed", session_feed},       {"next", session_next},
      {"reading", session_reading}, {"outstanding", session_outstanding},
      {"owed", session_owed},       {"awaits", session_awaits},
      {"close", session_close},     {NULL, NULL}};
  dql_newclass(L, CLASS, metamethods, methods);
  lua_getfield(L, -1, "__index");
  dql_addmethods(L, dql_opening_methods);
  dql_addmethods(L, dql_request_methods);
  dql_addmethods(L, dql_reply_methods);
  dql_addmethods(L, dql_bulk_methods);
  lua_setfield(L, -3, "session_methods");
  lua_pop(L, 1);
  lua_pushcfunction(L, new_session);
  lua_setfield(L, -2, "session");
}
