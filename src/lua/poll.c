/* core/poll.h for Lua: waits for several sockets, or for descriptors of anybody's. */
#include "lua/poll.h"

#include "core/poll.h"
#include "core/status.h"
#include "lua/sock.h"

/* One wait of poll's list: { sock =, wanted = } */
static void read_wait(lua_State *L, int list, int i, struct dqc_poll *wait)
{
  lua_rawgeti(L, list, i);
  lua_getfield(L, -1, "sock");
  wait->fd = dql_sock_fd(L, -1);
  lua_getfield(L, -2, "wanted");
  wait->wanted = dql_wanted_by(luaL_checkstring(L, -1));
  lua_pop(L, 3);
}

static void set_ready(lua_State *L, int list, const struct dqc_poll *waits,
                      int n)
{
  for (int i = 0; i < n; i++) {
    if (!waits[i].ready) continue;
    lua_rawgeti(L, list, i + 1);
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "ready");
    lua_pop(L, 1);
  }
}

/* poll(list, n, seconds) -> true | nil, kind, reason: waits for the first n of
 * a list of waits, POLL_MAX of them at most, until the time is over or one of
 * them is ready; sets their `ready` */
static int poll_list(lua_State *L)
{
  struct dqc_poll waits[DQC_POLL_MAX];
  luaL_checktype(L, 1, LUA_TTABLE);
  int n = (int)luaL_checkinteger(L, 2), timeout = dql_milliseconds(L, 3);
  luaL_argcheck(L, n >= 0 && n <= DQC_POLL_MAX, 2, "too many waits");
  for (int i = 0; i < n; i++) read_wait(L, 1, i + 1, &waits[i]);
  int rc = dqc_poll_wait(waits, (size_t)n, timeout);
  if (rc && rc != DQC_ETIMEOUT) return dql_push_error(L, rc);
  set_ready(L, 1, waits, n);
  lua_pushboolean(L, 1);
  return 1;
}

/* The number at a place of a list */
static int number_at(lua_State *L, int list, int i)
{
  lua_rawgeti(L, list, i);
  int number = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return number;
}

/* poll_fds(fds, events, n, seconds, ready) -> how many of the first n of a list
 * of descriptors are ready, or of no use, for the bits of poll(2) beside them:
 * these are put into the list `ready` | nil, kind, reason. Waits until there
 * is one, or the time is over. */
static int poll_fds(lua_State *L)
{
  int n = (int)luaL_checkinteger(L, 3), timeout = dql_milliseconds(L, 4),
      found = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 5, LUA_TTABLE);
  luaL_argcheck(L, n >= 0, 3, "a negative count");
  struct pollfd *fds = dql_newuserdata(L, dqc_fds_size((size_t)n), 0);
  for (int i = 0; i < n; i++) {
    dqc_fds_put(fds, (size_t)i, number_at(L, 1, i + 1),
                number_at(L, 2, i + 1));
  }
  int rc = dqc_fds_poll(fds, (size_t)n, timeout);
  if (rc && rc != DQC_ETIMEOUT) return dql_push_error(L, rc);
  for (int i = 0; i < n; i++) {
    if (!dqc_fds_is_ready(fds, (size_t)i)) continue;
    lua_rawgeti(L, 1, i + 1);
    lua_rawseti(L, 5, ++found);
  }
  lua_pushinteger(L, found);
  return 1;
}

void dql_register_poll(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"poll", poll_list}, {"poll_fds", poll_fds}, {NULL, NULL}};
  dql_setfuncs(L, functions);
  lua_pushinteger(L, DQC_POLL_MAX);
  lua_setfield(L, -2, "POLL_MAX");
  lua_pushinteger(L, dqc_fds_events(DQC_WANT_READ));
  lua_setfield(L, -2, "POLL_READ");
  lua_pushinteger(L, dqc_fds_events(DQC_WANT_WRITE));
  lua_setfield(L, -2, "POLL_WRITE");
}
