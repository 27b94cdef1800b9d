#include "lua/result.h"

#include <string.h>

#include "core/status.h"
#include "lua/bytes.h"

void dql_push_columns(lua_State *L, const struct dqc_rows *rows)
{
  struct dqc_bytes names = rows->names, name;
  lua_createtable(L, (int)rows->columns, 0);
  for (int i = 1; !dqc_take_text(&names, &name); i++) {
    dql_push_bytes(L, name);
    lua_rawseti(L, -2, i);
  }
}

static int is_text(lua_State *L, int index, struct dqc_bytes text)
{
  size_t len;
  if (lua_type(L, index) != LUA_TSTRING) return 0;
  const char *string = lua_tolstring(L, index, &len);
  return len == text.len && memcmp(string, text.ptr, len) == 0;
}

int dql_same_columns(lua_State *L, int index, const struct dqc_rows *rows)
{
  struct dqc_bytes names = rows->names, name;
  int same = lua_rawlen(L, index) == rows->columns;
  for (int i = 1; same && !dqc_take_text(&names, &name); i++) {
    lua_rawgeti(L, index, i);
    same = is_text(L, -1, name);
    lua_pop(L, 1);
  }
  return same;
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

int dql_count_rows(struct dqc_rows *rows, size_t *count)
{
  struct dqc_tuple tuple;
  struct dqc_value value;
  for (*count = 0; rows->rows.len; ++*count) {
    int rc = dqc_row_begin(&tuple, rows->rows, rows->columns);
    while (!rc && tuple.next < tuple.count) {
      rc = dqc_tuple_next(&tuple, &value);
    }
    if (rc) return rc;
    dqc_rows_commit(rows, &tuple);
  }
  return DQC_DONE;
}

static void push_or_null(lua_State *L, const struct dqc_value *value,
                         const struct dql_row_form *form)
{
  if (dql_is_null(value, form->how)) {
    lua_pushvalue(L, form->null);
  } else {
    dql_push_value(L, value, form->how);
  }
}

static void push_row_table(lua_State *L, int columns,
                           const struct dql_row_form *form)
{
  if (form->into) {
    lua_pushvalue(L, form->into);
  } else if (form->shape == DQL_BY_NAME) {
    lua_createtable(L, 0, columns);
  } else {
    lua_createtable(L, columns, 0);
  }
}

static int push_fields(lua_State *L, struct dqc_tuple *tuple,
                       const struct dql_row_form *form)
{
  struct dqc_value value;
  int columns = (int)tuple->count;
  push_row_table(L, columns, form);
  for (int i = 1; i <= columns; i++) {
    int rc = dqc_tuple_next(tuple, &value);
    if (rc) return rc;
    if (form->shape == DQL_BY_NAME) {
      lua_rawgeti(L, form->columns, i);
      push_or_null(L, &value, form);
      lua_rawset(L, -3);
    } else {
      push_or_null(L, &value, form);
      lua_rawseti(L, -2, i);
    }
  }
  return DQC_DONE;
}

static int push_first(lua_State *L, struct dqc_tuple *tuple,
                      const struct dql_row_form *form)
{
  struct dqc_value first, value;
  int rc = dqc_tuple_next(tuple, &first);
  while (!rc && tuple->next < tuple->count) {
    rc = dqc_tuple_next(tuple, &value);
  }
  if (!rc) push_or_null(L, &first, form);
  return rc;
}

int dql_push_row(lua_State *L, struct dqc_rows *rows,
                 const struct dql_row_form *form)
{
  struct dqc_tuple tuple;
  int top = lua_gettop(L);
  int rc = dqc_row_begin(&tuple, rows->rows, rows->columns);
  if (rc) return rc;
  rc = form->shape == DQL_FIRST_VALUE ? push_first(L, &tuple, form)
                                      : push_fields(L, &tuple, form);
  if (rc) {
    lua_settop(L, top);
    return rc;
  }
  dqc_rows_commit(rows, &tuple);
  return DQC_DONE;
}
