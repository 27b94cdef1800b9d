/* The body of ROWS: its ends, its rows one by one, and its names. */
#include "core/rows.h"

#include <string.h>

#include "core/status.h"
#include "support/check.h"
#include "support/guard.h"
#include "support/make.h"

static struct guard guard;

/* Two columns and three rows, as values for dqc_put_rows. */
static void make_values(struct dqc_value names[2], struct dqc_value rows[6])
{
  names[0] = make_text("id");
  names[1] = make_text("a long name");
  for (int i = 0; i < 3; i++) {
    rows[2 * i] = make_integer(i);
    rows[2 * i + 1] = make_text("text");
  }
}

static struct dqc_bytes put(struct dqc_buf *out, size_t count, int more)
{
  struct dqc_value names[2], rows[6];
  make_values(names, rows);
  CHECK_EQ(dqc_put_rows(out, names, 2, rows, count, more), DQC_DONE);
  return guard_copy(&guard, dqc_buf_view(out));
}

static void check_row(struct dqc_rows *rows, int64_t id)
{
  struct dqc_tuple tuple;
  struct dqc_value value;
  CHECK_EQ(dqc_row_begin(&tuple, rows->rows, rows->columns), DQC_DONE);
  CHECK_EQ(dqc_tuple_next(&tuple, &value), DQC_DONE);
  CHECK_EQ(value.as.integer, id);
  CHECK_EQ(dqc_tuple_next(&tuple, &value), DQC_DONE);
  CHECK_BYTES(value.as.bytes, bytes_of("text"));
  dqc_rows_commit(rows, &tuple);
}

static void test_read(int more)
{
  struct dqc_rows rows;
  struct dqc_bytes name;
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_rows_begin(put(&out, 3, more), &rows), DQC_DONE);
  CHECK_EQ(rows.columns, 2);
  CHECK_EQ(rows.more, more);
  CHECK_EQ(dqc_take_text(&rows.names, &name), DQC_DONE);
  CHECK_BYTES(name, bytes_of("id"));
  CHECK_EQ(dqc_take_text(&rows.names, &name), DQC_DONE);
  CHECK_BYTES(name, bytes_of("a long name"));
  CHECK_EQ(rows.names.len, 0);
  for (int i = 0; i < 3; i++) check_row(&rows, i);
  CHECK_EQ(rows.rows.len, 0);
  dqc_buf_free(&out);
}

/* A row that is not committed is read again. */
static void test_commit(void)
{
  struct dqc_rows rows;
  struct dqc_tuple tuple;
  struct dqc_value value;
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_rows_begin(put(&out, 3, 0), &rows), DQC_DONE);
  CHECK_EQ(dqc_row_begin(&tuple, rows.rows, 2), DQC_DONE);
  CHECK_EQ(dqc_tuple_next(&tuple, &value), DQC_DONE);
  for (int i = 0; i < 3; i++) check_row(&rows, i);
  CHECK_EQ(rows.rows.len, 0);
  dqc_buf_free(&out);
}

static void test_empty(void)
{
  struct dqc_rows rows;
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_rows_begin(put(&out, 0, 0), &rows), DQC_DONE);
  CHECK_EQ(rows.columns, 2);
  CHECK_EQ(rows.rows.len, 0);
  CHECK_EQ(rows.more, 0);
  dqc_buf_consume(&out, dqc_buf_len(&out));
  CHECK_EQ(dqc_rows_begin(put(&out, 0, 1), &rows), DQC_EPROTO);
  CHECK_EQ(rows.columns, 0);
  CHECK_EQ(rows.rows.len, 0);
  dqc_buf_free(&out);
}

/* A zero-column answer holds the marker alone. */
static void test_no_columns(void)
{
  static const char bare[] = "\0\0\0\0\0\0\0\0\377\377\377\377\377\377\377";
  struct dqc_rows rows;
  struct dqc_buf out;
  CHECK_EQ(
      dqc_rows_begin(bytes_from("\377\377\377\377\377\377\377\377", 8), &rows),
      DQC_EPROTO);
  CHECK_EQ(dqc_rows_begin(bytes_from(bare, 15), &rows), DQC_EPROTO);
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_put_rows(&out, NULL, 0, NULL, 0, 0), DQC_DONE);
  struct dqc_bytes body = guard_copy(&guard, dqc_buf_view(&out));
  CHECK_EQ(body.len, 16);
  CHECK_EQ(dqc_rows_begin(body, &rows), DQC_DONE);
  CHECK_EQ(rows.columns, 0);
  CHECK_EQ(rows.names.len, 0);
  CHECK_EQ(rows.rows.len, 0);
  dqc_buf_free(&out);
}

/* Each cut at a whole word lacks the marker. */
static void test_cut(void)
{
  struct dqc_rows rows;
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  put(&out, 3, 0);
  struct dqc_bytes whole = dqc_buf_view(&out);
  for (size_t n = 0; n < whole.len; n += 8) {
    struct dqc_bytes cut = guard_copy(&guard, bytes_from(whole.ptr, n));
    CHECK_EQ(dqc_rows_begin(cut, &rows), DQC_EPROTO);
  }
  dqc_buf_free(&out);
}

/* Names must end before the marker, or the columns would have none. */
static void test_bad_names(void)
{
  static const char text[] = "\1\0\0\0\0\0\0\0abcdefgh"
                             "\377\377\377\377\377\377\377\377";
  struct dqc_rows rows;
  struct dqc_bytes body = guard_copy(&guard, bytes_from(text, 24));
  CHECK_EQ(dqc_rows_begin(body, &rows), DQC_EPROTO);
  CHECK_EQ(rows.columns, 0);
}

static int same(const char *one, size_t len1, const char *other, size_t len2,
                size_t columns)
{
  return dqc_rows_same_names(bytes_from(one, len1), bytes_from(other, len2),
                             columns);
}

static void test_same_names(void)
{
  static const char ab[] = "a\0\0\0\0\0\0\0b\0\0\0\0\0\0\0";
  static const char ac[] = "a\0\0\0\0\0\0\0c\0\0\0\0\0\0\0";
  static const char ab2[] = "a\0\0\0\0\0\0\0bb\0\0\0\0\0\0";
  CHECK(same(ab, 16, ab, 16, 2));
  CHECK(same(ab, 0, ab, 0, 0));
  CHECK(!same(ab, 16, ac, 16, 2));
  CHECK(!same(ab, 16, ab2, 16, 2));
  CHECK(!same(ab2, 16, ab, 16, 2));
  CHECK(!same(ab, 16, ab, 8, 2));
  CHECK(!same(ab, 8, ab, 16, 1));
  CHECK(!same(ab, 16, ab, 8, 1));
}

int main(void)
{
  guard_init(&guard, 4096);
  test_read(0);
  test_read(1);
  test_commit();
  test_empty();
  test_no_columns();
  test_cut();
  test_bad_names();
  test_same_names();
  guard_free(&guard);
  return check_done();
}
