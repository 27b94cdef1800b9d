/* Tuples: parameters in both schemas and rows, their heads and their ends. */
#include "core/status.h"
#include "core/take.h"
#include "support/check.h"
#include "support/guard.h"
#include "support/make.h"

static struct guard guard;

/* What is written to out, read back from the end of memory. */
static struct dqc_bytes at_edge(const struct dqc_buf *out)
{
  return guard_copy(&guard, dqc_buf_view(out));
}

/* A tuple of the count that reads back as the integers 0, 1, 2... */
static void check_tuple(struct dqc_tuple *tuple, size_t count)
{
  struct dqc_value value;
  int right = 1;
  CHECK_EQ(tuple->count, count);
  for (size_t i = 0; i < tuple->count; i++) {
    right = right && dqc_tuple_next(tuple, &value) == DQC_DONE &&
            value.type == DQC_INTEGER && value.as.integer == (int64_t)i;
  }
  CHECK(right);
  CHECK_EQ(tuple->next, count);
  CHECK_EQ(tuple->input.len, 0);
}

static struct dqc_value numbers[DQC_PARAMS_MAX + 1];

static void check_params(size_t count, uint8_t schema, size_t head)
{
  struct dqc_tuple tuple;
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_put_params(&out, numbers, count, schema), DQC_DONE);
  CHECK_EQ(dqc_buf_len(&out), head + 8 * count);
  CHECK_EQ(dqc_params_begin(&tuple, at_edge(&out), schema), DQC_DONE);
  CHECK_EQ(tuple.input.len, 8 * count);
  check_tuple(&tuple, count);
  dqc_buf_free(&out);
}

static void test_params(void)
{
  struct dqc_tuple tuple;
  struct dqc_bytes none = {NULL, 0};
  check_params(0, 0, 8);
  check_params(7, 0, 8);
  check_params(8, 0, 16);
  check_params(255, 0, 256);
  check_params(0, 1, 8);
  check_params(4, 1, 8);
  check_params(5, 1, 16);
  check_params(256, 1, 264);
  check_params(DQC_PARAMS_MAX, 1, 32776);
  for (uint8_t schema = 0; schema < 2; schema++) {
    CHECK_EQ(dqc_params_begin(&tuple, none, schema), DQC_DONE);
    CHECK_EQ(tuple.count, 0);
  }
}

static void check_bad_params(const char *bytes, size_t len, uint8_t schema)
{
  struct dqc_tuple tuple;
  struct dqc_bytes input = guard_copy(&guard, bytes_from(bytes, len));
  CHECK_EQ(dqc_params_begin(&tuple, input, schema), DQC_EPROTO);
  CHECK_EQ(tuple.count, 0);
}

static void test_bad_params(void)
{
  struct dqc_buf out;
  check_bad_params("\10\1\1\1\1\1\1\1", 8, 0);
  check_bad_params("\377", 1, 0);
  check_bad_params("\1\1", 2, 0);
  check_bad_params("\377\377\377\377\1\1\1\1", 8, 1);
  check_bad_params("\5\0\0\0\1\1\1\1", 8, 1);
  check_bad_params("\0\0\0\0", 4, 1);
  check_bad_params("\0\0\0", 3, 1);
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_put_params(&out, numbers, 256, 0), DQC_EVALUE);
  CHECK_EQ(dqc_put_params(&out, numbers, DQC_PARAMS_MAX + 1, 1), DQC_EVALUE);
  CHECK_EQ(dqc_buf_len(&out), 0);
  dqc_buf_free(&out);
}

/* A word of types for each 16 columns. */
static void test_rows(void)
{
  static const size_t columns[] = {1, 2, 15, 16, 17, 32, 33, 2000};
  struct dqc_tuple tuple;
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
    size_t n = columns[i];
    CHECK_EQ(dqc_put_row(&out, numbers, n), DQC_DONE);
    CHECK_EQ(dqc_buf_len(&out), (n + 15) / 16 * 8 + 8 * n);
    CHECK_EQ(dqc_row_begin(&tuple, at_edge(&out), n), DQC_DONE);
    check_tuple(&tuple, n);
    dqc_buf_consume(&out, dqc_buf_len(&out));
  }
  dqc_buf_free(&out);
}

/* Low nibble first, as a server sends it (protocol.md 1.5). */
static void test_nibbles(void)
{
  struct dqc_value row[5] = {make_integer(-2), make_text("hi"), make_real(1.5),
                             make_blob("\1", 1), make_null()};
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_put_row(&out, row, 5), DQC_DONE);
  struct dqc_bytes head = bytes_from(dqc_buf_view(&out).ptr, 8);
  CHECK_BYTES(head, bytes_from("\x31\x42\x05\0\0\0\0\0", 8));
  row[1].type = 16;
  CHECK_EQ(dqc_put_row(&out, row, 5), DQC_EVALUE);
  dqc_buf_free(&out);
}

static void check_bad_row(const char *bytes, size_t len, size_t columns)
{
  struct dqc_tuple tuple;
  struct dqc_bytes input = guard_copy(&guard, bytes_from(bytes, len));
  CHECK_EQ(dqc_row_begin(&tuple, input, columns), DQC_EPROTO);
  CHECK_EQ(tuple.count, 0);
}

static void test_bad_rows(void)
{
  check_bad_row("", 0, 1);
  check_bad_row("\1\0\0\0", 4, 1);
  check_bad_row("\1\1\1\1\1\1\1\1", 8, 17);
  check_bad_row("\1\1\1\1\1\1\1\1", 8, SIZE_MAX);
  check_bad_row("\1\1\1\1\1\1\1\1", 8, SIZE_MAX / 2 + 1);
}

/* A value that cannot be read leaves the tuple where it was. */
static void test_tuple_stays(void)
{
  struct dqc_tuple tuple;
  struct dqc_value value;
  struct dqc_bytes input = guard_copy(&guard, bytes_from("\x41\0\0\0\0\0\0\0"
                                                         "\7\0\0\0\0\0\0\0"
                                                         "\11\0\0\0\0\0\0\0"
                                                         "abcdefgh",
                                                         32));
  CHECK_EQ(dqc_row_begin(&tuple, input, 2), DQC_DONE);
  CHECK_EQ(dqc_tuple_next(&tuple, &value), DQC_DONE);
  CHECK_EQ(value.as.integer, 7);
  CHECK_EQ(dqc_tuple_next(&tuple, &value), DQC_EPROTO);
  CHECK_EQ(dqc_tuple_next(&tuple, &value), DQC_EPROTO);
  CHECK_EQ(tuple.next, 1);
  CHECK_EQ(tuple.input.len, 16);
}

int main(void)
{
  guard_init(&guard, (size_t)512 * 1024);
  for (size_t i = 0; i <= DQC_PARAMS_MAX; i++) {
    numbers[i] = make_integer((int64_t)i);
  }
  test_params();
  test_bad_params();
  test_rows();
  test_nibbles();
  test_bad_rows();
  test_tuple_stays();
  guard_free(&guard);
  return check_done();
}
