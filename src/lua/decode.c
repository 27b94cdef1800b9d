#include "lua/decode.h"

#include "core/status.h"
#include "lua/bytes.h"
#include "lua/result.h"
#include "lua/value.h"

/* Nothing is bent here: a tool reads what came. */
static const struct dql_reading lossless = {DQL_INT64_STRING, 0, 1};

static void push_lossless(lua_State *L, const struct dqc_value *value)
{
  if (value->type == DQC_NULL) {
    lua_pushlightuserdata(L, NULL);
  } else if (value->type == DQC_BOOLEAN && (uint64_t)value->as.integer > 1) {
    dql_push_integer(L, value->as.integer, DQL_INT64_STRING);
  } else {
    dql_push_read(L, value, 0, &lossless); /* no NULL is left */
  }
}

/* Pushes the values of a tuple as a list with their types. */
static int push_tuple(lua_State *L, struct dqc_tuple *tuple)
{
  struct dqc_value value;
  lua_createtable(L, (int)tuple->count, 2);
  lua_createtable(L, (int)tuple->count, 0);
  for (int i = 1; tuple->next < tuple->count; i++) {
    int rc = dqc_tuple_next(tuple, &value);
    if (rc) return rc;
    lua_pushstring(L, dqc_type_name(value.type));
    lua_rawseti(L, -2, i);
    push_lossless(L, &value);
    lua_rawseti(L, -3, i);
  }
  lua_setfield(L, -2, "types");
  lua_pushinteger(L, (lua_Integer)tuple->count);
  lua_setfield(L, -2, "n");
  return DQC_DONE;
}

static int push_params(lua_State *L, struct dqc_bytes bytes, uint8_t schema)
{
  struct dqc_tuple tuple;
  int rc = dqc_params_begin(&tuple, bytes, schema);
  return rc ? rc : push_tuple(L, &tuple);
}

static int push_rows(lua_State *L, struct dqc_rows rows)
{
  struct dqc_tuple tuple;
  int n = 0;
  lua_newtable(L);
  dql_push_columns(L, &rows);
  lua_setfield(L, -2, "columns");
  while (rows.rows.len) {
    int rc = dqc_row_begin(&tuple, rows.rows, rows.columns);
    if (!rc) rc = push_tuple(L, &tuple);
    if (rc) return rc;
    lua_rawseti(L, -2, ++n);
    dqc_rows_commit(&rows, &tuple);
  }
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
  lua_pushboolean(L, rows.more);
  lua_setfield(L, -2, "more");
  return DQC_DONE;
}

static int push_servers(lua_State *L, struct dqc_bytes input, int roles)
{
  struct dqc_server server;
  size_t count;
  int rc = dqc_take_count(&input, roles ? 24 : 16, &count);
  lua_newtable(L);
  for (size_t i = 0; !rc && i < count; i++) {
    rc = dqc_take_server(&input, roles, &server);
    if (rc) return rc;
    lua_createtable(L, 0, 3);
    dql_push_id(L, server.id);
    lua_setfield(L, -2, "id");
    dql_push_bytes(L, server.address);
    lua_setfield(L, -2, "address");
    if (roles) {
      dql_push_unsigned(L, server.role);
      lua_setfield(L, -2, "role");
    }
    lua_rawseti(L, -2, (int)i + 1);
  }
  return rc || input.len ? DQC_EPROTO : DQC_DONE;
}

static int push_any_servers(lua_State *L, struct dqc_bytes input, int roles)
{
  int top = lua_gettop(L);
  if (roles >= 0) return push_servers(L, input, roles);
  if (push_servers(L, input, 1) == DQC_DONE) return DQC_DONE;
  lua_settop(L, top);
  return push_servers(L, input, 0);
}

static int push_files(lua_State *L, struct dqc_bytes input)
{
  struct dqc_bytes name, content;
  size_t count;
  int rc = dqc_take_count(&input, 16, &count);
  lua_newtable(L);
  for (size_t i = 0; !rc && i < count; i++) {
    rc = dqc_take_file(&input, &name, &content);
    if (rc) return rc;
    lua_createtable(L, 0, 2);
    dql_push_bytes(L, name);
    lua_setfield(L, -2, "name");
    dql_push_bytes(L, content);
    lua_setfield(L, -2, "content");
    lua_rawseti(L, -2, (int)i + 1);
  }
  return rc || input.len ? DQC_EPROTO : DQC_DONE;
}

static int push_field(lua_State *L, const struct dqc_field *field,
                      uint8_t kind, uint8_t schema, int roles)
{
  switch ((enum dqc_kind)kind) {
  case DQC_KIND_U64:
  case DQC_KIND_U32: dql_push_unsigned(L, field->word); return DQC_DONE;
  case DQC_KIND_I64:
    dql_push_integer(L, (int64_t)field->word, DQL_INT64_STRING);
    return DQC_DONE;
  case DQC_KIND_ID: dql_push_id(L, field->word); return DQC_DONE;
  case DQC_KIND_ROLE:
    if (field->absent) {
      lua_pushnil(L);
    } else {
      dql_push_unsigned(L, field->word);
    }
    return DQC_DONE;
  case DQC_KIND_TEXT: dql_push_bytes(L, field->bytes); return DQC_DONE;
  case DQC_KIND_PARAMS: return push_params(L, field->bytes, schema);
  case DQC_KIND_ROWS: return push_rows(L, field->rows);
  case DQC_KIND_SERVERS: return push_any_servers(L, field->bytes, roles);
  case DQC_KIND_FILES: return push_files(L, field->bytes);
  case DQC_KIND_END: break;
  }
  return DQC_EPROTO;
}

int dql_push_message(lua_State *L, const struct dqc_message *message,
                     int roles)
{
  const struct dqc_layout *layout = message->layout;
  int top = lua_gettop(L);
  dql_checkstack(L, 20);
  lua_newtable(L);
  lua_pushstring(L, layout->name);
  lua_setfield(L, -2, "name");
  lua_pushinteger(L, layout->number);
  lua_setfield(L, -2, "number");
  lua_pushinteger(L, layout->schema);
  lua_setfield(L, -2, "schema");
  for (size_t i = 0; layout->fields[i].name; i++) {
    int rc = push_field(L, &message->fields[i], layout->fields[i].kind,
                        layout->schema, roles);
    if (rc) {
      lua_settop(L, top);
      return rc;
    }
    lua_setfield(L, top + 1, layout->fields[i].name);
  }
  return DQC_DONE;
}
