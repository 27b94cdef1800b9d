#include "core/value.h"

#include "core/le.h"
#include "core/status.h"
#include "core/take.h"

const char *dqc_type_name(uint8_t type)
{
  switch (type) {
  case DQC_INTEGER: return "INTEGER";
  case DQC_FLOAT: return "FLOAT";
  case DQC_TEXT: return "TEXT";
  case DQC_BLOB: return "BLOB";
  case DQC_NULL: return "NULL";
  case DQC_UNIXTIME: return "UNIXTIME";
  case DQC_ISO8601: return "ISO8601";
  case DQC_BOOLEAN: return "BOOLEAN";
  default: return NULL;
  }
}

/* ---- single fields, out ---- */

int dqc_put_u64(struct dqc_buf *out, uint64_t v)
{
  uint8_t word[8];
  dqc_store64(word, v);
  return dqc_buf_append(out, word, sizeof word);
}

int dqc_put_u32(struct dqc_buf *out, uint32_t v)
{
  uint8_t half[4];
  dqc_store32(half, v);
  return dqc_buf_append(out, half, sizeof half);
}

/* The bytes, then at least `least` zeros, up to a whole word. */
static int put_padded(struct dqc_buf *out, struct dqc_bytes bytes,
                      size_t least)
{
  uint8_t *room;
  if (bytes.len > DQC_VALUE_MAX) return DQC_ETOOBIG;
  size_t zeros = least + dqc_padding(bytes.len + least);
  int rc = dqc_buf_reserve(out, bytes.len + zeros, &room);
  if (rc) return rc;
  if (bytes.len) memcpy(room, bytes.ptr, bytes.len);
  memset(room + bytes.len, 0, zeros);
  dqc_buf_commit(out, bytes.len + zeros);
  return DQC_DONE;
}

int dqc_put_text(struct dqc_buf *out, struct dqc_bytes text)
{
  if (text.len && memchr(text.ptr, 0, text.len)) return DQC_EVALUE;
  return put_padded(out, text, 1);
}

int dqc_put_blob(struct dqc_buf *out, struct dqc_bytes blob)
{
  int rc = dqc_put_u64(out, blob.len);
  return rc ? rc : put_padded(out, blob, 0);
}

int dqc_put_value(struct dqc_buf *out, const struct dqc_value *value)
{
  switch (value->type) {
  case DQC_INTEGER:
  case DQC_UNIXTIME:
  case DQC_BOOLEAN: return dqc_put_u64(out, (uint64_t)value->as.integer);
  case DQC_FLOAT: return dqc_put_u64(out, dqc_bits_of(value->as.real));
  case DQC_NULL: return dqc_put_u64(out, 0);
  case DQC_TEXT:
  case DQC_ISO8601: return dqc_put_text(out, value->as.bytes);
  case DQC_BLOB: return dqc_put_blob(out, value->as.bytes);
  default: return DQC_EVALUE;
  }
}

/* ---- tuples ---- */

int dqc_params_begin(struct dqc_tuple *tuple, struct dqc_bytes input,
                     uint8_t schema)
{
  size_t width = schema == 0 ? 1 : 4;
  struct dqc_bytes head;
  memset(tuple, 0, sizeof *tuple);
  tuple->input = input;
  if (input.len == 0) return DQC_DONE;
  if (input.len < width) return DQC_EPROTO;
  tuple->count = schema == 0 ? input.ptr[0] : dqc_load32(input.ptr);
  if (tuple->count > input.len - width ||
      dqc_take_padded(&tuple->input, width + tuple->count, &head)) {
    tuple->count = 0;
    return DQC_EPROTO;
  }
  tuple->types = head.ptr + width;
  return DQC_DONE;
}

static int put_zeros(struct dqc_buf *out, size_t n, uint8_t **room)
{
  int rc = dqc_buf_reserve(out, n, room);
  if (rc) return rc;
  memset(*room, 0, n);
  dqc_buf_commit(out, n);
  return DQC_DONE;
}

static int put_values(struct dqc_buf *out, const struct dqc_value *values,
                      size_t count)
{
  for (size_t i = 0; i < count; i++) {
    int rc = dqc_put_value(out, &values[i]);
    if (rc) return rc;
  }
  return DQC_DONE;
}

int dqc_put_params(struct dqc_buf *out, const struct dqc_value *values,
                   size_t count, uint8_t schema)
{
  size_t width = schema == 0 ? 1 : 4;
  uint8_t *head;
  if (count > (schema == 0 ? UINT8_MAX : DQC_PARAMS_MAX)) return DQC_EVALUE;
  int rc = put_zeros(out, dqc_pad8(width + count), &head);
  if (rc) return rc;
  if (schema == 0) {
    head[0] = (uint8_t)count;
  } else {
    dqc_store32(head, (uint32_t)count);
  }
  for (size_t i = 0; i < count; i++) head[width + i] = values[i].type;
  return put_values(out, values, count);
}

int dqc_put_row(struct dqc_buf *out, const struct dqc_value *values,
                size_t count)
{
  uint8_t *head;
  int rc = put_zeros(out, dqc_pad8(count / 2 + count % 2), &head);
  if (rc) return rc;
  for (size_t i = 0; i < count; i++) {
    if (values[i].type > DQC_BOOLEAN) return DQC_EVALUE;
    head[i / 2] |= (uint8_t)(values[i].type << (i % 2 ? 4 : 0));
  }
  return put_values(out, values, count);
}
