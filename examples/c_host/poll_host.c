/* poll_host SCRIPT: a program with a poll(2) loop of its own, in which dqlite
 * is one of those that wait. It starts a node, opens connections by way of a
 * loop of dqlite.host, and then lets all of them write and read at the same
 * time, each watched by itself; a timer of its own ticks meanwhile. */
#define _XOPEN_SOURCE 700

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "luadqlite.h"
#include "node_state.h"

#define CONNECTIONS 4
#define TICKS 3 /* that are waited for */
#define TICK_US 5000
#define MOST 64 /* descriptors */

struct program {
  const char *script;
  struct node_state node;
  int host; /* the loop, in the registry */
  int functions; /* what the script answers, likewise */
  int ready; /* the list of descriptors that are ready, likewise */
  struct pollfd fds[MOST]; /* the timer's, then those of dqlite */
  nfds_t count;
  unsigned ticks;
  nfds_t together; /* connections that were watched at once, at most */
};

/* ---- the program's own: a timer that writes into a pipe ---- */

static int timer[2];

static void on_alarm(int signal)
{
  int cause = errno;
  (void)signal;
  if (write(timer[1], "t", 1) < 0)
    errno = 0; /* full: there are ticks enough */
  errno = cause;
}

static int start_timer(void)
{
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  struct itimerval tick = {{0, TICK_US}, {0, TICK_US}};
  if (pipe(timer)) return -1;
  for (int i = 0; i < 2; i++) fcntl(timer[i], F_SETFL, O_NONBLOCK);
  sigemptyset(&action.sa_mask);
  sigaction(SIGALRM, &action, NULL);
  return setitimer(ITIMER_REAL, &tick, NULL);
}

static void stop_timer(void)
{
  struct itimerval never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &never, NULL);
  close(timer[0]);
  close(timer[1]);
}

static void count_ticks(struct program *program)
{
  char bytes[16];
  ssize_t n;
  while ((n = read(timer[0], bytes, sizeof bytes)) > 0) {
    program->ticks += (unsigned)n;
  }
}

/* ---- poll ---- */

static void begin_list(struct program *program)
{
  program->fds[0] = (struct pollfd){.fd = timer[0], .events = POLLIN};
  program->count = 1;
}

static void watch(struct program *program, int fd, int events)
{
  if (program->count == MOST) return;
  program->fds[program->count++] =
      (struct pollfd){.fd = fd, .events = (short)events};
}

/* Up, so as not to come too early; -1: for ever. */
static int milliseconds(lua_Number seconds)
{
  if (seconds > 3600) return 3600 * 1000;
  return (int)(seconds * 1000 + 0.999);
}

/* The number or nil on top of the stack, which it takes. */
static int pop_timeout(lua_State *L)
{
  int ms = lua_isnil(L, -1) ? -1 : milliseconds(lua_tonumber(L, -1));
  lua_pop(L, 1);
  return ms;
}

static void wait_for(lua_State *L, struct program *program, int timeout)
{
  nfds_t watched = program->count - 1;
  if (watched > program->together) program->together = watched;
  if (poll(program->fds, program->count, timeout) < 0 && errno != EINTR) {
    luaL_error(L, "poll: %s", strerror(errno));
  }
  count_ticks(program);
}

/* ---- calls of Lua ---- */

/* object:name(), of a value of the registry; one result */
static void call_method(lua_State *L, int object, const char *name)
{
  lua_rawgeti(L, LUA_REGISTRYINDEX, object);
  lua_getfield(L, -1, name);
  lua_insert(L, -2);
  lua_call(L, 1, 1);
}

/* A function of the script; one result */
static void call_script(lua_State *L, struct program *program,
                        const char *name)
{
  lua_rawgeti(L, LUA_REGISTRYINDEX, program->functions);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  lua_call(L, 0, 1);
}

/* ---- all of dqlite at once, by its loop ---- */

static void watch_all(lua_State *L, struct program *program)
{
  lua_rawgeti(L, LUA_REGISTRYINDEX, program->host);
  lua_getfield(L, -1, "descriptors");
  lua_insert(L, -2);
  lua_call(L, 1, 3);
  lua_Integer n = lua_tointeger(L, -1);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, -3, i);
    lua_rawgeti(L, -3, i);
    watch(program, (int)lua_tointeger(L, -2), (int)lua_tointeger(L, -1));
    lua_pop(L, 2);
  }
  lua_pop(L, 3);
}

/* host:step(ready, n); whether there is more to come. */
static int step(lua_State *L, struct program *program)
{
  lua_Integer n = 0;
  lua_rawgeti(L, LUA_REGISTRYINDEX, program->host);
  lua_getfield(L, -1, "step");
  lua_insert(L, -2);
  lua_rawgeti(L, LUA_REGISTRYINDEX, program->ready);
  for (nfds_t i = 1; i < program->count; i++) {
    if (!program->fds[i].revents) continue;
    lua_pushinteger(L, program->fds[i].fd);
    lua_rawseti(L, -2, ++n);
  }
  lua_pushinteger(L, n);
  lua_call(L, 3, 1);
  int more = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return more;
}

