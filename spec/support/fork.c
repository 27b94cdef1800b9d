/* fork(2) for specs. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lua/compat.h"

/* fork() -> the child's id; 0 in the child */
static int do_fork(lua_State *L)
{
  pid_t pid = fork();
  if (pid < 0) return luaL_error(L, "fork: %s", strerror(errno));
  lua_pushinteger(L, pid);
  return 1;
}

/* wait(id) -> its exit status; above 128 a signal has ended it */
static int do_wait(lua_State *L)
{
  pid_t pid = (pid_t)luaL_checkinteger(L, 1);
  int status;
  while (waitpid(pid, &status, 0) != pid) {
    if (errno != EINTR) return luaL_error(L, "wait: %s", strerror(errno));
  }
  int signal = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : 0;
  lua_pushinteger(L, signal ? signal : WEXITSTATUS(status));
  return 1;
}

/* exit(status): at once; nothing is flushed, collected or called */
static int do_exit(lua_State *L)
{
  _exit((int)luaL_checkinteger(L, 1));
}

DQL_EXPORT int luaopen_spec_support_fork(lua_State *L);

DQL_EXPORT int luaopen_spec_support_fork(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"fork", do_fork}, {"wait", do_wait}, {"exit", do_exit}, {NULL, NULL}};
  lua_newtable(L);
  dql_setfuncs(L, functions);
  return 1;
}
