#include "core/rows.h"

#include "core/le.h"
#include "core/status.h"

static int take_names(struct dqc_bytes *input, size_t columns,
                      struct dqc_bytes *names)
{
  struct dqc_bytes start = *input, name;
  for (size_t i = 0; i < columns; i++) {
    int rc = dqc_take_text(input, &name);
    if (rc) return rc;
  }
  names->ptr = start.ptr;
  names->len = start.len - input->len;
  return DQC_DONE;
}

static int take_marker(struct dqc_bytes *input, uint8_t *more)
{
  if (input->len < DQC_WORD) return DQC_EPROTO;
  input->len -= DQC_WORD;
  uint64_t marker = dqc_load64(input->ptr + input->len);
  *more = marker == DQC_ROWS_PART;
  return *more || marker == DQC_ROWS_DONE ? DQC_DONE : DQC_EPROTO;
}

int dqc_rows_begin(struct dqc_bytes body, struct dqc_rows *rows)
{
  uint64_t columns;
  memset(rows, 0, sizeof *rows);
  int rc = dqc_take_u64(&body, &columns);
  if (rc) return rc;
  if (columns > body.len / DQC_WORD) return DQC_EPROTO;
  rc = take_names(&body, (size_t)columns, &rows->names);
  if (rc) return rc;
  rc = take_marker(&body, &rows->more);
  if (rc) return rc;
  if (body.len == 0 ? rows->more : columns == 0) return DQC_EPROTO;
  rows->columns = (size_t)columns;
  rows->rows = body;
  return DQC_DONE;
}

int dqc_rows_same_names(struct dqc_bytes one, struct dqc_bytes other,
                        size_t columns)
{
  struct dqc_bytes a, b;
  for (size_t i = 0; i < columns; i++) {
    if (dqc_take_text(&one, &a) || dqc_take_text(&other, &b)) return 0;
    if (a.len != b.len || memcmp(a.ptr, b.ptr, a.len) != 0) return 0;
  }
  return one.len == 0 && other.len == 0;
}

int dqc_put_rows(struct dqc_buf *out, const struct dqc_value *names,
                 size_t columns, const struct dqc_value *values, size_t count,
                 int more)
{
  int rc = dqc_put_u64(out, columns);
  for (size_t i = 0; !rc && i < columns; i++) {
    rc = dqc_put_text(out, names[i].as.bytes);
  }
  for (size_t i = 0; !rc && i < count; i++) {
    rc = dqc_put_row(out, values + i * columns, columns);
  }
  if (rc) return rc;
  return dqc_put_u64(out, more ? DQC_ROWS_PART : DQC_ROWS_DONE);
}
