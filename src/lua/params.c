#include "lua/params.h"

#include <string.h>

#include "lua/keys.h"
#include "lua/numbering.h"
#include "lua/value.h"

#define ANY SIZE_MAX

/* Only Lua code can read LuaJIT's cdata. */
#define HAS_CDATA (LUA_VERSION_NUM == 501)

/* What the statement takes, and where it may be found. */
struct source {
  size_t count; /* values that the statement takes, or ANY */
  const struct dql_numbering *numbering; /* NULL without names */
  int names; /* index of the table of names */
  int first; /* index of the first argument */
  int by_name; /* the table at `first` has names for keys */
};

/* ---- mistakes ---- */

static const char *misuse(lua_State *L, const char *text)
{
  lua_pushstring(L, text);
  return "misuse";
}

/* NULL when the statement takes as many values as were given. */
static const char *check_count(lua_State *L, const struct source *from,
                               lua_Number given)
{
  if (from->count != ANY && given != (lua_Number)from->count) {
    lua_pushfstring(L, "the statement has %d parameter%s, %d value%s given",
                    (int)from->count, from->count == 1 ? "" : "s", (int)given,
                    given == 1 ? " was" : "s were");
    return "value";
  }
  if (given > (lua_Number)DQC_PARAMS_MAX) {
    lua_pushfstring(L, "%d values: a statement takes %d at most", (int)given,
                    (int)DQC_PARAMS_MAX);
    return "value";
  }
  return NULL;
}

static size_t name_of(const struct source *from, size_t number)
{
  return from->by_name ? from->numbering->name_of[number - 1] : 0;
}

/* What messages call a parameter, pushed: ':a' or parameter 3. */
static const char *label(lua_State *L, const struct source *from,
                         size_t number)
{
  size_t name = name_of(from, number);
  if (name == 0) return lua_pushfstring(L, "parameter %d", (int)number);
  lua_rawgeti(L, from->names, 2 * (int)name - 1);
  return lua_pushfstring(L, "'%s'", dql_push_shown(L, -1));
}

static const char *missing(lua_State *L, const struct source *from,
                           size_t number)
{
  lua_pushfstring(L, "no value for %s (dqlite.null stands for NULL)",
                  label(L, from, number));
  return "value";
}

static const char *problem_kind(lua_State *L, const struct source *from,
                                enum dql_problem problem, size_t number,
                                const char *text)
{
  const char *what = label(L, from, number);
  if (problem == DQL_MISUSE) {
    lua_pushfstring(L, "%s: a %s is no SQL value", what, text);
    return "misuse";
  }
  lua_pushfstring(L, "%s: %s", what, text);
  return "value";
}

/* ---- arguments ---- */

static struct dqc_value *room(lua_State *L, struct dql_params *params)
{
  struct dqc_value *values = params->few;
  if (params->count > DQL_FEW) {
    values = dql_newuserdata(L, params->count * sizeof *values, 0);
  }
  params->values = values;
  return values;
}

/* A table is a mistake before its place among them is. */
static const char *check_no_table(lua_State *L, int first, int last)
{
  for (int i = first; i <= last; i++) {
    if (!lua_istable(L, i)) continue;
    lua_pushfstring(L,
                    "parameter %d: a table is no SQL value; options come "
                    "behind a table of parameters",
                    i - first + 1);
    return "misuse";
  }
  return NULL;
}

static const char *from_arguments(lua_State *L, const struct source *from,
                                  int last, struct dql_params *params)
{
  const char *text;
  params->count = last < from->first ? 0 : (size_t)(last - from->first + 1);
  const char *kind = check_count(L, from, (lua_Number)params->count);
  if (kind) {
    const char *mistake = check_no_table(L, from->first, last);
    return mistake ? mistake : kind;
  }
  struct dqc_value *values = room(L, params);
  for (size_t i = 0; i < params->count; i++) {
    enum dql_problem problem =
        dql_value_of(L, from->first + (int)i, &values[i], &text);
    if (problem) return problem_kind(L, from, problem, i + 1, text);
  }
  return NULL;
}

/* ---- the values of a table ---- */

static const char *check_positions(lua_State *L, const struct source *from,
                                   const struct dql_keys *keys, size_t *count)
{
  lua_Number given = keys->n >= 0 ? keys->n : keys->highest;
  *count = 0;
  if (keys->n == -2) return misuse(L, "the field n of parameters is a count");
  if (keys->highest > given) {
    return misuse(L, "a parameter stands behind the position n");
  }
  if (keys->n == -1 && keys->found != keys->highest) {
    if (!from->numbering) {
      return misuse(L, "a table of parameters with a hole needs a field n");
    }
    lua_pushliteral(L, "a table of parameters with a hole: dqlite.null "
                       "stands for NULL");
    return "value";
  }
  *count = (size_t)given;
  return check_count(L, from, given);
}

