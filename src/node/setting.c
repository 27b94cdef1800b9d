#define _GNU_SOURCE /* dladdr, RTLD_NODELETE */

#include "node/setting.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The ways in which libdqlite's setters take their value. */
enum shape { FLAG, SWITCH, COUNT, WORD32, SIZE, WORD64, PAIR, PAIR_MODE };

union setter {
  int (*flag)(struct dqlite_node *);
  int (*toggle)(struct dqlite_node *, bool);
  int (*count)(struct dqlite_node *, int);
  int (*word32)(struct dqlite_node *, unsigned);
  int (*size)(struct dqlite_node *, size_t);
  int (*word64)(struct dqlite_node *, unsigned long long);
  int (*pair)(struct dqlite_node *, unsigned, unsigned);
  int (*pair_mode)(struct dqlite_node *, unsigned, unsigned, int);
};

/* The prototypes are those of include/dqlite.h in 1.18.6. */
static const struct setting {
  const char *name, *symbol;
  enum shape shape;
} settings[] = {
    {"latency", "dqlite_node_set_network_latency_ms", WORD32},
    {"failure_domain", "dqlite_node_set_failure_domain", WORD64},
    {"snapshot", "dqlite_node_set_snapshot_params", PAIR},
    {"snapshot_strategy", "dqlite_node_set_snapshot_params_v2", PAIR_MODE},
    {"snapshot_compression", "dqlite_node_set_snapshot_compression", SWITCH},
    {"block_size", "dqlite_node_set_block_size", SIZE},
    {"target_voters", "dqlite_node_set_target_voters", COUNT},
    {"target_standbys", "dqlite_node_set_target_standbys", COUNT},
    {"role_management", "dqlite_node_enable_role_management", FLAG},
    {"auto_recovery", "dqlite_node_set_auto_recovery", SWITCH},
    {"busy_timeout", "dqlite_node_set_busy_timeout", WORD32},
};

#define N_SETTINGS (sizeof settings / sizeof *settings)

uint64_t dqn_check_word(lua_State *L, int arg, uint64_t max)
{
  const char *text = luaL_checkstring(L, arg);
  char *end;
  unsigned long long word;
  errno = 0;
  word = strtoull(text, &end, 10);
  luaL_argcheck(L, *text >= '0' && *text <= '9' && *end == '\0', arg,
                "decimal digits expected");
  luaL_argcheck(L, errno == 0 && word <= max, arg, "out of range");
  return word;
}

/* Looks in the library that holds the address, not in whatever else the
 * process has loaded. NODELETE: the thread of a node that failed to start,
 * and the hook that 1.18 registers with SQLite for good, may outlive the Lua
 * state that loaded us. */
static void *find_symbol(const void *library, const char *name)
{
  Dl_info info;
  void *handle, *symbol;
  if (!dladdr(library, &info)) return NULL;
  handle = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  if (!handle) return NULL;
  symbol = dlsym(handle, name);
  dlclose(handle);
  return symbol;
}

static const struct setting *find_setting(const char *name)
{
  size_t i;
  for (i = 0; i < N_SETTINGS; i++) {
    if (strcmp(settings[i].name, name) == 0) return &settings[i];
  }
  return NULL;
}

static unsigned word32(lua_State *L, int arg)
{
  return (unsigned)dqn_check_word(L, arg, UINT_MAX);
}

static int call(lua_State *L, enum shape shape, union setter setter,
                struct dqlite_node *node)
{
  switch (shape) {
  case FLAG: return setter.flag(node);
  case SWITCH: return setter.toggle(node, dqn_check_word(L, 3, 1) != 0);
  case COUNT: return setter.count(node, (int)dqn_check_word(L, 3, INT_MAX));
  case WORD32: return setter.word32(node, word32(L, 3));
  case SIZE: return setter.size(node, (size_t)dqn_check_word(L, 3, SIZE_MAX));
  case WORD64: return setter.word64(node, dqn_check_word(L, 3, UINT64_MAX));
  case PAIR: return setter.pair(node, word32(L, 3), word32(L, 4));
  case PAIR_MODE:
    return setter.pair_mode(node, word32(L, 3), word32(L, 4),
                            (int)dqn_check_word(L, 5, INT_MAX));
  }
  return -1;
}

int dqn_setting_apply(lua_State *L, const void *library,
                      struct dqlite_node *node)
{
  const struct setting *setting = find_setting(luaL_checkstring(L, 2));
  void *symbol = setting ? find_symbol(library, setting->symbol) : NULL;
  union setter setter;
  luaL_argcheck(L, symbol != NULL, 2, "not in this libdqlite");
  memcpy(&setter, &symbol, sizeof symbol);
  return call(L, setting->shape, setter, node);
}

void dqn_setting_features(lua_State *L, const void *library)
{
  size_t i;
  for (i = 0; i < N_SETTINGS; i++) {
    lua_pushboolean(L, find_symbol(library, settings[i].symbol) != NULL);
    lua_setfield(L, -2, settings[i].name);
  }
}
