#include "budget.h"

#include <lauxlib.h>
#include <stdlib.h>

#define STEP 1000 /* instructions from one call of the hook to the next */
#define SMALL 1024 /* bytes */

/* ---- instructions ---- */

/* Each coroutine has inherited the hook from the one that has made it, and counts
 * for itself. */
static void count(lua_State *L, lua_Debug *ar)
{
  void *data;
  (void)ar;
  lua_getallocf(L, &data);
  struct budget *budget = data;
  if (budget->end == GOING_ON) {
    budget->instructions -= STEP;
    if (budget->instructions > 0) return;
    budget_end(budget, INSTRUCTIONS_USED);
  }
  lua_sethook(L, count, LUA_MASKCOUNT, 1);
  luaL_error(L, "the host has ended this script");
}

/* Other coroutines notice it within a STEP. The main one may have to do so at
 * once: it runs the loop, which would wait else. */
void budget_end(struct budget *budget, enum budget_end end)
{
  budget->end = end;
  lua_sethook(budget->main, count, LUA_MASKCOUNT, 1);
}

/* ---- memory ---- */

/* The script is over. Small pieces are granted all the same: libraries in C, luv
 * among them, are not made for an error in the middle of their work. */
static int grants_beyond(struct budget *budget, size_t more)
{
  size_t most = budget->memory + budget->memory / 4;
  if (budget->end == GOING_ON) budget_end(budget, MEMORY_USED);
  return more <= SMALL && budget->bytes + more <= most;
}

/* What does not fit is refused at first: Lua collects its garbage and asks again.
 * Where that has helped little it would be done at every turn. */
static int grants(struct budget *budget, size_t more)
{
  size_t room = budget->memory - budget->bytes;
  int fits = budget->bytes <= budget->memory && more <= room;
  if (fits && !budget->refused) return 1;
  if (budget->end != GOING_ON) return grants_beyond(budget, more);
  budget->refused = !budget->refused;
  if (budget->refused) return 0;
  if (fits && room - more > budget->memory / 16) return 1;
  return grants_beyond(budget, more);
}

static void *resize(void *data, void *block, size_t old, size_t size)
{
  struct budget *budget = data;
  if (!block) old = 0; /* it tells the kind of the new object */
  if (size > old && !grants(budget, size - old)) return NULL;
  void *moved = size ? realloc(block, size) : NULL;
  if (size && !moved) return NULL;
  if (!size) free(block);
  budget->bytes += size - old;
  budget->blocks += (size_t)(moved != NULL) - (size_t)(block != NULL);
  return moved;
}

lua_State *budget_open(struct budget *budget, size_t memory,
                       long long instructions)
{
  *budget = (struct budget){.memory = memory, .instructions = instructions};
  budget->main = lua_newstate(resize, budget);
  if (budget->main) lua_sethook(budget->main, count, LUA_MASKCOUNT, STEP);
  return budget->main;
}
