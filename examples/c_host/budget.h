/* A Lua state that may hold so much memory and run so many instructions. They
 * end a script that has gone astray; a hostile one needs a process of its own (it
 * has endless patterns for string.find and finalizers, which no hook sees). */
#ifndef BUDGET_H
#define BUDGET_H

#include <lua.h>
#include <stddef.h>

enum budget_end { GOING_ON, MEMORY_USED, INSTRUCTIONS_USED, TIME_USED, OVER };

struct budget {
  size_t memory; /* bytes that the state may hold */
  long long instructions; /* that its coroutines may run, together */
  enum budget_end end;
  size_t bytes, blocks; /* that it holds; 0 after lua_close */
  int refused; /* the last request: Lua collects its garbage and asks again */
  lua_State *main;
};

/* A state without libraries; NULL without memory. `budget` outlives it. The caller
 * takes debug.sethook from the script. */
lua_State *budget_open(struct budget *budget, size_t memory,
                       long long instructions);

/* No instruction of Lua is run in that state any more, in no coroutine: each
 * raises, also where the script has caught the error of the one before. */
void budget_end(struct budget *budget, enum budget_end end);

#endif
