/* Rows and parameters: every tuple read twice is the same, nothing is read
 * outside of the body, a value that cannot be read leaves the reader where it
 * is, and what was read can be written again.
 *
 * Input: the body of a ROWS frame, or parameters: both are tried. */
#include "core/rows.h"

#include <stdlib.h>
#include <string.h>

#include "core/le.h"
#include "core/status.h"
#include "fuzz.h"

/* A result, copied out by hand: names, then values, row by row. */
struct grid {
  struct dqc_value *values;
  size_t count, size;
};

static struct dqc_value *add(struct grid *grid)
{
  if (grid->count == grid->size) {
    grid->size = grid->size * 2 + 16;
    grid->values = realloc(grid->values, grid->size * sizeof *grid->values);
    HOLDS(grid->values != NULL);
  }
  return &grid->values[grid->count++];
}

static void grid_free(struct grid *grid)
{
  free(grid->values);
  memset(grid, 0, sizeof *grid);
}

static int has_bytes(const struct dqc_value *value)
{
  return value->type == DQC_TEXT || value->type == DQC_BLOB ||
         value->type == DQC_ISO8601;
}

static int same_value(const struct dqc_value *one,
                      const struct dqc_value *other)
{
  if (one->type != other->type) return 0;
  if (has_bytes(one)) return fuzz_same(one->as.bytes, other->as.bytes);
  return one->as.integer == other->as.integer;
}

static int same_grid(const struct grid *one, const struct grid *other)
{
  if (one->count != other->count) return 0;
  for (size_t i = 0; i < one->count; i++) {
    if (!same_value(&one->values[i], &other->values[i])) return 0;
  }
  return 1;
}

/* ---- reading ---- */

/* What the tuple says of its next value: a byte, or half of one in a row. */
static uint8_t next_type(const struct dqc_tuple *tuple)
{
  size_t i = tuple->next;
  if (!tuple->packed) return tuple->types[i];
  return i % 2 ? tuple->types[i / 2] >> 4 : tuple->types[i / 2] & 15;
}

/* A value that was read from where the tuple was before. */
static void check_value(const struct dqc_value *value,
                        const struct dqc_tuple *before,
                        const struct dqc_tuple *after, struct dqc_bytes body)
{
  HOLDS(value->type == next_type(before));
  HOLDS(dqc_type_name(value->type) != NULL);
  HOLDS(after->next == before->next + 1);
  HOLDS(after->input.len < before->input.len);
  HOLDS(after->input.ptr + after->input.len == body.ptr + body.len);
  if (has_bytes(value)) {
    HOLDS(fuzz_within(value->as.bytes, before->input));
    HOLDS(fuzz_within(value->as.bytes, body));
  } else if (value->type != DQC_NULL) {
    uint64_t word = dqc_load64(before->input.ptr);
    HOLDS(value->as.integer == (int64_t)word);
  }
}

/* All values of a tuple, or up to the one that cannot be read. */
static int read_tuple(struct dqc_tuple *tuple, struct dqc_bytes body,
                      struct grid *grid)
{
  while (tuple->next < tuple->count) {
    struct dqc_tuple before = *tuple;
    struct dqc_value value;
    int rc = dqc_tuple_next(tuple, &value);
    HOLDS(rc == DQC_DONE || rc == DQC_EPROTO);
    if (rc) {
      HOLDS(tuple->next == before.next);
      HOLDS(fuzz_same(tuple->input, before.input));
      return rc;
    }
    check_value(&value, &before, tuple, body);
    *add(grid) = value;
  }
  return DQC_DONE;
}

static int read_row(struct dqc_rows *rows, struct grid *grid)
{
  struct dqc_tuple tuple;
  size_t before = rows->rows.len;
  int rc = dqc_row_begin(&tuple, rows->rows, rows->columns);
  HOLDS(rc == DQC_DONE || (rc == DQC_EPROTO && tuple.count == 0));
  if (!rc) rc = read_tuple(&tuple, rows->rows, grid);
  if (rc) return rc;
  dqc_rows_commit(rows, &tuple);
  HOLDS(rows->rows.len < before);
  return DQC_DONE;
}

