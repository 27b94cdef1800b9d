/* core/sock.h for Lua: what the loops that own a file descriptor work with.
 * Joins a socket with a session: bytes never become Lua strings. */
#define _POSIX_C_SOURCE 200809L

#include "lua/sock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/cause.h"
#include "core/sock.h"
#include "core/status.h"
#include "lua/bytes.h"
#include "lua/session.h"
#include "lua/value.h"

static const char CLASS[] = "dqlite.core_socket";

#define ADDRESSES_MAX 16 /* of one host name */
#define WAIT_MAX 86400000.0 /* ms of one wait: a day */

static struct dqc_sock *check(lua_State *L)
{
  return dql_checkself(L, CLASS);
}

int dql_sock_fd(lua_State *L, int index)
{
  const struct dqc_sock *sock = dql_checkclass(L, index, CLASS);
  return sock->fd;
}

static struct dqc_sock *check_open(lua_State *L)
{
  struct dqc_sock *sock = check(L);
  if (sock->fd < 0) luaL_error(L, "the socket is closed");
  return sock;
}

static int push_bool(lua_State *L, int value)
{
  lua_pushboolean(L, value);
  return 1;
}

int dql_push_error(lua_State *L, int rc)
{
  int cause = errno;
  struct dqc_cause room;
  const char *reason = "the server closed the connection";
  if (rc == DQC_EVALUE) reason = "the host is not a number";
  if (rc == DQC_EOS) reason = dqc_cause_text(&room, cause);
  return dql_push_failure(L, rc, reason);
}

/* Where a process that was forked in the middle of a call goes on with it, the
 * bytes would be mixed with its parent's. */
static int push_inherited(lua_State *L)
{
  lua_pushnil(L);
  lua_pushliteral(L, "misuse");
  lua_pushliteral(L, "the connection belongs to the process that has forked "
                     "this one: connect anew here");
  return 3;
}

/* Seconds to whole milliseconds, up, so that no wait ends too early. */
static int to_milliseconds(lua_Number seconds)
{
  lua_Number ms = seconds * 1000;
  if (!(ms > 0)) return 0;
  return ms < WAIT_MAX ? (int)ms + 1 : (int)WAIT_MAX;
}

int dql_milliseconds(lua_State *L, int index)
{
  return to_milliseconds(luaL_checknumber(L, index));
}

/* socket(): closed yet */
static int new_socket(lua_State *L)
{
  struct dqc_sock *sock = dql_newuserdata(L, sizeof *sock, 0);
  dqc_sock_init(sock);
  dql_setclass(L, CLASS);
  return 1;
}

static int sock_close(lua_State *L)
{
  dqc_sock_close(check(L));
  return 0;
}

/* connect(address, seconds) -> true | false: wait for writing, then ask
 * connected() | nil, kind, reason. The host must be numeric. With seconds it
 * waits itself, and makes a socket for recv_wait. */
static int sock_connect(lua_State *L)
{
  struct dqc_addr addr;
  struct dqc_sock *sock = check(L);
  const char *wrong = dqc_addr_parse(dql_check_bytes(L, 2), &addr);
  if (wrong) return luaL_argerror(L, 2, wrong);
  int patience = lua_isnoneornil(L, 3) ? 0 : dql_milliseconds(L, 3);
  int rc = dqc_sock_connect(sock, &addr, patience);
  return rc < 0 ? dql_push_error(L, rc) : push_bool(L, rc == DQC_DONE);
}

/* block() -> true | nil, kind, reason: after a connect without seconds, a socket
 * for recv_wait */
static int sock_block(lua_State *L)
{
  int rc = dqc_sock_block(check_open(L));
  return rc ? dql_push_error(L, rc) : push_bool(L, 1);
}

/* connected() -> true | nil, kind, reason */
static int sock_connected(lua_State *L)
{
  int rc = dqc_sock_connected(check_open(L));
  return rc ? dql_push_error(L, rc) : push_bool(L, 1);
}

/* Some bytes for the session: DQC_DONE, DQC_WANT_READ or an error. */
static int receive_some(struct dqc_sock *sock, struct dqc_session *session,
                        int wait, int timeout)
{
  uint8_t *room;
  size_t size, n;
  int rc = dqc_session_room(session, &room, &size);
  if (rc) return rc;
  dqc_sock_expect(sock, dqc_session_outstanding(session));
  if (wait) dqc_sock_gather(sock, timeout);
  rc = wait ? dqc_sock_recv_wait(sock, room, size, timeout, &n)
            : dqc_sock_recv(sock, room, size, &n);
  if (rc >= 0) dqc_session_received(session, n);
  return rc;
}

