/* script_host [--memory BYTES] [--instructions N] [--seconds N] SCRIPT...
 *
 * Starts a dqlite node and runs one Lua script after the other, each in a state
 * of its own that may use so much and no more; an option holds for the scripts
 * after it. A script gets the node's address
 * as its argument and has dqlite and luv at hand, whose loop is the host's. How a
 * script ends is said on standard output; the host goes on with the next. */
#define _XOPEN_SOURCE 700 /* uv.h */

#include <lauxlib.h>
#include <lualib.h>
#include <luv/luv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "budget.h"
#include "luadqlite.h"
#include "node_state.h"

struct host {
  size_t memory;
  long long instructions;
  unsigned seconds;
  uv_loop_t loop;
  uv_timer_t timer; /* the script's time */
  struct node_state node;
};

/* What a script's state belongs to, as its userdata. */
struct script {
  struct host *host;
  struct budget budget;
  const char *path;
  const char *name; /* without its directory */
};

static struct script *script_of(lua_State *L)
{
  void *budget;
  lua_getallocf(L, &budget);
  return (struct script *)((char *)budget - offsetof(struct script, budget));
}

/* ---- the loop ---- */

/* Calls a callback, in place of luv's own way, which ends the process after an
 * error. (luv.h says what is on the stack, and what is answered.) */
static int call_back(lua_State *L, int nargs, int nresults, int flags)
{
  struct script *script = script_of(L);
  int below = lua_gettop(L) - nargs - 1;
  (void)flags;
  if (script->budget.end != GOING_ON) {
    lua_settop(L, below);
    return 0;
  }
  int rc = lua_pcall(L, nargs, nresults, 0);
  if (rc == LUA_OK) return lua_gettop(L) - below;
  if (script->budget.end == GOING_ON) {
    fprintf(stderr, "%s: in a callback: %s\n", script->name,
            luaL_tolstring(L, -1, NULL));
  }
  lua_settop(L, below);
  uv_stop(&script->host->loop);
  return -rc;
}

static void on_time(uv_timer_t *timer)
{
  struct script *script = timer->data;
  budget_end(&script->budget, TIME_USED);
  uv_stop(timer->loop);
}

static void close_handle(uv_handle_t *handle, void *timer)
{
  if (handle != timer && !uv_is_closing(handle)) uv_close(handle, NULL);
}

/* The last thing in lua_close, when all handles of luv are closed but for the
 * loop, which has to take its leave of them while there is a state. */
static int leave_loop(lua_State *L)
{
  struct host *host = script_of(L)->host;
  uv_walk(&host->loop, close_handle, &host->timer);
  while (uv_loop_alive(&host->loop)) uv_run(&host->loop, UV_RUN_ONCE);
  return 0;
}

/* Finalizers run in the opposite order of this call for their objects, so that this
 * comes first. */
static void leave_loop_at_close(lua_State *L)
{
  lua_newuserdatauv(L, 1, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, leave_loop);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  luaL_ref(L, LUA_REGISTRYINDEX);
}

/* ---- a script ---- */

static void hide(lua_State *L, const char *module, const char *function)
{
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, module);
  lua_pushnil(L);
  lua_setfield(L, -2, function);
  lua_pop(L, 2);
}

/* luv before any coroutine: callbacks run where it was loaded. */
static void prepare(lua_State *L, struct host *host)
{
  leave_loop_at_close(L);
  luaL_openlibs(L);
  luv_set_loop(L, &host->loop);
  luv_set_callback(L, call_back);
  luaL_requiref(L, "luv", luaopen_luv, 0);
  luadqlite_preload(L);
  hide(L, "debug", "sethook");
  hide(L, "os", "exit");
  hide(L, "luv", "walk"); /* it knows no handles but its own */
  lua_settop(L, 0);
}

static int run(lua_State *L)
{
  struct script *script = script_of(L);
  prepare(L, script->host);
  if (luaL_loadfile(L, script->path)) return lua_error(L);
  lua_pushstring(L, script->host->node.address);
  lua_call(L, 1, 0);
  return 0;
}

