/* The settings of a node that is not running yet, and which of them the
 * loaded libdqlite knows: what versions after 1.11.1 brought is looked up at
 * run time. Does not include <dqlite.h>. */
#ifndef DQN_SETTING_H
#define DQN_SETTING_H

#include <stdint.h>

#include "lua/compat.h"

struct dqlite_node;

#pragma GCC visibility push(hidden)

/* The argument, decimal text (all 64 bits, on every Lua), as a number up to
 * max; raises. */
uint64_t dqn_check_word(lua_State *L, int arg, uint64_t max);

/* Applies the setting named at argument 2 with the values from argument 3 on
 * and gives back libdqlite's code; raises where name or values are wrong.
 * library is any address inside the libdqlite to look in. */
int dqn_setting_apply(lua_State *L, const void *library,
                      struct dqlite_node *node);

/* Sets in the table on top of the stack, for each setting, whether the
 * library has it. */
void dqn_setting_features(lua_State *L, const void *library);

#pragma GCC visibility pop

#endif
