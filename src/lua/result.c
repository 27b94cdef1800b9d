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

int dql_is_text(lua_State *L, int index, struct dqc_bytes text)
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
    same = dql_is_text(L, -1, name);
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

static int skip_rest(struct dqc_tuple *tuple)
{
  struct dqc_value value;
  int rc = DQC_DONE;
  while (!rc && tuple->next < tuple->count) {
    rc = dqc_tuple_next(tuple, &value);
  }
  return rc;
}

int dql_count_rows(struct dqc_rows *rows, size_t *count)
{
  struct dqc_tuple tuple;
  for (*count = 0; rows->rows.len; ++*count) {
    int rc = dqc_row_begin(&tuple, rows->rows, rows->columns);
    if (!rc) rc = skip_rest(&tuple);
    if (rc) return rc;
    dqc_rows_commit(rows, &tuple);
  }
  return DQC_DONE;
}

static int push_by_name(lua_State *L, struct dqc_tuple *tuple,
                        const struct dql_row_form *form)
{
  struct dqc_value value;
  int columns = (int)tuple->count;
  if (form->into) {
    lua_pushvalue(L, form->into);
  } else {
    lua_createtable(L, 0, columns);
  }
  for (int i = 1; i <= columns; i++) {
    int rc = dqc_tuple_next(tuple, &value);
    if (rc) return rc;
    lua_rawgeti(L, form->columns, i);
    dql_push_read(L, &value, form->null, form->how);
    lua_rawset(L, -3);
  }
  return DQC_DONE;
}

static int push_by_position(lua_State *L, struct dqc_tuple *tuple,
                            const struct dql_row_form *form)
{
  struct dqc_value value;
  int columns = (int)tuple->count;
  if (form->into) {
    lua_pushvalue(L, form->into);
  } else {
    lua_createtable(L, columns, 0);
  }
  for (int i = 1; i <= columns; i++) {
    int rc = dqc_tuple_next(tuple, &value);
    if (rc) return rc;
    dql_push_read(L, &value, form->null, form->how);
    lua_rawseti(L, -2, i);
  }
  return DQC_DONE;
}

static int push_first(lua_State *L, struct dqc_tuple *tuple,
                      const struct dql_row_form *form)
{
  struct dqc_value first;
  int rc = dqc_tuple_next(tuple, &first);
  if (!rc) rc = skip_rest(tuple);
  if (!rc) dql_push_read(L, &first, form->null, form->how);
  return rc;
}

static int push_shaped(lua_State *L, struct dqc_tuple *tuple,
                       const struct dql_row_form *form)
{
  switch (form->shape) {
  case DQL_BY_NAME: return push_by_name(L, tuple, form);
  case DQL_BY_POSITION: return push_by_position(L, tuple, form);
  default: return push_first(L, tuple, form);
  }
}

int dql_push_row(lua_State *L, struct dqc_rows *rows,
                 const struct dql_row_form *form)
{
  struct dqc_tuple tuple;
  int top = lua_gettop(L);
  int rc = dqc_row_begin(&tuple, rows->rows, rows->columns);
  if (rc) return rc;
  rc = push_shaped(L, &tuple, form);
  if (rc) {
    lua_settop(L, top);
    return rc;
  }
  dqc_rows_commit(rows, &tuple);
  return DQC_DONE;
}