static int read_rows(struct dqc_rows rows, struct grid *grid)
{
  int rc = DQC_DONE;
  memset(grid, 0, sizeof *grid);
  for (size_t i = 0; i < rows.columns; i++) {
    struct dqc_value *name = add(grid);
    name->type = DQC_TEXT;
    HOLDS(!dqc_take_text(&rows.names, &name->as.bytes));
  }
  HOLDS(rows.names.len == 0);
  while (!rc && rows.rows.len) rc = read_row(&rows, grid);
  return rc;
}

/* ---- a ROWS frame's body ---- */

static void check_written(const struct dqc_rows *rows, const struct grid *grid)
{
  struct dqc_buf out;
  struct dqc_rows again;
  struct grid read;
  size_t columns = rows->columns;
  size_t count = columns ? grid->count / columns - 1 : 0;
  dqc_buf_init(&out, dqc_alloc_default);
  HOLDS(!dqc_put_rows(&out, grid->values, columns,
                      columns ? grid->values + columns : NULL, count,
                      rows->more));
  struct dqc_bytes copy = fuzz_copy(dqc_buf_view(&out));
  HOLDS(copy.len % DQC_WORD == 0);
  HOLDS(!dqc_rows_begin(copy, &again));
  HOLDS(again.columns == columns && again.more == rows->more);
  HOLDS(dqc_rows_same_names(again.names, rows->names, columns));
  HOLDS(!read_rows(again, &read) && same_grid(&read, grid));
  grid_free(&read);
  fuzz_drop(copy);
  dqc_buf_free(&out);
}

static void check_rows(struct dqc_bytes body)
{
  struct dqc_rows rows;
  struct grid once, twice;
  int rc = dqc_rows_begin(body, &rows);
  HOLDS(rc == DQC_DONE || rc == DQC_EPROTO);
  if (rc) {
    HOLDS(rows.columns == 0 && rows.rows.len == 0);
    return;
  }
  HOLDS(fuzz_within(rows.names, body) && fuzz_within(rows.rows, body));
  HOLDS(rows.rows.len > 0 || !rows.more);
  HOLDS(dqc_rows_same_names(rows.names, rows.names, rows.columns));
  rc = read_rows(rows, &once);
  HOLDS(read_rows(rows, &twice) == rc && same_grid(&once, &twice));
  if (!rc) check_written(&rows, &once);
  grid_free(&once);
  grid_free(&twice);
}

/* ---- parameters ---- */

static int read_params(struct dqc_bytes input, uint8_t schema,
                       struct grid *grid)
{
  struct dqc_tuple tuple;
  memset(grid, 0, sizeof *grid);
  int rc = dqc_params_begin(&tuple, input, schema);
  HOLDS(rc == DQC_DONE || (rc == DQC_EPROTO && tuple.count == 0));
  return rc ? rc : read_tuple(&tuple, input, grid);
}

static void check_params_written(const struct grid *grid, uint8_t schema)
{
  struct dqc_buf out;
  struct grid read;
  dqc_buf_init(&out, dqc_alloc_default);
  HOLDS(!dqc_put_params(&out, grid->values, grid->count, schema));
  struct dqc_bytes copy = fuzz_copy(dqc_buf_view(&out));
  HOLDS(copy.len % DQC_WORD == 0);
  HOLDS(!read_params(copy, schema, &read) && same_grid(&read, grid));
  grid_free(&read);
  fuzz_drop(copy);
  dqc_buf_free(&out);
}

static void check_params(struct dqc_bytes input, uint8_t schema)
{
  struct grid once, twice;
  int rc = read_params(input, schema, &once);
  HOLDS(read_params(input, schema, &twice) == rc && same_grid(&once, &twice));
  if (!rc && once.count <= DQC_PARAMS_MAX) {
    check_params_written(&once, schema);
  }
  grid_free(&once);
  grid_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct dqc_bytes input = {data, size};
  struct dqc_bytes copy = fuzz_copy(input);
  check_rows(copy);
  check_params(copy, 0);
  check_params(copy, 1);
  fuzz_drop(copy);
  return 0;
}
