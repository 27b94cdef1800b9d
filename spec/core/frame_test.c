/* Headers: when a frame is complete, what is refused, and what is written. */
#include "core/frame.h"

#include <string.h>

#include "core/le.h"
#include "core/status.h"
#include "support/check.h"
#include "support/make.h"

static const uint8_t two_words[] = {
    2,   0,   0,   0,   7,   1,   0x34, 0x12, 'a', 'b', 'c', 'd', 'e',
    'f', 'g', 'h', 'i', 'j', 'k', 'l',  'm',  'n', 'o', 'p', 'q'};

static void test_complete(void)
{
  struct dqc_frame frame;
  size_t need;
  struct dqc_bytes input = bytes_from(two_words, sizeof two_words);
  CHECK_EQ(dqc_frame_next(input, 16, &frame, &need), DQC_DONE);
  CHECK_EQ(need, 24);
  CHECK_EQ(frame.type, 7);
  CHECK_EQ(frame.schema, 1);
  CHECK_EQ(frame.extra, 0x1234);
  CHECK_BYTES(frame.body, bytes_of("abcdefghijklmnop"));
}

static void test_incomplete(void)
{
  struct dqc_frame frame;
  size_t need;
  for (size_t n = 0; n < 24; n++) {
    struct dqc_bytes input = bytes_from(two_words, n);
    CHECK_EQ(dqc_frame_next(input, 16, &frame, &need), DQC_WANT_READ);
    CHECK_EQ(need, n < 8 ? 8 : 24);
    CHECK_EQ(frame.body.len, 0);
  }
  struct dqc_bytes none = {NULL, 0};
  CHECK_EQ(dqc_frame_next(none, 16, &frame, &need), DQC_WANT_READ);
}

static void check_header(uint32_t words, size_t max, int expected)
{
  struct dqc_frame frame;
  size_t need;
  uint8_t header[8] = {0};
  dqc_store32(header, words);
  struct dqc_bytes input = bytes_from(header, sizeof header);
  CHECK_EQ(dqc_frame_next(input, max, &frame, &need), expected);
  CHECK(frame.body.ptr == NULL);
}

static void test_limits(void)
{
  check_header(0, 16, DQC_EPROTO);
  check_header(2, 16, DQC_WANT_READ);
  check_header(2, 15, DQC_ETOOBIG);
  check_header(3, 16, DQC_ETOOBIG);
  check_header(1, 0, DQC_ETOOBIG);
  check_header(1u << 27, DQC_FRAME_MAX, DQC_WANT_READ);
  check_header((1u << 27) + 1, DQC_FRAME_MAX, DQC_ETOOBIG);
  check_header((1u << 27) + 1, SIZE_MAX, DQC_ETOOBIG);
  check_header(1u << 29, SIZE_MAX, DQC_ETOOBIG);
  check_header(1u << 31, SIZE_MAX, DQC_ETOOBIG);
  check_header(UINT32_MAX, SIZE_MAX, DQC_ETOOBIG);
}

static void test_write(void)
{
  static const uint8_t expected[] = {'x', 1,   0,   0,   0,   9,   2,   0,  0,
                                     'b', 'o', 'd', 'y', 'b', 'o', 'd', 'y'};
  struct dqc_buf out;
  size_t mark;
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_buf_append(&out, "gonex", 5), DQC_DONE);
  dqc_buf_consume(&out, 4);
  CHECK_EQ(dqc_frame_begin(&out, 9, 2, &mark), DQC_DONE);
  CHECK_EQ(dqc_buf_append(&out, "bodybody", 8), DQC_DONE);
  CHECK_EQ(dqc_frame_end(&out, mark, 8), DQC_DONE);
  CHECK_BYTES(dqc_buf_view(&out), bytes_from(expected, sizeof expected));
  dqc_buf_free(&out);
}

/* A frame that must not be sent is taken back, and nothing else with it. */
static void check_taken_back(size_t len, size_t max, int expected)
{
  static const uint8_t body[32];
  struct dqc_buf out;
  size_t mark;
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_buf_append(&out, "before", 6), DQC_DONE);
  CHECK_EQ(dqc_frame_begin(&out, 9, 2, &mark), DQC_DONE);
  CHECK_EQ(dqc_buf_append(&out, body, len), DQC_DONE);
  CHECK_EQ(dqc_frame_end(&out, mark, max), expected);
  CHECK_BYTES(dqc_buf_view(&out), bytes_of("before"));
  dqc_buf_free(&out);
}

int main(void)
{
  test_complete();
  test_incomplete();
  test_limits();
  test_write();
  check_taken_back(0, 16, DQC_EVALUE);
  check_taken_back(7, 16, DQC_EVALUE);
  check_taken_back(12, 16, DQC_EVALUE);
  check_taken_back(24, 16, DQC_ETOOBIG);
  return check_done();
}
