/* Single fields, in and out, at the edges of memory and of sizes. */
#include "core/take.h"

#include <math.h>
#include <string.h>

#include "core/le.h"
#include "core/status.h"
#include "support/check.h"
#include "support/guard.h"
#include "support/make.h"

static struct guard guard;

/* What is written to out, read back from the end of memory. */
static struct dqc_bytes at_edge(const struct dqc_buf *out)
{
  return guard_copy(&guard, dqc_buf_view(out));
}

static void test_words(void)
{
  struct dqc_bytes input =
      guard_copy(&guard, bytes_from("\1\2\3\4\5\6\7\10\11\12\13\14", 12));
  uint64_t word;
  uint32_t half;
  CHECK_EQ(dqc_take_u64(&input, &word), DQC_DONE);
  CHECK(word == UINT64_C(0x0807060504030201));
  CHECK_EQ(dqc_take_u64(&input, &word), DQC_EPROTO);
  CHECK_EQ(word, 0);
  CHECK_EQ(input.len, 4);
  CHECK_EQ(dqc_take_u32(&input, &half), DQC_DONE);
  CHECK_EQ(half, 0x0c0b0a09);
  CHECK_EQ(dqc_take_u32(&input, &half), DQC_EPROTO);
  CHECK_EQ(half, 0);
  CHECK_EQ(input.len, 0);
}

/* A text of every length around a word: NUL and zeros up to a whole word. */
static void test_texts(void)
{
  static const char letters[] = "abcdefghijklmnopqrs";
  struct dqc_bytes text, input;
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  for (size_t len = 0; len < sizeof letters; len++) {
    CHECK_EQ(dqc_put_text(&out, bytes_from(letters, len)), DQC_DONE);
    CHECK_EQ(dqc_buf_len(&out), len / 8 * 8 + 8);
    input = at_edge(&out);
    for (size_t i = len; i < input.len; i++) CHECK_EQ(input.ptr[i], 0);
    CHECK_EQ(dqc_take_text(&input, &text), DQC_DONE);
    CHECK_BYTES(text, bytes_from(letters, len));
    CHECK_EQ(input.len, 0);
    dqc_buf_consume(&out, dqc_buf_len(&out));
  }
  dqc_buf_free(&out);
}

static void check_bad_text(const char *bytes, size_t len)
{
  struct dqc_bytes text;
  struct dqc_bytes input = guard_copy(&guard, bytes_from(bytes, len));
  struct dqc_bytes before = input;
  CHECK_EQ(dqc_take_text(&input, &text), DQC_EPROTO);
  CHECK(text.ptr == NULL);
  CHECK(input.ptr == before.ptr && input.len == before.len);
}

static void test_bad_texts(void)
{
  struct dqc_buf out;
  check_bad_text("", 0);
  check_bad_text("abcdefgh", 8);
  check_bad_text("abc\0", 4);
  check_bad_text("abcdefgh\0", 9);
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_put_text(&out, bytes_from("a\0b", 3)), DQC_EVALUE);
  CHECK_EQ(dqc_put_text(&out, bytes_from("ab\0", 3)), DQC_EVALUE);
  CHECK_EQ(dqc_put_text(&out, bytes_from("\0", 1)), DQC_EVALUE);
  CHECK_EQ(dqc_buf_len(&out), 0);
  dqc_buf_free(&out);
}

static void test_blobs(void)
{
  static const char bytes[] = "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20";
  struct dqc_bytes blob, input;
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  for (size_t len = 0; len < sizeof bytes; len++) {
    CHECK_EQ(dqc_put_blob(&out, bytes_from(bytes, len)), DQC_DONE);
    CHECK_EQ(dqc_buf_len(&out), 8 + (len + 7) / 8 * 8);
    input = at_edge(&out);
    for (size_t i = 8 + len; i < input.len; i++) CHECK_EQ(input.ptr[i], 0);
    CHECK_EQ(dqc_take_blob(&input, &blob), DQC_DONE);
    CHECK_BYTES(blob, bytes_from(bytes, len));
    CHECK_EQ(input.len, 0);
    dqc_buf_consume(&out, dqc_buf_len(&out));
  }
  dqc_buf_free(&out);
}

/* A length that 16 bytes cannot hold, up to those where adding wraps. */
static void check_bad_blob(uint64_t len)
{
  uint8_t bytes[24] = {0};
  struct dqc_bytes blob;
  dqc_store64(bytes, len);
  struct dqc_bytes input = guard_copy(&guard, bytes_from(bytes, 24));
  struct dqc_bytes before = input;
  CHECK_EQ(dqc_take_blob(&input, &blob), DQC_EPROTO);
  CHECK(blob.ptr == NULL && blob.len == 0);
  CHECK(input.ptr == before.ptr && input.len == before.len);
}

