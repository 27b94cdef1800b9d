#include "support/rebuild.h"

#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "support/check.h"

static struct dqc_value *add(struct rebuilt *rebuilt)
{
  if (rebuilt->count == rebuilt->size) {
    rebuilt->size = rebuilt->size * 2 + 16;
    rebuilt->values =
        realloc(rebuilt->values, rebuilt->size * sizeof *rebuilt->values);
    if (!rebuilt->values) check_fatal("out of memory");
  }
  struct dqc_value *value = &rebuilt->values[rebuilt->count++];
  memset(value, 0, sizeof *value);
  return value;
}

static void add_word(struct rebuilt *rebuilt, uint64_t word)
{
  struct dqc_value *value = add(rebuilt);
  value->type = DQC_INTEGER;
  value->as.integer = (int64_t)word;
}

static void add_bytes(struct rebuilt *rebuilt, uint8_t type,
                      struct dqc_bytes bytes)
{
  struct dqc_value *value = add(rebuilt);
  value->type = type;
  value->as.bytes = bytes;
}

static int add_tuple(struct rebuilt *rebuilt, struct dqc_tuple *tuple)
{
  int rc = DQC_DONE;
  while (!rc && tuple->next < tuple->count) {
    rc = dqc_tuple_next(tuple, add(rebuilt));
  }
  return rc;
}

static int add_params(struct rebuilt *rebuilt, struct dqc_field *field,
                      uint8_t schema)
{
  struct dqc_tuple tuple;
  int rc = dqc_params_begin(&tuple, field->bytes, schema);
  if (!rc) rc = add_tuple(rebuilt, &tuple);
  field->count = tuple.count;
  return rc;
}

static int add_rows(struct rebuilt *rebuilt, struct dqc_field *field)
{
  struct dqc_rows rows = field->rows;
  struct dqc_tuple tuple;
  struct dqc_bytes name;
  while (!dqc_take_text(&rows.names, &name)) {
    add_bytes(rebuilt, DQC_TEXT, name);
  }
  while (rows.rows.len) {
    int rc = dqc_row_begin(&tuple, rows.rows, rows.columns);
    if (!rc) rc = add_tuple(rebuilt, &tuple);
    if (rc) return rc;
    dqc_rows_commit(&rows, &tuple);
    field->count++;
  }
  field->columns = rows.columns;
  field->more = rows.more;
  return DQC_DONE;
}

static int add_servers(struct rebuilt *rebuilt, struct dqc_field *field,
                       int roles)
{
  struct dqc_server server;
  struct dqc_bytes input = field->bytes;
  int rc = dqc_take_count(&input, 16, &field->count);
  field->columns = roles ? 3 : 2;
  for (size_t i = 0; !rc && i < field->count; i++) {
    rc = dqc_take_server(&input, roles, &server);
    add_word(rebuilt, server.id);
    add_bytes(rebuilt, DQC_TEXT, server.address);
    if (roles) add_word(rebuilt, server.role);
  }
  return rc;
}

static int add_files(struct rebuilt *rebuilt, struct dqc_field *field)
{
  struct dqc_bytes input = field->bytes, name, content;
  int rc = dqc_take_count(&input, 16, &field->count);
  for (size_t i = 0; !rc && i < field->count; i++) {
    rc = dqc_take_file(&input, &name, &content);
    add_bytes(rebuilt, DQC_TEXT, name);
    add_bytes(rebuilt, DQC_BLOB, content);
  }
  return rc;
}

static int add_list(struct rebuilt *rebuilt, struct dqc_field *field,
                    uint8_t kind, int roles)
{
  uint8_t schema = rebuilt->message.layout->schema;
  switch ((enum dqc_kind)kind) {
  case DQC_KIND_PARAMS: return add_params(rebuilt, field, schema);
  case DQC_KIND_ROWS: return add_rows(rebuilt, field);
  case DQC_KIND_SERVERS: return add_servers(rebuilt, field, roles);
  case DQC_KIND_FILES: return add_files(rebuilt, field);
  default: return DQC_DONE;
  }
}

int rebuild(const struct dqc_message *decoded, int roles,
            struct rebuilt *rebuilt)
{
  const struct dqc_layout *layout = decoded->layout;
  int rc = DQC_DONE;
  memset(rebuilt, 0, sizeof *rebuilt);
  rebuilt->message = *decoded;
  for (size_t i = 0; !rc && layout->fields[i].name; i++) {
    struct dqc_field *field = &rebuilt->message.fields[i];
    rc = add_list(rebuilt, field, layout->fields[i].kind, roles);
  }
  for (size_t i = 0; i < DQC_FIELDS_MAX; i++) {
    rebuilt->message.fields[i].values = rebuilt->values;
  }
  return rc;
}

void rebuilt_free(struct rebuilt *rebuilt)
{
  free(rebuilt->values);
  memset(rebuilt, 0, sizeof *rebuilt);
}
