#include "lua/encode.h"

#include <string.h>

#include "core/le.h"
#include "lua/value.h"

static const char *const roles[] = {"voter", "standby", "spare"};

/* Without metamethods: a string that one made would have no other holder
 * than the stack. */
static void get_field(lua_State *L, int index, const char *name)
{
  if (index < 0) index = lua_gettop(L) + 1 + index;
  lua_pushstring(L, name);
  lua_rawget(L, index);
}

/* ---- the table as a whole ---- */

static int known_key(const struct dqc_layout *layout, const char *key)
{
  if (strcmp(key, "name") == 0 || strcmp(key, "schema") == 0 ||
      strcmp(key, "number") == 0) {
    return 1;
  }
  for (size_t i = 0; layout->fields[i].name; i++) {
    if (strcmp(key, layout->fields[i].name) == 0) return 1;
  }
  return 0;
}

static void check_keys(lua_State *L, const struct dqc_layout *layout,
                       int index)
{
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      luaL_error(L, "the fields of %s have names", layout->name);
    }
    if (!known_key(layout, lua_tostring(L, -2))) {
      luaL_error(L, "unknown field '%s' of %s", lua_tostring(L, -2),
                 layout->name);
    }
  }
}

static const struct dqc_layout *layout_of(lua_State *L, const char *name,
                                          int index)
{
  uint64_t schema = 0;
  const struct dqc_layout *layout = NULL;
  get_field(L, index, "schema");
  if (lua_isnil(L, -1) || dql_to_unsigned(L, -1, &schema)) {
    if (schema <= UINT8_MAX) layout = dqc_layout_named(name, (uint8_t)schema);
  }
  lua_pop(L, 1);
  if (!layout) luaL_error(L, "no message '%s' of this schema", name);
  return layout;
}

/* ---- lists ---- */

/* How many values a frame can hold: each takes a word. So many fit into a
 * size_t of 32 bits, however they are multiplied here. */
#define MOST (DQC_FRAME_MAX / DQC_WORD)

static void check_len(lua_State *L, uint64_t len)
{
  if (len > MOST) luaL_error(L, "too many values for one frame");
}

/* Room for values; it lives on the stack until the message is encoded. */
static struct dqc_value *new_values(lua_State *L, size_t count)
{
  check_len(L, count);
  struct dqc_value *values =
      dql_newuserdata(L, (count ? count : 1) * sizeof *values, 0);
  memset(values, 0, count * sizeof *values);
  return values;
}

static size_t list_len(lua_State *L, int index)
{
  uint64_t n;
  get_field(L, index, "n");
  if (!dql_to_unsigned(L, -1, &n) || n > INT32_MAX) n = lua_rawlen(L, index);
  lua_pop(L, 1);
  check_len(L, n);
  return (size_t)n;
}

static uint8_t type_named(lua_State *L, const char *name)
{
  for (uint8_t type = 1; type <= DQC_BOOLEAN; type++) {
    const char *known = dqc_type_name(type);
    if (known && strcmp(known, name) == 0) return type;
  }
  luaL_error(L, "unknown type '%s'", name);
  return 0;
}

/* The values 1 to count of the list on the top of the stack, as its `types`
 * say or as they would be bound. */
