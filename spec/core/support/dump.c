#include "support/dump.h"

#include <inttypes.h>

#include "core/le.h"
#include "core/status.h"

static void add_word(struct text *text, uint64_t word)
{
  text_add(text, "%" PRIu64, word);
}

static int is_plain(uint8_t c)
{
  return c >= 0x20 && c <= 0x7e && c != '"' && c != '\\';
}

static void add_quoted(struct text *text, struct dqc_bytes bytes)
{
  text_add(text, "\"");
  for (size_t i = 0, n = 0; i < bytes.len; i += n) {
    for (n = 0; i + n < bytes.len && is_plain(bytes.ptr[i + n]);) n++;
    struct dqc_bytes plain = {bytes.ptr + i, n};
    text_add_bytes(text, plain);
    if (n == 0) text_add(text, "\\x%02x", bytes.ptr[i + n++]);
  }
  text_add(text, "\"");
}

static void add_hex(struct text *text, struct dqc_bytes bytes)
{
  static const char digits[] = "0123456789abcdef";
  if (bytes.len) text_add(text, " ");
  for (size_t i = 0; i < bytes.len; i++) {
    char pair[2] = {digits[bytes.ptr[i] >> 4], digits[bytes.ptr[i] & 15]};
    struct dqc_bytes two = {(const uint8_t *)pair, sizeof pair};
    text_add_bytes(text, two);
  }
}

static void add_value(struct text *text, const struct dqc_value *value)
{
  text_add(text, "%s", dqc_type_name(value->type));
  switch (value->type) {
  case DQC_INTEGER:
  case DQC_UNIXTIME:
  case DQC_BOOLEAN: text_add(text, " %" PRId64, value->as.integer); break;
  case DQC_FLOAT:
    text_add(text, " 0x%016" PRIx64, dqc_bits_of(value->as.real));
    break;
  case DQC_TEXT:
  case DQC_ISO8601:
    text_add(text, " ");
    add_quoted(text, value->as.bytes);
    break;
  case DQC_BLOB: add_hex(text, value->as.bytes); break;
  default: break;
  }
}

static int add_tuple(struct text *text, struct dqc_tuple *tuple)
{
  struct dqc_value value;
  text_add(text, "[");
  while (tuple->next < tuple->count) {
    if (tuple->next) text_add(text, ", ");
    int rc = dqc_tuple_next(tuple, &value);
    if (rc) return rc;
    add_value(text, &value);
  }
  text_add(text, "]");
  return DQC_DONE;
}

static int add_params(struct text *text, struct dqc_bytes bytes,
                      uint8_t schema)
{
  struct dqc_tuple tuple;
  int rc = dqc_params_begin(&tuple, bytes, schema);
  return rc ? rc : add_tuple(text, &tuple);
}

static int add_columns(struct text *text, const struct dqc_rows *rows)
{
  struct dqc_bytes names = rows->names, name;
  text_add(text, "columns=[");
  for (size_t i = 0; i < rows->columns; i++) {
    int rc = dqc_take_text(&names, &name);
    if (rc) return rc;
    if (i) text_add(text, ", ");
    add_quoted(text, name);
  }
  text_add(text, "] ");
  return names.len ? DQC_EPROTO : DQC_DONE;
}

static int add_rows(struct text *text, struct dqc_rows rows)
{
  struct dqc_tuple tuple;
  int rc = add_columns(text, &rows);
  text_add(text, "rows=[");
  for (size_t i = 0; !rc && rows.rows.len; i++) {
    if (i) text_add(text, ", ");
    rc = dqc_row_begin(&tuple, rows.rows, rows.columns);
    if (!rc) rc = add_tuple(text, &tuple);
    dqc_rows_commit(&rows, &tuple);
  }
  text_add(text, "] end=%s", rows.more ? "PART" : "DONE");
  return rc;
}

static int add_servers(struct text *text, struct dqc_bytes input, int roles)
{
  struct dqc_server server;
  size_t count;
  int rc = dqc_take_count(&input, roles ? 24 : 16, &count);
  text_add(text, "servers=[");
  for (size_t i = 0; !rc && i < count; i++) {
    rc = dqc_take_server(&input, roles, &server);
    if (rc) return rc;
    text_add(text, "%s%" PRIu64 " ", i ? ", " : "", server.id);
    add_quoted(text, server.address);
    if (roles) text_add(text, " %" PRIu64, server.role);
  }
  text_add(text, "]");
  return rc || input.len ? DQC_EPROTO : DQC_DONE;
}

static int add_files(struct text *text, struct dqc_bytes input)
{
  struct dqc_bytes name, content;
  size_t count;
  int rc = dqc_take_count(&input, 16, &count);
  text_add(text, "files=[");
  for (size_t i = 0; !rc && i < count; i++) {
    rc = dqc_take_file(&input, &name, &content);
    if (rc) return rc;
    if (i) text_add(text, ", ");
    add_quoted(text, name);
    add_hex(text, content);
  }
  text_add(text, "]");
  return rc || input.len ? DQC_EPROTO : DQC_DONE;
}

/* Fields with one value: "name=value". */
static void add_simple(struct text *text, const char *name, uint8_t kind,
                       const struct dqc_field *field)
{
  text_add(text, "%s=", name);
  if (kind == DQC_KIND_TEXT) {
    add_quoted(text, field->bytes);
  } else if (kind == DQC_KIND_I64) {
    text_add(text, "%" PRId64, (int64_t)field->word);
  } else {
    add_word(text, field->word);
  }
}

static int add_field(struct text *text, const struct dqc_message *message,
                     size_t i, int roles)
{
  const struct dqc_field *field = &message->fields[i];
  uint8_t kind = message->layout->fields[i].kind;
  if (kind == DQC_KIND_ROLE && field->absent) return DQC_DONE;
  text_add(text, " ");
  switch ((enum dqc_kind)kind) {
  case DQC_KIND_ROWS: return add_rows(text, field->rows);
  case DQC_KIND_SERVERS: return add_servers(text, field->bytes, roles);
  case DQC_KIND_FILES: return add_files(text, field->bytes);
  case DQC_KIND_PARAMS:
    text_add(text, "params=");
    return add_params(text, field->bytes, message->layout->schema);
  default:
    add_simple(text, message->layout->fields[i].name, kind, field);
    return DQC_DONE;
  }
}

int dump_message(const struct dqc_message *message, int roles,
                 struct text *text)
{
  const struct dqc_layout *layout = message->layout;
  text_add(text, "%s/%d", layout->name, layout->schema);
  for (size_t i = 0; layout->fields[i].name; i++) {
    int rc = add_field(text, message, i, roles);
    if (rc) return rc;
  }
  return DQC_DONE;
}

int dump_frame(struct dqc_bytes bytes, enum dqc_direction direction, int roles,
               struct text *text)
{
  struct dqc_frame frame;
  struct dqc_message message;
  size_t need;
  int rc = dqc_frame_next(bytes, DQC_FRAME_MAX, &frame, &need);
  if (!rc) rc = dqc_message_decode(&frame, direction, &message);
  return rc ? rc : dump_message(&message, roles, text);
}