static int receive(lua_State *L, int wait)
{
  struct dqc_sock *sock = check_open(L);
  struct dqc_session *session = dql_check_session(L, 2);
  int timeout = wait ? dql_milliseconds(L, 3) : 0;
  if (dqc_sock_inherited(sock)) return push_inherited(L);
  if (session->status) {
    return dql_push_failure(L, session->status, session->reason);
  }
  int rc = receive_some(sock, session, wait, timeout);
  return rc < 0 ? dql_push_error(L, rc) : push_bool(L, rc == DQC_DONE);
}

/* The clock of every deadline. */
static lua_Number clock_now(void)
{
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (lua_Number)ts.tv_sec + (lua_Number)ts.tv_nsec * 1e-9;
}

/* recv(session) -> true: the session got bytes | false: wait for reading
 * | nil, kind, reason */
static int sock_recv(lua_State *L)
{
  return receive(L, 0);
}

/* recv_wait(session, seconds): as recv, after a wait; false may come early */
static int sock_recv_wait(lua_State *L)
{
  return receive(L, 1);
}

/* All that is pending: DQC_DONE, DQC_WANT_WRITE or an error. */
static int send_all(struct dqc_sock *sock, struct dqc_session *session)
{
  for (;;) {
    size_t n;
    struct dqc_bytes pending = dqc_session_pending(session);
    if (pending.len == 0) return DQC_DONE;
    int rc = dqc_sock_send(sock, pending, &n);
    if (rc) return rc;
    dqc_session_sent(session, n);
  }
}

/* send(session) -> true: nothing is pending | false: wait for writing
 * | nil, kind, reason */
static int sock_send(lua_State *L)
{
  struct dqc_sock *sock = check_open(L);
  struct dqc_session *session = dql_check_session(L, 2);
  if (dqc_sock_inherited(sock)) return push_inherited(L);
  int rc = send_all(sock, session);
  return rc < 0 ? dql_push_error(L, rc) : push_bool(L, rc == DQC_DONE);
}

/* ask(session, deadline of now()) -> what session:next() answers to the request that is
 * pending, once it was sent | nothing: what is left is for send, recv and next. It waits
 * for an answer, once. */
static int sock_ask(lua_State *L)
{
  struct dqc_sock *sock = check_open(L);
  struct dql_session *s = dql_check_receiver(L, 2);
  lua_Number deadline = luaL_checknumber(L, 3);
  if (dqc_sock_inherited(sock)) return push_inherited(L);
  if (s->core.status) return dql_push_ended(L, s);
  int rc = send_all(sock, &s->core);
  int timeout = to_milliseconds(deadline - clock_now());
  if (rc == DQC_DONE) rc = receive_some(sock, &s->core, 1, timeout);
  if (rc < 0) return dql_push_error(L, rc);
  return rc == DQC_DONE ? dql_push_reply(L, s) : 0;
}

/* reply(session) -> what session:next() answers, once something was received
 * | nothing: it is not all there | false: wait for reading | nil, kind, reason */
static int sock_reply(lua_State *L)
{
  struct dqc_sock *sock = check_open(L);
  struct dql_session *s = dql_check_receiver(L, 2);
  if (dqc_sock_inherited(sock)) return push_inherited(L);
  if (s->core.status) return dql_push_ended(L, s);
  int rc = receive_some(sock, &s->core, 0, 0);
  if (rc < 0) return dql_push_error(L, rc);
  return rc == DQC_DONE ? dql_push_reply(L, s) : push_bool(L, 0);
}

int dql_wanted_by(const char *letters)
{
  int wanted = 0;
  if (strchr(letters, 'r')) wanted |= DQC_WANT_READ;
  if (strchr(letters, 'w')) wanted |= DQC_WANT_WRITE;
  return wanted;
}

/* wait(wanted, seconds) -> readable, writable (both false when the time is
 * over, or early after a signal) | nil, kind, reason. `wanted` is "r", "w" or
 * "rw". */
static int sock_wait(lua_State *L)
{
  struct dqc_sock *sock = check_open(L);
  int wanted = dql_wanted_by(luaL_checkstring(L, 2)), ready;
  int rc = dqc_sock_wait(sock, wanted, dql_milliseconds(L, 3), &ready);
  if (rc && rc != DQC_ETIMEOUT) return dql_push_error(L, rc);
  lua_pushboolean(L, ready & DQC_WANT_READ);
  lua_pushboolean(L, ready & DQC_WANT_WRITE);
  return 2;
}

