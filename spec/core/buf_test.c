/* The queue of bytes: what is in it, where room is, and what it keeps. */
#include "core/buf.h"

#include <string.h>

#include "core/status.h"
#include "support/check.h"
#include "support/failing.h"
#include "support/make.h"
#include "support/talk.h"

static void test_empty(void)
{
  struct dqc_buf buf;
  uint8_t *room;
  dqc_buf_init(&buf, dqc_alloc_default);
  CHECK_EQ(dqc_buf_len(&buf), 0);
  CHECK_EQ(dqc_buf_view(&buf).len, 0);
  CHECK_EQ(dqc_buf_room(&buf), 0);
  CHECK_EQ(dqc_buf_reserve(&buf, 0, &room), DQC_DONE);
  CHECK_EQ(dqc_buf_append(&buf, NULL, 0), DQC_DONE);
  dqc_buf_consume(&buf, 0);
  dqc_buf_truncate(&buf, 0);
  CHECK_EQ(dqc_buf_len(&buf), 0);
  dqc_buf_free(&buf);
  dqc_buf_free(&buf);
  CHECK_EQ(dqc_buf_append(&buf, "again", 5), DQC_DONE);
  CHECK_BYTES(dqc_buf_view(&buf), bytes_of("again"));
  dqc_buf_free(&buf);
}

static void test_reserve(void)
{
  struct dqc_buf buf;
  uint8_t *room;
  dqc_buf_init(&buf, dqc_alloc_default);
  CHECK_EQ(dqc_buf_reserve(&buf, 10, &room), DQC_DONE);
  CHECK(room != NULL);
  CHECK(dqc_buf_room(&buf) >= 10);
  CHECK_EQ(dqc_buf_len(&buf), 0);
  memcpy(room, "0123456789", 10);
  dqc_buf_commit(&buf, 7);
  CHECK_BYTES(dqc_buf_view(&buf), bytes_of("0123456"));
  CHECK_EQ(dqc_buf_reserve(&buf, 0, &room), DQC_DONE);
  CHECK_EQ(dqc_buf_len(&buf), 7);
  dqc_buf_free(&buf);
}

static void test_consume_and_truncate(void)
{
  struct dqc_buf buf;
  dqc_buf_init(&buf, dqc_alloc_default);
  CHECK_EQ(dqc_buf_append(&buf, "abcdefgh", 8), DQC_DONE);
  dqc_buf_consume(&buf, 3);
  CHECK_BYTES(dqc_buf_view(&buf), bytes_of("defgh"));
  dqc_buf_truncate(&buf, 4);
  CHECK_BYTES(dqc_buf_view(&buf), bytes_of("defg"));
  CHECK_EQ(dqc_buf_append(&buf, "XY", 2), DQC_DONE);
  CHECK_BYTES(dqc_buf_view(&buf), bytes_of("defgXY"));
  dqc_buf_consume(&buf, 6);
  CHECK_EQ(dqc_buf_len(&buf), 0);
  CHECK_EQ(dqc_buf_append(&buf, "z", 1), DQC_DONE);
  CHECK_BYTES(dqc_buf_view(&buf), bytes_of("z"));
  dqc_buf_free(&buf);
}

static void fill(struct dqc_buf *buf, uint32_t *next, size_t n)
{
  uint8_t piece[700];
  for (size_t i = 0; i < n; i++) piece[i] = (uint8_t)(*next)++;
  if (dqc_buf_append(buf, piece, n)) check_fatal("out of memory");
}

/* A queue keeps its order whatever is put in and taken out. */
static void test_order(void)
{
  struct dqc_buf buf;
  uint32_t seed = 7, in = 0, out = 0;
  int in_order = 1;
  dqc_buf_init(&buf, dqc_alloc_default);
  for (int i = 0; i < 2000; i++) {
    fill(&buf, &in, talk_random(&seed) % 700);
    size_t n = talk_random(&seed) % (dqc_buf_len(&buf) + 1);
    struct dqc_bytes view = dqc_buf_view(&buf);
    for (size_t k = 0; k < n; k++) {
      in_order = in_order && view.ptr[k] == (uint8_t)out++;
    }
    dqc_buf_consume(&buf, n);
  }
  CHECK(in_order);
  CHECK_EQ(dqc_buf_len(&buf), in - out);
  dqc_buf_free(&buf);
}

/* Bytes that were consumed give their room back: a queue that is never quite
 * empty does not grow for ever. */
static void test_bounded(void)
{
  struct failing failing;
  struct dqc_buf buf;
  failing_init(&failing, 0);
  dqc_buf_init(&buf, failing.alloc);
  CHECK_EQ(dqc_buf_append(&buf, "start", 5), DQC_DONE);
  for (int i = 0; i < 10000; i++) {
    int rc = dqc_buf_append(&buf, "0123456789", 10);
    if (rc) check_fatal("out of memory");
    dqc_buf_consume(&buf, 10);
  }
  CHECK_EQ(dqc_buf_len(&buf), 5);
  CHECK(failing.held <= 1024);
  dqc_buf_free(&buf);
  CHECK_EQ(failing.held, 0);
}

/* An empty buffer gives a large block back and keeps a small one. */
static void test_kept(void)
{
  static const uint8_t large[100 * 1024];
  struct failing failing;
  struct dqc_buf buf;
  failing_init(&failing, 0);
  dqc_buf_init(&buf, failing.alloc);
  CHECK_EQ(dqc_buf_append(&buf, large, sizeof large), DQC_DONE);
  dqc_buf_consume(&buf, sizeof large - 1);
  CHECK(failing.held >= sizeof large);
  dqc_buf_consume(&buf, 1);
  CHECK_EQ(failing.held, 0);
  CHECK_EQ(dqc_buf_append(&buf, large, 1000), DQC_DONE);
  dqc_buf_consume(&buf, 1000);
  CHECK(failing.held >= 1000);
  dqc_buf_free(&buf);
  CHECK_EQ(failing.held, 0);
}

/* A size that cannot be is refused before the allocator is asked. */
static void test_overflow(void)
{
  struct failing failing;
  struct dqc_buf buf;
  uint8_t *room;
  failing_init(&failing, 0);
  dqc_buf_init(&buf, failing.alloc);
  CHECK_EQ(dqc_buf_append(&buf, "abc", 3), DQC_DONE);
  size_t calls = failing.calls;
  CHECK_EQ(dqc_buf_reserve(&buf, SIZE_MAX, &room), DQC_ENOMEM);
  CHECK(room == NULL);
  CHECK_EQ(dqc_buf_reserve(&buf, SIZE_MAX - 3, &room), DQC_ENOMEM);
  CHECK_EQ(dqc_buf_reserve(&buf, SIZE_MAX / 2 + 2, &room), DQC_ENOMEM);
  CHECK_EQ(failing.calls, calls);
  CHECK_BYTES(dqc_buf_view(&buf), bytes_of("abc"));
  dqc_buf_free(&buf);
}

int main(void)
{
  test_empty();
  test_reserve();
  test_consume_and_truncate();
  test_order();
  test_bounded();
  test_kept();
  test_overflow();
  return check_done();
}
