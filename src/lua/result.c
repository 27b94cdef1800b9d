#include "lua/result.h"
#include "lua/bytes.h"

#include "core/status.h"

void dql_push_columns(lua_State *L, const struct dqc_rows *rows)
{
  struct dqc_bytes names = rows->names, name;
  lua_createtable(L, (int)rows->columns, 0);
  for (int i = 1; !dqc_take_text(&names, &name); i++) {
    dql_push_bytes(L, name);
    lua_rawseti(L, -2, i);
  }
}

int dql_push_types(lua_State *L, const struct dqc_rows *rows)
{
  struct dqc_tuple tuple;
  struct dqc_value value;
  int top = lua_gettop(L);
  if (rows->rows.len == 0) {
    lua_pushnil(L);
    return DQC_DONE;
  }
  int rc = dqc_row_begin(&tuple, rows->rows, rows->columns);
  if (rc) return rc;
  lua_createtable(L, (int)rows->columns, 0);
  for (int i = 1; tuple.next < tuple.count; i++) {
    rc = dqc_tuple_next(&tuple, &value);
    if (rc) {
      lua_settop(L, top);
      return rc;
    }
    lua_pushstring(L, dqc_type_name(value.type));
    lua_rawseti(L, -2, i);
  }
  return DQC_DONE;
}

static void push_or_null(lua_State *L, const struct dqc_value *value,
                         const struct dql_reading *how)
{
  if (dql_is_null(value, how)) {
    lua_pushvalue(L, DQL_NULL_AT);
  } else {
    dql_push_value(L, value, how);
  }
}

/* Sets the value in the row on the top of the stack. */
static void set_by_name(lua_State *L, const struct dqc_value *value, int i,
                        const struct dql_reading *how)
{
  lua_rawgeti(L, DQL_COLUMNS_AT, i);
  push_or_null(L, value, how);
  lua_rawset(L, -3);
}

static int push_fields(lua_State *L, struct dqc_tuple *tuple,
                       enum dql_shape shape, const struct dql_reading *how)
{
  struct dqc_value value;
  int columns = (int)tuple->count;
  lua_createtable(L, shape == DQL_BY_NAME ? 0 : columns,
                  shape == DQL_BY_NAME ? columns : 0);
  for (int i = 1; i <= columns; i++) {
    int rc = dqc_tuple_next(tuple, &value);
    if (rc) return rc;
    if (shape == DQL_BY_NAME) {
      set_by_name(L, &value, i, how);
    } else {
      push_or_null(L, &value, how);
      lua_rawseti(L, -2, i);
    }
  }
  return DQC_DONE;
}

static int push_first(lua_State *L, struct dqc_tuple *tuple,
                      const struct dql_reading *how)
{
  struct dqc_value first, value;
  int rc = dqc_tuple_next(tuple, &first);
  while (!rc && tuple->next < tuple->count) {
    rc = dqc_tuple_next(tuple, &value);
  }
  if (!rc) push_or_null(L, &first, how);
  return rc;
}

int dql_push_row(lua_State *L, struct dqc_rows *rows, enum dql_shape shape,
                 const struct dql_reading *how)
{
  struct dqc_tuple tuple;
  int top = lua_gettop(L);
  int rc = dqc_row_begin(&tuple, rows->rows, rows->columns);
  if (rc) return rc;
  rc = shape == DQL_FIRST_VALUE ? push_first(L, &tuple, how)
                                : push_fields(L, &tuple, shape, how);
  if (rc) {
    lua_settop(L, top);
    return rc;
  }
  dqc_rows_commit(rows, &tuple);
  return DQC_DONE;
}