static int sock_alive(lua_State *L)
{
  return push_bool(L, dqc_sock_alive(check(L)));
}

/* fd() -> the descriptor, -1 when closed */
static int sock_fd(lua_State *L)
{
  lua_pushinteger(L, check(L)->fd);
  return 1;
}

/* peer() -> its address, numeric | nil for a socket that is not TCP */
static int sock_peer(lua_State *L)
{
  struct dqc_ip ip;
  uint16_t port;
  if (dqc_sock_peer(check_open(L), &ip, &port)) return 0;
  int v6 = strchr(ip.text, ':') != NULL;
  lua_pushfstring(L, v6 ? "[%s]:%d" : "%s:%d", ip.text, (int)port);
  return 1;
}

/* ---- functions ---- */

/* parse_address(text) -> "tcp", host, port | "unix" or "abstract", path
 * | nil, reason */
static int parse_address(lua_State *L)
{
  struct dqc_addr addr;
  const char *wrong = dqc_addr_parse(dql_check_bytes(L, 1), &addr);
  if (wrong) {
    lua_pushnil(L);
    lua_pushstring(L, wrong);
    return 2;
  }
  if (addr.kind == DQC_ADDR_TCP) {
    lua_pushliteral(L, "tcp");
    dql_push_bytes(L, addr.host);
    lua_pushinteger(L, addr.port);
    return 3;
  }
  lua_pushstring(L, addr.kind == DQC_ADDR_UNIX ? "unix" : "abstract");
  dql_push_bytes(L, addr.path);
  return 2;
}

/* lookup(host) -> list of numeric addresses | nil, reason. Blocks. */
static int lookup(lua_State *L)
{
  struct dqc_ip ips[ADDRESSES_MAX];
  size_t count;
  const char *reason;
  const char *host = luaL_checkstring(L, 1);
  if (dqc_sock_lookup(host, ips, ADDRESSES_MAX, &count, &reason)) {
    struct dqc_cause room;
    if (!reason) reason = dqc_cause_text(&room, errno);
    lua_pushnil(L);
    lua_pushstring(L, reason);
    return 2;
  }
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_pushstring(L, ips[i].text);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

/* unused_port(ip, wanted?) -> port | nil, reason, is it taken? */
static int unused_port(lua_State *L)
{
  const char *ip = luaL_checkstring(L, 1);
  lua_Integer wanted = luaL_optinteger(L, 2, 0);
  uint16_t port = (uint16_t)wanted;
  luaL_argcheck(L, wanted >= 0 && wanted <= UINT16_MAX, 2, "no port");
  int rc = dqc_sock_unused_port(ip, &port);
  if (rc) {
    int cause = errno;
    struct dqc_cause room;
    lua_pushnil(L);
    lua_pushstring(L, rc == DQC_EVALUE ? "the host is not a number"
                                       : dqc_cause_text(&room, cause));
    lua_pushboolean(L, rc == DQC_EOS && cause == EADDRINUSE);
    return 3;
  }
  lua_pushinteger(L, port);
  return 1;
}

/* now() -> seconds of a clock that never goes back */
static int now(lua_State *L)
{
  lua_pushnumber(L, clock_now());
  return 1;
}

/* sleep(seconds): may end early after a signal */
static int sleep_for(lua_State *L)
{
  int ms = dql_milliseconds(L, 1);
  struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&ts, NULL);
  return 0;
}

void dql_register_sock(lua_State *L)
{
  static const luaL_Reg metamethods[] = {{"__gc", sock_close}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"connect", sock_connect},
                                     {"connected", sock_connected},
                                     {"block", sock_block},
                                     {"recv", sock_recv},
                                     {"recv_wait", sock_recv_wait},
                                     {"send", sock_send},
                                     {"ask", sock_ask},
                                     {"reply", sock_reply},
                                     {"wait", sock_wait},
                                     {"alive", sock_alive},
                                     {"fd", sock_fd},
                                     {"peer", sock_peer},
                                     {"close", sock_close},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {{"socket", new_socket},
                                       {"parse_address", parse_address},
                                       {"lookup", lookup},
                                       {"unused_port", unused_port},
                                       {"now", now},
                                       {"sleep", sleep_for},
                                       {NULL, NULL}};
  dql_newclass(L, CLASS, metamethods, methods);
  lua_getfield(L, -1, "__index");
  lua_setfield(L, -3, "socket_methods");
  lua_pop(L, 1);
  dql_setfuncs(L, functions);
}