static const char *check_names(lua_State *L, const struct source *from,
                               const struct dql_keys *keys, size_t *count)
{
  *count = from->count;
  if (keys->surplus == 0) return NULL;
  if (keys->surplus > (lua_Number)from->count) {
    lua_pushfstring(
        L, "the statement has %d parameter%s, a value stands at %d",
        (int)from->count, from->count == 1 ? "" : "s", (int)keys->surplus);
  } else {
    lua_pushfstring(L, "the value of parameter %d stands under its name, %s",
                    (int)keys->surplus, label(L, from, (size_t)keys->surplus));
  }
  return "value";
}

/* The value of a parameter by its whole name, else without the first byte. */
static void push_named(lua_State *L, const struct source *from, int name)
{
  lua_rawgeti(L, from->names, 2 * name - 1);
  lua_rawget(L, from->first);
  if (!lua_isnil(L, -1)) return;
  lua_pop(L, 1);
  lua_rawgeti(L, from->names, 2 * name);
  lua_rawget(L, from->first);
}

/* Reads the values that are cdata, or those that are not. */
static const char *read_values(lua_State *L, const struct source *from,
                               struct dqc_value *values, size_t count,
                               int cdata)
{
  const char *text;
  for (size_t number = 1; number <= count; number++) {
    size_t name = name_of(from, number);
    if (name) {
      push_named(L, from, (int)name);
    } else {
      lua_rawgeti(L, from->first, (int)number);
    }
    if (from->by_name && lua_isnil(L, -1)) return missing(L, from, number);
    if ((lua_type(L, -1) > LUA_TTHREAD) == cdata) {
      enum dql_problem problem =
          dql_value_of(L, lua_gettop(L), &values[number - 1], &text);
      if (problem) return problem_kind(L, from, problem, number, text);
    }
    lua_pop(L, 1);
  }
  return NULL;
}

/* The code that reads cdata may run finalizers, and those may change the
 * table: nothing is pointed into before it is done. A value that turned into
 * cdata meanwhile keeps the type 0, which cannot be sent. */
static const char *from_table(lua_State *L, struct source *from,
                              struct dql_params *params)
{
  struct dql_keys keys;
  const char *kind =
      dql_keys_of(L, from->first, from->numbering, from->names, &keys);
  if (kind) return kind;
  from->by_name = from->numbering && (keys.named || keys.found == 0);
  kind = from->by_name ? check_names(L, from, &keys, &params->count)
                       : check_positions(L, from, &keys, &params->count);
  if (kind) return kind;
  struct dqc_value *values = room(L, params);
  if (HAS_CDATA) {
    memset(values, 0, params->count * sizeof *values);
    kind = read_values(L, from, values, params->count, 1);
  }
  return kind ? kind : read_values(L, from, values, params->count, 0);
}

/* ---- */

static void source_of(lua_State *L, int numbering, struct source *from)
{
  memset(from, 0, sizeof *from);
  from->first = numbering + 1;
  from->count = ANY;
  if (lua_isnoneornil(L, numbering)) return;
  if (lua_type(L, numbering) == LUA_TNUMBER) {
    from->count = (size_t)lua_tonumber(L, numbering);
    return;
  }
  from->numbering = dql_check_numbering(L, numbering);
  from->count = from->numbering->count;
}

const char *dql_params_of(lua_State *L, int numbering,
                          struct dql_params *params)
{
  struct source from;
  int last = lua_gettop(L);
  source_of(L, numbering, &from);
  dql_checkstack(L, 20);
  if (last != from.first || !lua_istable(L, last)) {
    return from_arguments(L, &from, last, params);
  }
  if (from.numbering) {
    dql_getuservalue(L, numbering);
    from.names = lua_gettop(L);
  }
  return from_table(L, &from, params);
}

/* check_params(numbering, ...) -> true | nil, kind, reason: what the methods
 * of a session that take parameters would say of them. */
static int check_params(lua_State *L)
{
  struct dql_params params;
  const char *kind = dql_params_of(L, 1, &params);
  if (!kind) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, kind);
  lua_pushvalue(L, -3);
  return 3;
}

void dql_register_params(lua_State *L)
{
  lua_pushcfunction(L, check_params);
  lua_setfield(L, -2, "check_params");
}
