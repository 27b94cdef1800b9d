/* The embedded node: a thin cover over libdqlite and the only file that
 * includes <dqlite.h>. A handle goes through the states below, one way, and
 * every call is refused in the wrong one: libdqlite asserts, and a failed
 * assertion ends the process. What an option may hold is checked by
 * dqlite/node.lua, which also makes the error values.
 *
 * Answers: true (or a value) | nil, message, code. The code is libdqlite's
 * (DQLITE_*; 1.11.1 lets some of raft's through) or absent. */
#define _DEFAULT_SOURCE /* flock, sigaction, fcntl */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dqlite.h>

#include "lua/compat.h"
#include "lua/version.h"
#include "node/setting.h"

static const char NODE_TYPE[] = "dqlite.node_core";

/* Not libdqlite's own name: from 1.16.5 on it flocks "dqlite-lock" through a
 * descriptor of its own, which would then find the directory taken by us. */
#define LOCK_NAME "lua-dqlite.lock"

/* AddrParse came with 1.12.0; before that src/server.c splits at ':'. */
#define FIRST_WITH_IPV6 11200

/* An address inside the loaded libdqlite. */
#define LIBRARY ((const void *)dqlite_node_create)

enum state { STOPPED, LOCKED, CREATED, BOUND, RUNNING };

struct node {
  dqlite_node *node; /* NULL when STOPPED */
  int lock; /* descriptor of the lock file, -1 when STOPPED */
  pid_t process; /* that took the lock */
  enum state state;
};

/* ---- results ---- */

static int done(lua_State *L)
{
  lua_pushboolean(L, 1);
  return 1;
}

static int failed_os(lua_State *L, const char *what, int error)
{
  char text[128]; /* strerror's may be another thread's */
  if (strerror_r(error, text, sizeof text) != 0) *text = '\0';
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", what, text);
  return 2;
}

/* libdqlite's text, which is often empty; node may be NULL. */
static const char *reason(dqlite_node *node, int code)
{
  const char *text = node ? dqlite_node_errmsg(node) : "";
  if (*text) return text;
  if (code == DQLITE_MISUSE) return "refused by libdqlite";
  if (code == DQLITE_NOMEM) return "out of memory";
  return "libdqlite gives no reason";
}

static int failed(lua_State *L, const char *what, dqlite_node *node, int code)
{
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", what, reason(node, code));
  lua_pushinteger(L, code);
  return 3;
}

/* ---- arguments ---- */

static struct node *check_node(lua_State *L, enum state wanted)
{
  struct node *node = dql_checkclass(L, 1, NODE_TYPE);
  if (node->state != wanted) luaL_error(L, "node handle used out of order");
  return node;
}

static void push_word(lua_State *L, unsigned long long word)
{
  char text[24];
  snprintf(text, sizeof text, "%llu", word);
  lua_pushstring(L, text);
}

/* ---- the life of a node ---- */

/* Idempotent; gives back dqlite_node_stop's code. Leaves the node itself for
 * release, so that its error text can still be read. */
static int halt(struct node *node)
{
  if (node->state != RUNNING || node->process != getpid()) return 0;
  node->state = BOUND;
  return dqlite_node_stop(node->node);
}

/* The close alone would not do while a child is between fork and exec. */
static void unlock(int lock)
{
  flock(lock, LOCK_UN);
  close(lock);
}

/* In a forked child: node and lock are the parent's, only the descriptor is
 * a copy. */
static void forget(struct node *node)
{
  close(node->lock);
  node->node = NULL;
  node->lock = -1;
  node->state = STOPPED;
}

/* Idempotent. A node that never ran leaves some descriptors of its event loop
 * behind (dqlite__close cannot close a loop that did not run, all versions),
 * so nothing is created before it is to be started. */
static void release(struct node *node)
{
  if (node->lock >= 0 && node->process != getpid()) {
    forget(node);
    return;
  }
  halt(node);
  if (node->node) dqlite_node_destroy(node->node);
  if (node->lock >= 0) unlock(node->lock);
  node->node = NULL;
  node->lock = -1;
  node->state = STOPPED;
}

/* A create that fails leaves its VFS in SQLite's list and frees the memory it
 * lies in (dqlite__init, 1.11.1 to 1.18.6); the next walk through that list
 * reads it. A VFS is always linked second, so this takes it out again. */
static void forget_vfs(sqlite3_vfs *first, sqlite3_vfs *second)
{
  sqlite3_mutex *mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_MASTER);
  if (!first) return;
  sqlite3_mutex_enter(mutex);
  first->pNext = second;
  sqlite3_mutex_leave(mutex);
}

