/* Many requests and many replies in one call each, for executemany. What is out of
 * the ordinary is left to the methods that take one (request.c, reply.c). */
#include <string.h>

#include "core/fork.h"
#include "core/status.h"
#include "lua/params.h"
#include "lua/session.h"

#define SETS 4
#define NUMBERING 7

#define BYTES ((size_t)256 * 1024) /* made ahead, as in dqlite.window */

static int exec_set(lua_State *L, struct dql_session *s, uint64_t id, int i)
{
  struct dql_params params;
  struct dqc_message message;
  lua_settop(L, NUMBERING);
  lua_rawgeti(L, SETS, i);
  if (!lua_istable(L, -1) || dql_params_of(L, NUMBERING, &params)) return 0;
  memset(&message, 0, sizeof message);
  message.layout =
      dqc_layout_of(DQC_TO_SERVER, DQC_REQUEST_EXEC, params.count > UINT8_MAX);
  message.fields[1].word = id;
  message.fields[2].values = params.values;
  message.fields[2].count = params.count;
  return dqc_session_send(&s->core, &message) == DQC_DONE;
}

/* exec_sets(id, numbering, sets, first, most) -> for how many sets of parameters
 * an EXEC was queued, from the first one on: up to `most`, as far as that is not
 * very large, or to what is no such set, about which exec knows more */
static int session_exec_sets(lua_State *L)
{
  struct dql_session *s = dql_idle_session(L);
  lua_Number id = luaL_checknumber(L, 2);
  luaL_argcheck(L, id >= 0 && id <= (lua_Number)UINT32_MAX, 2, "range");
  luaL_checktype(L, SETS, LUA_TTABLE);
  int first = (int)luaL_checkinteger(L, 5);
  int most = (int)luaL_checkinteger(L, 6), n = 0;
  if (s->forks != dqc_fork_count()) most = 0;
  lua_settop(L, 6);
  lua_pushvalue(L, 3);
  while (n < most && dqc_session_pending(&s->core).len < BYTES &&
         exec_set(L, s, (uint64_t)id, first + n)) {
    n++;
  }
  lua_pushinteger(L, n);
  return 1;
}

/* results() -> how many RESULTs were taken, how many rows these affected: the
 * replies that are here, up to one of another kind */
static int session_results(lua_State *L)
{
  struct dql_session *s = dql_check_receiver(L, 1);
  lua_Integer n = 0;
  uint64_t rows = 0;
  while (dqc_session_has(&s->core, DQC_RESPONSE_RESULT) &&
         dqc_session_next(&s->core, &s->reply) == DQC_DONE) {
    rows += s->reply.message.fields[1].word;
    n++;
  }
  lua_pushinteger(L, n);
  dql_push_unsigned(L, rows);
  return 2;
}

const luaL_Reg dql_bulk_methods[] = {{"exec_sets", session_exec_sets},
                                     {"results", session_results},
                                     {NULL, NULL}};
