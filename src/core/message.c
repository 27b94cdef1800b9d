#include "core/message.h"

#include "core/le.h"
#include "core/status.h"

/* ---- the table ---- */

#define U64(name) {#name, DQC_KIND_U64},
#define I64(name) {#name, DQC_KIND_I64},
#define U32(name) {#name, DQC_KIND_U32},
#define ID(name) {#name, DQC_KIND_ID},
#define ROLE(name) {#name, DQC_KIND_ROLE},
#define TEXT(name) {#name, DQC_KIND_TEXT},
#define PARAMS(name) {#name, DQC_KIND_PARAMS},
#define ROWS(name) {#name, DQC_KIND_ROWS},
#define SERVERS(name) {#name, DQC_KIND_SERVERS},
#define FILES(name) {#name, DQC_KIND_FILES},
#define LAST                                                                  \
  {                                                                           \
    NULL, DQC_KIND_END                                                        \
  }

#define X(name, number, answer, fields)                                       \
  {#name, number, 0, DQC_RESPONSE_##answer, {fields LAST}},
#define V(name, schema, answer, fields)                                       \
  {#name, DQC_REQUEST_##name, schema, DQC_RESPONSE_##answer, {fields LAST}},
static const struct dqc_layout requests[] = {
    DQC_REQUESTS(X, V){NULL, 0, 0, 0, {LAST}}};
#undef V
#define V(name, schema, answer, fields)                                       \
  {#name, DQC_RESPONSE_##name, schema, DQC_RESPONSE_##answer, {fields LAST}},
static const struct dqc_layout responses[] = {
    DQC_RESPONSES(X, V){NULL, 0, 0, 0, {LAST}}};

const struct dqc_layout *dqc_layouts(enum dqc_direction direction)
{
  return direction == DQC_TO_SERVER ? requests : responses;
}

const struct dqc_layout *dqc_layout_of(enum dqc_direction direction,
                                       uint8_t number, uint8_t schema)
{
  const struct dqc_layout *l = dqc_layouts(direction);
  while (l->name && (l->number != number || l->schema != schema)) l++;
  return l->name ? l : NULL;
}

static const struct dqc_layout *named(const struct dqc_layout *l,
                                      const char *name, uint8_t schema)
{
  while (l->name && (l->schema != schema || strcmp(l->name, name) != 0)) l++;
  return l->name ? l : NULL;
}

const struct dqc_layout *dqc_layout_named(const char *name, uint8_t schema)
{
  const struct dqc_layout *l = named(requests, name, schema);
  return l ? l : named(responses, name, schema);
}

/* ---- lists ---- */

int dqc_take_count(struct dqc_bytes *input, size_t smallest, size_t *count)
{
  uint64_t n;
  *count = 0;
  int rc = dqc_take_u64(input, &n);
  if (rc) return rc;
  if (n > input->len / smallest) return DQC_EPROTO;
  *count = (size_t)n;
  return DQC_DONE;
}

int dqc_take_server(struct dqc_bytes *input, int roles,
                    struct dqc_server *server)
{
  memset(server, 0, sizeof *server);
  int rc = dqc_take_u64(input, &server->id);
  if (!rc) rc = dqc_take_text(input, &server->address);
  if (!rc && roles) rc = dqc_take_u64(input, &server->role);
  return rc;
}

int dqc_take_file(struct dqc_bytes *input, struct dqc_bytes *name,
                  struct dqc_bytes *content)
{
  uint64_t size;
  *content = (struct dqc_bytes){NULL, 0};
  int rc = dqc_take_text(input, name);
  if (!rc) rc = dqc_take_u64(input, &size);
  if (rc) return rc;
  if (size > input->len) return DQC_EPROTO;
  content->ptr = input->ptr;
  content->len = (size_t)size;
  input->ptr += content->len;
  input->len -= content->len;
  return DQC_DONE;
}

/* ---- decode ---- */

/* A FAILURE can begin with the rows that were built before the error. The
 * message is the text at the end; a code is the nearest word before it that
 * cannot be part of a text, since it holds a zero byte. */
static struct dqc_bytes failure_of(struct dqc_bytes body)
{
  size_t words = body.len / DQC_WORD;
  if (words < 2) return body;
  size_t i = words - 2;
  while (i > 0 && !memchr(body.ptr + i * DQC_WORD, 0, DQC_WORD)) i--;
  body.ptr += i * DQC_WORD;
  body.len -= i * DQC_WORD;
  return body;
}

static int decode_u32(struct dqc_bytes *input, uint64_t *word)
{
  uint32_t half;
  int rc = dqc_take_u32(input, &half);
  *word = half;
  return rc;
}

static void take_rest(struct dqc_bytes *input, struct dqc_bytes *rest)
{
  *rest = *input;
  input->ptr += input->len;
  input->len = 0;
}

static int decode_role(struct dqc_bytes *input, struct dqc_field *field)
{
  field->absent = input->len == 0;
  return field->absent ? DQC_DONE : dqc_take_u64(input, &field->word);
}

static int decode_rows(struct dqc_bytes *input, struct dqc_rows *rows)
{
  struct dqc_bytes body;
  take_rest(input, &body);
  return dqc_rows_begin(body, rows);
}

static int decode_field(struct dqc_bytes *input, uint8_t kind,
                        struct dqc_field *field)
{
  switch ((enum dqc_kind)kind) {
  case DQC_KIND_U64:
  case DQC_KIND_I64:
  case DQC_KIND_ID: return dqc_take_u64(input, &field->word);
  case DQC_KIND_U32: return decode_u32(input, &field->word);
  case DQC_KIND_ROLE: return decode_role(input, field);
  case DQC_KIND_TEXT: return dqc_take_text(input, &field->bytes);
  case DQC_KIND_ROWS: return decode_rows(input, &field->rows);
  case DQC_KIND_PARAMS:
  case DQC_KIND_SERVERS:
  case DQC_KIND_FILES: take_rest(input, &field->bytes); return DQC_DONE;
  case DQC_KIND_END: break;
  }
  return DQC_EPROTO;
}

int dqc_message_decode(const struct dqc_frame *frame,
                       enum dqc_direction direction,
                       struct dqc_message *message)
{
  struct dqc_bytes input = frame->body;
  memset(message, 0, sizeof *message);
  message->layout = dqc_layout_of(direction, frame->type, frame->schema);
  if (!message->layout) return DQC_EPROTO;
  if (direction == DQC_TO_CLIENT && frame->type == DQC_RESPONSE_FAILURE) {
    input = failure_of(input);
  }
  for (size_t i = 0; message->layout->fields[i].name; i++) {
    int rc = decode_field(&input, message->layout->fields[i].kind,
                          &message->fields[i]);
    if (rc) return rc;
  }
  return direction == DQC_TO_CLIENT && input.len ? DQC_EPROTO : DQC_DONE;
}

/* ---- encode ---- */

const char *dqc_message_refusal(const struct dqc_message *message)
{
  const struct dqc_layout *l = message->layout;
  const struct dqc_field *f = message->fields;
  if (l->answer == DQC_RESPONSE_NONE) return NULL;
  switch (l->number) {
  case DQC_REQUEST_DESCRIBE:
    return f[0].word ? "DESCRIBE knows format 0 only" : NULL;
  case DQC_REQUEST_ADD: return f[0].word ? NULL : "a node id cannot be 0";
  case DQC_REQUEST_ASSIGN:
    return f[1].word > 2 ? "unknown role: 0 voter, 1 standby, 2 spare" : NULL;
  default: return NULL;
  }
}

static int put_servers(struct dqc_buf *out, const struct dqc_field *field)
{
  const struct dqc_value *v = field->values;
  int rc = dqc_put_u64(out, field->count);
  for (size_t i = 0; !rc && i < field->count; i++, v += field->columns) {
    rc = dqc_put_u64(out, (uint64_t)v[0].as.integer);
    if (!rc) rc = dqc_put_text(out, v[1].as.bytes);
    if (!rc && field->columns > 2) {
      rc = dqc_put_u64(out, (uint64_t)v[2].as.integer);
    }
  }
  return rc;
}

static int put_files(struct dqc_buf *out, const struct dqc_field *field)
{
  const struct dqc_value *v = field->values;
  int rc = dqc_put_u64(out, field->count);
  for (size_t i = 0; !rc && i < field->count; i++, v += 2) {
    if (v[1].as.bytes.len % DQC_WORD != 0) return DQC_EVALUE;
    rc = dqc_put_text(out, v[0].as.bytes);
    if (!rc) rc = dqc_put_u64(out, v[1].as.bytes.len);
    if (!rc) rc = dqc_buf_append(out, v[1].as.bytes.ptr, v[1].as.bytes.len);
  }
  return rc;
}

static int put_rows(struct dqc_buf *out, const struct dqc_field *field)
{
  const struct dqc_value *values = field->values;
  if (field->columns) values += field->columns;
  return dqc_put_rows(out, field->values, field->columns, values, field->count,
                      field->more);
}

/* None is sent as no bytes at all, as the servers expect it. */
static int put_params(struct dqc_buf *out, const struct dqc_field *field,
                      uint8_t schema)
{
  if (field->count == 0) return DQC_DONE;
  return dqc_put_params(out, field->values, field->count, schema);
}

static int put_field(struct dqc_buf *out, const struct dqc_field *field,
                     uint8_t kind, uint8_t schema)
{
  switch ((enum dqc_kind)kind) {
  case DQC_KIND_U64:
  case DQC_KIND_I64:
  case DQC_KIND_ID: return dqc_put_u64(out, field->word);
  case DQC_KIND_U32: return dqc_put_u32(out, (uint32_t)field->word);
  case DQC_KIND_ROLE:
    return field->absent ? DQC_DONE : dqc_put_u64(out, field->word);
  case DQC_KIND_TEXT: return dqc_put_text(out, field->bytes);
  case DQC_KIND_PARAMS: return put_params(out, field, schema);
  case DQC_KIND_ROWS: return put_rows(out, field);
  case DQC_KIND_SERVERS: return put_servers(out, field);
  case DQC_KIND_FILES: return put_files(out, field);
  case DQC_KIND_END: break;
  }
  return DQC_EVALUE;
}

static int put_fields(struct dqc_buf *out, const struct dqc_message *message)
{
  const struct dqc_layout *l = message->layout;
  for (size_t i = 0; l->fields[i].name; i++) {
    int rc = put_field(out, &message->fields[i], l->fields[i].kind, l->schema);
    if (rc) return rc;
  }
  return DQC_DONE;
}

int dqc_message_encode(struct dqc_buf *out, const struct dqc_message *message,
                       size_t max)
{
  const struct dqc_layout *l = message->layout;
  size_t mark;
  if (dqc_message_refusal(message)) return DQC_EVALUE;
  int rc = dqc_frame_begin(out, l->number, l->schema, &mark);
  if (rc) return rc;
  rc = put_fields(out, message);
  if (rc) {
    dqc_buf_truncate(out, mark);
    return rc;
  }
  return dqc_frame_end(out, mark, max);
}