/* The text of an error may be the result of a metamethod. */
static int describe(lua_State *L)
{
  luaL_tolstring(L, 1, NULL);
  return 1;
}

static const char *text_of(lua_State *L)
{
  lua_pushcfunction(L, describe);
  lua_insert(L, -2);
  return lua_pcall(L, 1, 1, 0) ? "an error" : lua_tostring(L, -1);
}

static void report(lua_State *L, struct script *script, int rc)
{
  static const char *const ends[] = {
      [MEMORY_USED] = "ended: it has used its memory",
      [INSTRUCTIONS_USED] = "ended: it has used its instructions",
      [TIME_USED] = "ended: it has used its time",
  };
  const char *text = rc == LUA_OK ? "done" : text_of(L);
  if (rc == LUA_ERRMEM) script->budget.end = MEMORY_USED;
  if (script->budget.end != GOING_ON) text = ends[script->budget.end];
  printf("%s: %s\n", script->name, text);
}

/* Callbacks that come in from here on are skipped. The one turn of the loop is for
 * handles that the script has closed last. */
static void finish(lua_State *L, struct script *script)
{
  struct host *host = script->host;
  budget_end(&script->budget, OVER);
  uv_timer_stop(&host->timer);
  uv_run(&host->loop, UV_RUN_NOWAIT);
  lua_close(L);
  if (script->budget.blocks != 0) {
    printf("%s: %zu blocks are left\n", script->name, script->budget.blocks);
  }
}

static void run_script(struct host *host, const char *path)
{
  struct script script = {.host = host, .path = path};
  const char *slash = strrchr(path, '/');
  script.name = slash ? slash + 1 : path;
  lua_State *L = budget_open(&script.budget, host->memory, host->instructions);
  if (!L) {
    printf("%s: no memory to begin with\n", script.name);
    return;
  }
  host->timer.data = &script;
  uv_timer_start(&host->timer, on_time, host->seconds * 1000, 0);
  uv_unref((uv_handle_t *)&host->timer);
  lua_pushcfunction(L, run);
  report(L, &script, lua_pcall(L, 0, 0, 0));
  finish(L, &script);
}

/* ---- the host ---- */

static int usage(void)
{
  fputs("usage: script_host [--memory BYTES] [--instructions N] [--seconds N] "
        "SCRIPT...\n"
        "an option holds for the scripts after it\n",
        stderr);
  return 2;
}

/* Whether it is an option with its value. */
static int set_option(struct host *host, const char *option, const char *text)
{
  char *rest;
  unsigned long long number = text ? strtoull(text, &rest, 10) : 0;
  if (number == 0 || *rest != '\0') return 0;
  if (strcmp(option, "--memory") == 0) {
    host->memory = (size_t)number;
  } else if (strcmp(option, "--instructions") == 0) {
    host->instructions = (long long)number;
  } else if (strcmp(option, "--seconds") == 0) {
    host->seconds = (unsigned)number;
  } else {
    return 0;
  }
  return 1;
}

/* The exit status. */
static int run_arguments(struct host *host, char **arguments)
{
  for (; *arguments; arguments++) {
    if (strncmp(*arguments, "--", 2) != 0) {
      run_script(host, *arguments);
    } else if (set_option(host, arguments[0], arguments[1])) {
      arguments++;
    } else {
      return usage();
    }
  }
  return 0;
}

/* Whether the loop was left without a handle. */
static int close_loop(struct host *host)
{
  uv_close((uv_handle_t *)&host->timer, NULL);
  uv_run(&host->loop, UV_RUN_DEFAULT);
  return uv_loop_close(&host->loop) == 0;
}

int main(int argc, char **argv)
{
  struct host host = {
      .memory = 8 << 20, .instructions = 10000000, .seconds = 30};
  if (argc < 2) return usage();
  setvbuf(stdout, NULL, _IOLBF, 0);
  int rc = node_state_open(&host.node) ? 1 : uv_loop_init(&host.loop);
  if (!rc) {
    uv_timer_init(&host.loop, &host.timer);
    rc = run_arguments(&host, argv + 1);
    if (!close_loop(&host)) puts("the loop has handles left");
  }
  node_state_close(&host.node);
  return rc;
}