/* For several threads: what is second must not be another one's. */
static pthread_mutex_t creating = PTHREAD_MUTEX_INITIALIZER;

static int create(uint64_t id, const char *address, const char *dir,
                  dqlite_node **node)
{
  pthread_mutex_lock(&creating);
  sqlite3_vfs *first = sqlite3_vfs_find(NULL);
  sqlite3_vfs *second = first ? first->pNext : NULL;
  int code = dqlite_node_create(id, address, dir, node);
  if (code) forget_vfs(first, second);
  pthread_mutex_unlock(&creating);
  return code;
}

/* The descriptor that the next open or socket will get. */
static int lowest_descriptor(int any)
{
  int fd = fcntl(any, F_DUPFD_CLOEXEC, 0);
  if (fd >= 0) close(fd);
  return fd;
}

static void close_on_exec(int fd)
{
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* libdqlite's threads inherit the mask: a handler that the host installed
 * (most touch a Lua state) must not run on them. Faults stay unblocked, a
 * crash handler wants them. */
static void block_signals(sigset_t *before)
{
  static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE,
                               SIGILL,  SIGABRT, SIGTRAP};
  sigset_t mask;
  size_t i;
  sigfillset(&mask);
  for (i = 0; i < sizeof faults / sizeof *faults; i++)
    sigdelset(&mask, faults[i]);
  pthread_sigmask(SIG_SETMASK, &mask, before);
}

/* libdqlite writes to sockets without MSG_NOSIGNAL, also on threads of
 * libuv's pool, which may be older than the node. */
static void ignore_sigpipe(void)
{
  struct sigaction action;
  if (sigaction(SIGPIPE, NULL, &action) != 0) return;
  if (action.sa_flags & SA_SIGINFO || action.sa_handler != SIG_DFL) return;
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, NULL);
}

/* ---- methods ---- */

/* lock(dir, create) -> true | false (another node has it) | nil, message */
static int node_lock(lua_State *L)
{
  struct node *node = check_node(L, STOPPED);
  const char *dir = luaL_checkstring(L, 2);
  const char *path = lua_pushfstring(L, "%s/%s", dir, LOCK_NAME);
  if (lua_toboolean(L, 3) && mkdir(dir, 0700) != 0 && errno != EEXIST)
    return failed_os(L, dir, errno);
  node->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (node->lock < 0) return failed_os(L, path, errno);
  node->process = getpid();
  if (flock(node->lock, LOCK_EX | LOCK_NB) == 0) {
    node->state = LOCKED;
    return done(L);
  }
  int error = errno;
  release(node);
  if (error != EWOULDBLOCK) return failed_os(L, path, error);
  lua_pushboolean(L, 0);
  return 1;
}

/* create(id, address, dir): only in a directory that this handle has locked.
 * Newer versions keep the node after a failure, for its message. */
static int node_create(lua_State *L)
{
  struct node *node = check_node(L, LOCKED);
  uint64_t id = dqn_check_word(L, 2, UINT64_MAX);
  const char *address = luaL_checkstring(L, 3);
  const char *dir = luaL_checkstring(L, 4);
  int code;
  luaL_argcheck(L, id != 0, 2, "0 is no node id");
  code = create(id, address, dir, &node->node);
  if (code) return failed(L, dir, node->node, code);
  node->state = CREATED;
  return done(L);
}

/* set(name, value...): the caller has looked at features. */
static int node_set(lua_State *L)
{
  struct node *node = check_node(L, CREATED);
  const char *name = luaL_checkstring(L, 2);
  int code = dqn_setting_apply(L, LIBRARY, node->node);
  return code ? failed(L, name, node->node, code) : done(L);
}

/* bind(address) -> the address bound | nil, message, code
 *
 * 1.11.1 means to set FD_CLOEXEC on its socket and does not (it calls
 * fcntl(fd, FD_CLOEXEC)): a child of io.popen would keep the port open after
 * the node has stopped. The socket is the lowest descriptor free before. */
static int node_bind(lua_State *L)
{
  struct node *node = check_node(L, CREATED);
  const char *address = luaL_checkstring(L, 2);
  int fd = lowest_descriptor(node->lock);
  int code;
  errno = 0;
  code = dqlite_node_set_bind_address(node->node, address);
  if (code && code != DQLITE_MISUSE && errno)
    return failed_os(L, "cannot listen", errno);
  if (code) return failed(L, "cannot listen", node->node, code);
  close_on_exec(fd);
  node->state = BOUND;
  lua_pushstring(L, dqlite_node_get_bind_address(node->node));
  return 1;
}