static void run_all(lua_State *L, struct program *program)
{
  do {
    begin_list(program);
    watch_all(L, program);
    call_method(L, program->host, "timeout");
    wait_for(L, program, pop_timeout(L));
  } while (step(L, program));
}

/* ---- each connection by itself ---- */

struct connection {
  int object; /* in the registry */
  nfds_t place; /* in the list for poll; 0: nobody waits there */
};

static void watch_one(lua_State *L, struct program *program,
                      struct connection *conn)
{
  conn->place = 0;
  call_method(L, conn->object, "events");
  const char *letters = lua_tostring(L, -1);
  if (letters) {
    int events = (strchr(letters, 'r') ? POLLIN : 0) |
                 (strchr(letters, 'w') ? POLLOUT : 0);
    call_method(L, conn->object, "pollfd");
    conn->place = program->count;
    watch(program, (int)lua_tointeger(L, -1), events);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static int step_one(lua_State *L, const struct connection *conn)
{
  call_method(L, conn->object, "step");
  int more = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return more;
}

/* The time is that of all; who is not ready does no harm by a step. */
static void run_each(lua_State *L, struct program *program,
                     struct connection *conns)
{
  int more = 1;
  while (more) {
    begin_list(program);
    for (int i = 0; i < CONNECTIONS; i++) watch_one(L, program, &conns[i]);
    call_method(L, conns[0].object, "timeout");
    wait_for(L, program, pop_timeout(L));
    more = step_one(L, &conns[0]);
    for (int i = 1; i < CONNECTIONS; i++) {
      nfds_t place = conns[i].place;
      if (place && program->fds[place].revents) more = step_one(L, &conns[i]);
    }
  }
}

static void get_connections(lua_State *L, struct program *program,
                            struct connection *conns)
{
  for (int i = 0; i < CONNECTIONS; i++) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, program->functions);
    lua_getfield(L, -1, "connection");
    lua_pushinteger(L, i + 1);
    lua_call(L, 1, 1);
    luaL_argcheck(L, !lua_isnil(L, -1), 1, "a connection is missing");
    conns[i].object = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
  }
}

/* ---- the whole ---- */

static void load(lua_State *L, struct program *program)
{
  if (luaL_dostring(L, "return require('dqlite.host').new()")) lua_error(L);
  lua_pushvalue(L, -1);
  program->host = luaL_ref(L, LUA_REGISTRYINDEX);
  if (luaL_loadfile(L, program->script)) lua_error(L);
  lua_insert(L, -2);
  lua_pushstring(L, program->node.address);
  lua_pushinteger(L, CONNECTIONS);
  lua_call(L, 3, 1);
  program->functions = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_newtable(L);
  program->ready = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void report(lua_State *L, struct program *program)
{
  call_script(L, program, "report");
  puts(lua_tostring(L, -1));
  lua_pop(L, 1);
  puts(program->together == CONNECTIONS ? "all of them have waited at once"
                                        : "they have waited in turn");
}

/* run(program): in a protected call */
static int run(lua_State *L)
{
  struct program *program = lua_touserdata(L, 1);
  struct connection conns[CONNECTIONS];
  luaL_openlibs(L);
  luadqlite_preload(L);
  load(L, program);
  call_script(L, program, "open");
  run_all(L, program);
  get_connections(L, program, conns);
  call_script(L, program, "work");
  program->together = 0;
  run_each(L, program, conns);
  report(L, program);
  call_script(L, program, "close");
  run_all(L, program);
  return 0;
}

static int run_program(struct program *program)
{
  lua_State *L = luaL_newstate();
  if (!L) return 1;
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, program);
  int rc = lua_pcall(L, 1, 0, 0);
  if (rc) fprintf(stderr, "poll_host: %s\n", luaL_tolstring(L, -1, NULL));
  lua_close(L);
  return rc ? 1 : 0;
}

static void await_ticks(struct program *program)
{
  while (program->ticks < TICKS) {
    begin_list(program);
    poll(program->fds, 1, -1);
    count_ticks(program);
  }
  puts("the timer has ticked");
}

int main(int argc, char **argv)
{
  struct program program = {.script = argv[1]};
  if (argc != 2) {
    fputs("usage: poll_host SCRIPT\n", stderr);
    return 2;
  }
  int rc = node_state_open(&program.node) ? 1 : start_timer() ? 1 : 0;
  if (!rc) rc = run_program(&program);
  if (!rc) await_ticks(&program);
  if (timer[1]) stop_timer();
  node_state_close(&program.node);
  return rc;
}
