/* two_states [THREADS]: threads (2) with Lua states and connections of their own
 * write to one node and read from it, all at the same time. Nothing is shared
 * between them but the program's code. */
#define _XOPEN_SOURCE 700

#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "luadqlite.h"
#include "node_state.h"

#define MOST 64 /* threads */
#define STATES 2 /* of a thread, one after the other */
#define ROWS 20 /* that each state writes */

/* Answers how many rows it has found of its own. */
static const char work[] =
    "local address, me, rows = ...\n"
    "local dqlite = require 'dqlite'\n"
    "local conn = assert(dqlite.connect(address))\n"
    "assert(conn:execute [[CREATE TABLE IF NOT EXISTS log\n"
    "  (state TEXT, number INTEGER, PRIMARY KEY (state, number))]])\n"
    "for number = 1, rows do\n"
    "  assert(conn:transaction(function()\n"
    "    return assert(conn:execute('INSERT INTO log VALUES (?, ?)', me,\n"
    "      number))\n"
    "  end))\n"
    "end\n"
    "local nobody, err = dqlite.connect('/nowhere/' .. me)\n"
    "assert(not nobody and err.message:find 'No such file', err)\n"
    "local found = 0\n"
    "for row in conn:rows('SELECT number FROM log WHERE state = ?', me) do\n"
    "  assert(row.number >= 1 and row.number <= rows)\n"
    "  found = found + 1\n"
    "end\n"
    "conn:close()\n"
    "return found\n";

struct worker {
  pthread_t thread;
  const char *address;
  char name[16]; /* of the state that works */
  long long found;
  char error[256];
};

/* run(worker): in a protected call */
static int run(lua_State *L)
{
  struct worker *worker = lua_touserdata(L, 1);
  luaL_openlibs(L);
  luadqlite_preload(L);
  if (luaL_loadbuffer(L, work, strlen(work), "=work")) lua_error(L);
  lua_pushstring(L, worker->address);
  lua_pushstring(L, worker->name);
  lua_pushinteger(L, ROWS);
  lua_call(L, 3, 1);
  worker->found += lua_tointeger(L, -1);
  return 0;
}

static void run_state(struct worker *worker)
{
  lua_State *L = luaL_newstate();
  if (!L) return;
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, worker);
  if (lua_pcall(L, 1, 0, 0)) {
    snprintf(worker->error, sizeof worker->error, "%s",
             luaL_tolstring(L, -1, NULL));
  }
  lua_close(L);
}

static void *run_states(void *data)
{
  struct worker *worker = data;
  char first = worker->name[0];
  for (int i = 0; i < STATES; i++) {
    snprintf(worker->name, sizeof worker->name, "%c%d", first, i + 1);
    run_state(worker);
  }
  return NULL;
}

/* How many threads have found what they wrote. */
static int run_all(struct worker *workers, int n, const char *address)
{
  int good = 0;
  for (int i = 0; i < n; i++) {
    workers[i] = (struct worker){.address = address};
    workers[i].name[0] = (char)('A' + i);
    if (pthread_create(&workers[i].thread, NULL, run_states, &workers[i])) {
      fputs("no thread\n", stderr);
      exit(1);
    }
  }
  for (int i = 0; i < n; i++) {
    pthread_join(workers[i].thread, NULL);
    if (workers[i].error[0]) fprintf(stderr, "%s\n", workers[i].error);
    good += workers[i].found == STATES * ROWS;
  }
  return good;
}

int main(int argc, char **argv)
{
  static struct worker workers[MOST];
  struct node_state node;
  int n = argc > 1 ? atoi(argv[1]) : 2;
  if (n < 1 || n > MOST) {
    fprintf(stderr, "usage: two_states [THREADS], %d at most\n", MOST);
    return 2;
  }
  int good = 0;
  if (node_state_open(&node) == 0) good = run_all(workers, n, node.address);
  node_state_close(&node);
  printf("%d of %d threads have found what they wrote\n", good, n);
  return good != n;
}