static void test_bad_blobs(void)
{
  struct dqc_bytes blob, input;
  check_bad_blob(17);
  check_bad_blob(24);
  check_bad_blob(UINT64_C(1) << 32);
  check_bad_blob(UINT64_C(1) << 63);
  for (uint64_t i = 0; i < 18; i++) check_bad_blob(UINT64_MAX - i);
  input = guard_copy(&guard, bytes_from("\3\0\0\0\0\0\0\0abc", 11));
  CHECK_EQ(dqc_take_blob(&input, &blob), DQC_EPROTO);
  CHECK_EQ(input.len, 11);
  input = guard_copy(&guard, bytes_from("\0\0\0\0", 4));
  CHECK_EQ(dqc_take_blob(&input, &blob), DQC_EPROTO);
}

/* One byte more than SQLite takes: refused before the bytes are looked at. */
static void test_too_big(void)
{
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  struct dqc_bytes blob = bytes_from("", DQC_VALUE_MAX + 1);
  CHECK_EQ(dqc_put_blob(&out, blob), DQC_ETOOBIG);
  CHECK(dqc_buf_len(&out) <= 8);
  dqc_buf_free(&out);
}

static const uint8_t unknown_types[] = {0, 6, 7, 8, 12, 13, 14, 15, 16, 255};

static void test_unknown_types(void)
{
  struct dqc_value value;
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  for (size_t i = 0; i < sizeof unknown_types; i++) {
    struct dqc_bytes input = bytes_from("\0\0\0\0\0\0\0\0", 8);
    CHECK_EQ(dqc_take_value(&input, unknown_types[i], &value), DQC_EPROTO);
    CHECK_EQ(input.len, 8);
    value.type = unknown_types[i];
    CHECK_EQ(dqc_put_value(&out, &value), DQC_EVALUE);
    CHECK(dqc_type_name(unknown_types[i]) == NULL);
  }
  CHECK_EQ(dqc_buf_len(&out), 0);
  dqc_buf_free(&out);
}

static void test_names(void)
{
  CHECK_TEXT(dqc_type_name(DQC_INTEGER), "INTEGER");
  CHECK_TEXT(dqc_type_name(DQC_FLOAT), "FLOAT");
  CHECK_TEXT(dqc_type_name(DQC_TEXT), "TEXT");
  CHECK_TEXT(dqc_type_name(DQC_BLOB), "BLOB");
  CHECK_TEXT(dqc_type_name(DQC_NULL), "NULL");
  CHECK_TEXT(dqc_type_name(DQC_UNIXTIME), "UNIXTIME");
  CHECK_TEXT(dqc_type_name(DQC_ISO8601), "ISO8601");
  CHECK_TEXT(dqc_type_name(DQC_BOOLEAN), "BOOLEAN");
}

static struct dqc_value through_wire(const struct dqc_value *value)
{
  struct dqc_value back;
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_put_value(&out, value), DQC_DONE);
  struct dqc_bytes input = at_edge(&out);
  CHECK_EQ(dqc_take_value(&input, value->type, &back), DQC_DONE);
  CHECK_EQ(back.type, value->type);
  CHECK_EQ(input.len, 0);
  dqc_buf_free(&out);
  return back;
}

static void test_integers(void)
{
  static const int64_t integers[] = {
      0, 1, -1, INT64_MAX, INT64_MIN, INT64_C(1) << 53, 255, -256};
  static const uint8_t types[] = {DQC_INTEGER, DQC_UNIXTIME, DQC_BOOLEAN};
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
    struct dqc_value value = make_integer(integers[i]);
    for (size_t k = 0; k < sizeof types; k++) {
      value.type = types[k];
      CHECK_EQ(through_wire(&value).as.integer, integers[i]);
    }
  }
}

/* Bit for bit, NaN with its payload included. */
static void test_reals(void)
{
  static const uint64_t bits[] = {
      0,
      UINT64_C(0x8000000000000000), /* -0.0 */
      1, /* the least denormal */
      UINT64_C(0x000fffffffffffff), /* the largest one */
      UINT64_C(0x7fefffffffffffff), /* the largest number */
      UINT64_C(0x7ff0000000000000), /* infinity */
      UINT64_C(0xfff0000000000000),
      UINT64_C(0x7ff8000000000123), /* a NaN */
      UINT64_C(0x3ff8000000000000)};
  for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
    struct dqc_value value = make_real(dqc_real_of(bits[i]));
    CHECK(dqc_bits_of(through_wire(&value).as.real) == bits[i]);
  }
}

int main(void)
{
  guard_init(&guard, 4096);
  test_words();
  test_texts();
  test_bad_texts();
  test_blobs();
  test_bad_blobs();
  test_too_big();
  test_unknown_types();
  test_names();
  test_integers();
  test_reals();
  guard_free(&guard);
  return check_done();
}
