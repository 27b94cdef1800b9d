#include "lua/params.h"

#include "lua/value.h"

/* A byte counts them on servers before 1.12; the others are asked later. */
#define COUNT_MAX 255

static struct dqc_value *room(lua_State *L, struct dql_params *params)
{
  if (params->count <= DQL_FEW) return params->few;
  return dql_newuserdata(L, params->count * sizeof *params->values, 0);
}

static const char *problem_kind(lua_State *L, enum dql_problem problem,
                                size_t i, const char *text)
{
  if (problem == DQL_MISUSE) {
    lua_pushfstring(L, "parameter %d: a %s is no SQL value", (int)i, text);
    return "misuse";
  }
  lua_pushfstring(L, "parameter %d: %s", (int)i, text);
  return "value";
}

static const char *too_many(lua_State *L, size_t count)
{
  lua_pushfstring(L, "%d parameters: more than %d are not supported yet",
                  (int)count, COUNT_MAX);
  return "unsupported";
}

static const char *from_arguments(lua_State *L, int first,
                                  struct dql_params *params)
{
  const char *text;
  struct dqc_value *values = room(L, params);
  params->values = values;
  for (size_t i = 0; i < params->count; i++) {
    enum dql_problem problem =
        dql_value_of(L, first + (int)i, &values[i], &text);
    if (problem) return problem_kind(L, problem, i + 1, text);
  }
  return NULL;
}

/* ---- the table ---- */

static const char *misuse(lua_State *L, const char *text)
{
  lua_pushstring(L, text);
  return "misuse";
}

/* The field n: -1 when there is none, -2 when it is no count. */
static lua_Number given_count(lua_State *L, int list)
{
  lua_Number n = -1;
  lua_getfield(L, list, "n");
  if (lua_type(L, -1) == LUA_TNUMBER) {
    n = lua_tonumber(L, -1);
    if (n < 0 || n > INT32_MAX || n != (lua_Number)(int32_t)n) n = -2;
  } else if (!lua_isnil(L, -1)) {
    n = -2;
  }
  lua_pop(L, 1);
  return n;
}

/* Is the key that lua_next put below the value a position? */
static int is_position(lua_State *L)
{
  if (lua_type(L, -2) != LUA_TNUMBER) return 0;
  lua_Number key = lua_tonumber(L, -2);
  return key >= 1 && key <= INT32_MAX && key == (lua_Number)(int32_t)key;
}

static int is_n(lua_State *L)
{
  if (lua_type(L, -2) != LUA_TSTRING) return 0;
  return lua_tostring(L, -2)[0] == 'n' && lua_rawlen(L, -2) == 1;
}

/* Counts the positions that have a value and finds the highest. 0 when there
 * is a key of another kind. */
static int survey(lua_State *L, int list, lua_Number *found,
                  lua_Number *highest)
{
  *found = *highest = 0;
  for (lua_pushnil(L); lua_next(L, list); lua_pop(L, 1)) {
    if (is_position(L)) {
      lua_Number key = lua_tonumber(L, -2);
      if (key > *highest) *highest = key;
      ++*found;
    } else if (!is_n(L)) {
      lua_pop(L, 2);
      return 0;
    }
  }
  return 1;
}

static const char *check_list(lua_State *L, int list, lua_Number *count)
{
  lua_Number found, highest, n = given_count(L, list);
  if (n == -2) return misuse(L, "the field n of parameters is a count");
  if (!survey(L, list, &found, &highest)) {
    return misuse(L, "a table of parameters has the positions 1 to n; named "
                     "parameters are unsupported yet, and options come "
                     "behind the table");
  }
  if (n >= 0 && highest > n) {
    return misuse(L, "a parameter stands behind the position n");
  }
  if (n < 0 && found != highest) {
    return misuse(L, "a table of parameters with a hole needs a field n");
  }
  *count = n >= 0 ? n : highest;
  return NULL;
}

static const char *from_table(lua_State *L, int list,
                              struct dql_params *params)
{
  lua_Number count = 0;
  const char *text, *kind = check_list(L, list, &count);
  if (kind) return kind;
  params->count = (size_t)count;
  if (params->count > COUNT_MAX) return too_many(L, params->count);
  struct dqc_value *values = room(L, params);
  params->values = values;
  for (size_t i = 0; i < params->count; i++) {
    lua_rawgeti(L, list, (int)i + 1);
    enum dql_problem problem =
        dql_value_of(L, lua_gettop(L), &values[i], &text);
    if (problem) return problem_kind(L, problem, i + 1, text);
    lua_pop(L, 1);
  }
  return NULL;
}

const char *dql_params_of(lua_State *L, int first, struct dql_params *params)
{
  int top = lua_gettop(L);
  params->values = NULL;
  params->count = top < first ? 0 : (size_t)(top - first + 1);
  luaL_checkstack(L, 10, "parameters");
  if (top == first && lua_istable(L, first)) {
    return from_table(L, first, params);
  }
  if (params->count > COUNT_MAX) return too_many(L, params->count);
  return from_arguments(L, first, params);
}