static void read_values(lua_State *L, struct dqc_value *values, size_t count)
{
  int list = lua_gettop(L);
  const char *text;
  get_field(L, list, "types");
  for (size_t i = 0; i < count; i++) {
    enum dql_problem problem;
    lua_rawgeti(L, list, (int)i + 1);
    if (lua_istable(L, list + 1)) {
      lua_rawgeti(L, list + 1, (int)i + 1);
      uint8_t type = type_named(L, luaL_checkstring(L, -1));
      lua_pop(L, 1);
      problem = dql_value_as(L, lua_gettop(L), type, &values[i], &text);
    } else {
      problem = dql_value_of(L, lua_gettop(L), &values[i], &text);
    }
    if (problem) luaL_error(L, "value %d: %s", (int)i + 1, text);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void check_list(lua_State *L, const char *name)
{
  if (!lua_istable(L, -1)) luaL_error(L, "field '%s' is a list", name);
}

static void read_params(lua_State *L, struct dqc_field *field)
{
  int list = lua_gettop(L);
  field->count = list_len(L, list);
  struct dqc_value *values = new_values(L, field->count);
  lua_pushvalue(L, list);
  read_values(L, values, field->count);
  lua_pop(L, 1);
  field->values = values;
}

static void read_row_list(lua_State *L, int rows, struct dqc_value *values,
                          const struct dqc_field *field)
{
  for (size_t i = 0; i < field->count; i++) {
    lua_rawgeti(L, rows, (int)i + 1);
    check_list(L, "rows");
    read_values(L, values + i * field->columns, field->columns);
    lua_pop(L, 1);
  }
}

static void read_rows(lua_State *L, struct dqc_field *field)
{
  int rows = lua_gettop(L);
  get_field(L, rows, "more");
  field->more = (uint8_t)lua_toboolean(L, -1);
  get_field(L, rows, "columns");
  check_list(L, "columns");
  field->columns = list_len(L, rows + 2);
  field->count = list_len(L, rows);
  if (field->columns && field->count >= MOST / field->columns) {
    luaL_error(L, "too many rows for one frame");
  }
  struct dqc_value *values =
      new_values(L, (field->count + 1) * field->columns);
  lua_pushvalue(L, rows + 2);
  read_values(L, values, field->columns);
  lua_pop(L, 1);
  read_row_list(L, rows, values + field->columns, field);
  field->values = values;
}

/* One member of an entry, as a value of the list. */
static void read_member(lua_State *L, const char *name, uint8_t type,
                        struct dqc_value *value)
{
  const char *text;
  get_field(L, -1, name);
  if (dql_value_as(L, lua_gettop(L), type, value, &text)) {
    luaL_error(L, "field '%s' cannot be a %s", name, text);
  }
  lua_pop(L, 1);
}

static uint64_t check_role(lua_State *L, int index)
{
  uint64_t role;
  if (dql_to_unsigned(L, index, &role)) return role;
  const char *name = luaL_checkstring(L, index);
  for (role = 0; role < 3; role++) {
    if (strcmp(roles[role], name) == 0) return role;
  }
  luaL_error(L, "unknown role '%s'", name);
  return 0;
}

static uint64_t check_word(lua_State *L, const char *name, uint8_t kind)
{
  uint64_t word;
  int64_t integer;
  if (kind == DQC_KIND_ROLE) return check_role(L, lua_gettop(L));
  if (kind == DQC_KIND_I64 && dql_to_signed(L, lua_gettop(L), &integer)) {
    return (uint64_t)integer;
  }
  if (!dql_to_unsigned(L, lua_gettop(L), &word) ||
      (kind == DQC_KIND_U32 && word > UINT32_MAX)) {
    luaL_error(L, "field '%s' is no whole number of its size", name);
  }
  return word;
}

static void read_server(lua_State *L, struct dqc_value *values, int has_role)
{
  get_field(L, -1, "id");
  values[0].as.integer = (int64_t)check_word(L, "id", DQC_KIND_ID);
  lua_pop(L, 1);
  read_member(L, "address", DQC_TEXT, &values[1]);
  if (!has_role) return;
  get_field(L, -1, "role");
  values[2].as.integer = (int64_t)check_role(L, lua_gettop(L));
  lua_pop(L, 1);
}

static int first_has_role(lua_State *L, int list)
{
  lua_rawgeti(L, list, 1);
  if (lua_istable(L, -1)) {
    get_field(L, -1, "role");
    lua_remove(L, -2);
  }
  int has_role = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return has_role;
}

static void read_servers(lua_State *L, struct dqc_field *field)
{
  int list = lua_gettop(L);
  field->count = list_len(L, list);
  field->columns = first_has_role(L, list) ? 3 : 2;
  struct dqc_value *values = new_values(L, field->count * field->columns);
  for (size_t i = 0; i < field->count; i++) {
    lua_rawgeti(L, list, (int)i + 1);
    check_list(L, "servers");
    read_server(L, values + i * field->columns, field->columns == 3);
    lua_pop(L, 1);
  }
  field->values = values;
}

static void read_files(lua_State *L, struct dqc_field *field)
{
  int list = lua_gettop(L);
  field->count = list_len(L, list);
  struct dqc_value *values = new_values(L, field->count * 2);
  for (size_t i = 0; i < field->count; i++) {
    lua_rawgeti(L, list, (int)i + 1);
    check_list(L, "files");
    read_member(L, "name", DQC_TEXT, &values[2 * i]);
    read_member(L, "content", DQC_BLOB, &values[2 * i + 1]);
    lua_pop(L, 1);
  }
  field->values = values;
}

/* ---- fields ---- */

static void read_text(lua_State *L, const char *name, struct dqc_field *field)
{
  struct dqc_value value;
  const char *text;
  if (dql_value_as(L, lua_gettop(L), DQC_TEXT, &value, &text)) {
    luaL_error(L, "field '%s' is a string, not a %s", name, text);
  }
  field->bytes = value.as.bytes;
}

/* The value of the field is on the top of the stack and stays there. */
static void read_field(lua_State *L, const char *name, uint8_t kind,
                       struct dqc_field *field)
{
  switch ((enum dqc_kind)kind) {
  case DQC_KIND_U64:
  case DQC_KIND_I64:
  case DQC_KIND_U32:
  case DQC_KIND_ID:
  case DQC_KIND_ROLE: field->word = check_word(L, name, kind); return;
  case DQC_KIND_TEXT: read_text(L, name, field); return;
  case DQC_KIND_PARAMS:
    check_list(L, name);
    read_params(L, field);
    return;
  case DQC_KIND_ROWS:
    check_list(L, name);
    read_rows(L, field);
    return;
  case DQC_KIND_SERVERS:
    check_list(L, name);
    read_servers(L, field);
    return;
  case DQC_KIND_FILES:
    check_list(L, name);
    read_files(L, field);
    return;
  case DQC_KIND_END: return;
  }
}

void dql_message_of(lua_State *L, const char *name, int index,
                    struct dqc_message *message)
{
  dql_checkstack(L, 40);
  memset(message, 0, sizeof *message);
  const struct dqc_layout *layout = layout_of(L, name, index);
  check_keys(L, layout, index);
  message->layout = layout;
  for (size_t i = 0; layout->fields[i].name; i++) {
    get_field(L, index, layout->fields[i].name);
    message->fields[i].absent = lua_isnil(L, -1);
    if (message->fields[i].absent) {
      if (layout->fields[i].kind == DQC_KIND_ROWS) check_list(L, "rows");
      continue;
    }
    read_field(L, layout->fields[i].name, layout->fields[i].kind,
               &message->fields[i]);
  }
}