/* run(): the node serves when this returns true. Blocks while the log and the
 * last snapshot are loaded. */
static int node_run(lua_State *L)
{
  struct node *node = check_node(L, BOUND);
  sigset_t before;
  int code;
  ignore_sigpipe();
  block_signals(&before);
  code = dqlite_node_start(node->node);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (code) return failed(L, "cannot start", node->node, code);
  node->state = RUNNING;
  return done(L);
}

static int node_stop(lua_State *L)
{
  struct node *node = dql_checkclass(L, 1, NODE_TYPE);
  int code = halt(node);
  int results = code ? failed(L, "stopped", node->node, code) : done(L);
  release(node);
  return results;
}

static int node_gc(lua_State *L)
{
  release(dql_checkclass(L, 1, NODE_TYPE));
  return 0;
}

/* The string at index i of the list at arg 2, which keeps it alive. */
static const char *list_text(lua_State *L, size_t i)
{
  const char *text;
  lua_rawgeti(L, 2, (int)i);
  luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2, "strings expected");
  text = lua_tostring(L, -1);
  lua_pop(L, 1);
  return text;
}

/* recover{ id, address, role, id, address, role, ... }, strings all. The
 * caller has made sure that ids and addresses differ and that roles are 0, 1
 * or 2: libdqlite asserts it. */
static int node_recover(lua_State *L)
{
  struct node *node = check_node(L, CREATED);
  size_t n, i;
  int code;
  dqlite_node_info_ext *infos;
  luaL_checktype(L, 2, LUA_TTABLE);
  n = lua_rawlen(L, 2) / 3;
  luaL_argcheck(L, n > 0 && n < INT_MAX / 3, 2, "no members");
  infos = dql_newuserdata(L, n * sizeof *infos, 0);
  for (i = 0; i < n; i++) {
    infos[i].size = sizeof *infos;
    infos[i].id = strtoull(list_text(L, 3 * i + 1), NULL, 10);
    infos[i].address = (uint64_t)(uintptr_t)list_text(L, 3 * i + 2);
    infos[i].dqlite_role = strtoull(list_text(L, 3 * i + 3), NULL, 10);
  }
  code = dqlite_node_recover_ext(node->node, infos, (int)n);
  return code ? failed(L, "cannot recover", node->node, code) : done(L);
}

/* ---- functions ---- */

/* Valid, and stopped, before anything is acquired. */
static int core_handle(lua_State *L)
{
  struct node *node = dql_newuserdata(L, sizeof *node, 0);
  memset(node, 0, sizeof *node);
  node->lock = -1;
  dql_setclass(L, NODE_TYPE);
  return 1;
}

/* The id is a digest of the address and the clock: 0, which no node may have,
 * would be a matter of chance. */
static int core_generate_id(lua_State *L)
{
  const char *address = luaL_checkstring(L, 1);
  dqlite_node_id id;
  do {
    id = dqlite_generate_node_id(address);
  } while (id == 0);
  push_word(L, id);
  return 1;
}

static int core_version_number(lua_State *L)
{
  lua_pushinteger(L, dqlite_version_number());
  return 1;
}

static int core_features(lua_State *L)
{
  lua_newtable(L);
  dqn_setting_features(L, LIBRARY);
  lua_pushboolean(L, dqlite_version_number() >= FIRST_WITH_IPV6);
  lua_setfield(L, -2, "ipv6");
  return 1;
}

static const luaL_Reg metamethods[] = {{"__gc", node_gc}, {NULL, NULL}};

static const luaL_Reg methods[] = {
    {"lock", node_lock},       {"create", node_create},
    {"set", node_set},         {"bind", node_bind},
    {"run", node_run},         {"stop", node_stop},
    {"recover", node_recover}, {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"handle", core_handle},
    {"generate_id", core_generate_id},
    {"version_number", core_version_number},
    {"features", core_features},
    {NULL, NULL},
};

DQL_EXPORT int luaopen_dqlite_node_core(lua_State *L);

DQL_EXPORT int luaopen_dqlite_node_core(lua_State *L)
{
  dql_newclass(L, NODE_TYPE, metamethods, methods);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushliteral(L, DQL_VERSION);
  lua_setfield(L, -2, "_VERSION");
  dql_setfuncs(L, functions);
  return 1;
}
