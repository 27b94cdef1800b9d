/* What a session does beside the conversation itself: the greeting, bytes that
 * nobody asked for, the life of a reply, its use of memory. */
#include "core/session.h"

#include <string.h>

#include "core/le.h"
#include "core/status.h"
#include "support/check.h"
#include "support/failing.h"
#include "support/make.h"
#include "support/talk.h"
#include "support/vectors.h"

static struct vectors vectors;

/* The version word goes before the first request and nowhere else. */
static void test_greeting(void)
{
  struct dqc_session session;
  struct dqc_message leader = make_request("LEADER");
  talk_init(&session);
  CHECK_EQ(dqc_session_pending(&session).len, 0);
  CHECK_EQ(dqc_session_send(&session, &leader), DQC_DONE);
  CHECK_EQ(dqc_session_pending(&session).len, 24);
  CHECK_EQ(dqc_load64(dqc_session_pending(&session).ptr), DQC_VERSION);
  CHECK_EQ(dqc_session_send(&session, &leader), DQC_DONE);
  CHECK_EQ(dqc_session_pending(&session).len, 40);
  dqc_session_sent(&session, 10);
  CHECK_EQ(dqc_session_pending(&session).len, 30);
  dqc_session_sent(&session, 30);
  CHECK_EQ(dqc_session_pending(&session).len, 0);
  CHECK_EQ(dqc_session_send(&session, &leader), DQC_DONE);
  CHECK_EQ(dqc_session_pending(&session).len, 16);
  dqc_session_free(&session);
}

/* Bytes that came unasked, if only one, end the session at the next send:
 * they would be taken for its reply. */
static void check_unasked(size_t n)
{
  struct dqc_session session;
  struct text log;
  struct dqc_message interrupt = make_request("INTERRUPT");
  const struct vector *v = vectors_find(&vectors, "empty_interrupt");
  talk_init(&session);
  text_init(&log);
  CHECK_EQ(talk_send(&session, &interrupt), DQC_DONE);
  CHECK_EQ(dqc_session_feed(&session, vector_bytes(v)), DQC_DONE);
  CHECK_EQ(dqc_session_feed(&session, bytes_from(v->bytes, n)), DQC_DONE);
  CHECK_EQ(talk_next(&session, &log), DQC_DONE);
  int expected = n ? DQC_EPROTO : DQC_DONE;
  CHECK_EQ(dqc_session_send(&session, &interrupt), expected);
  CHECK_EQ(dqc_session_pending(&session).len, n ? 0 : 16);
  CHECK_EQ(session.status, expected);
  CHECK_EQ(talk_next(&session, &log), n ? DQC_EPROTO : DQC_WANT_READ);
  dqc_session_free(&session);
  text_free(&log);
}

static void test_unasked_before_first(void)
{
  struct dqc_session session;
  struct dqc_message leader = make_request("LEADER");
  talk_init(&session);
  CHECK_EQ(dqc_session_feed(&session, bytes_of("x")), DQC_DONE);
  CHECK_EQ(dqc_session_send(&session, &leader), DQC_EPROTO);
  CHECK_EQ(dqc_session_pending(&session).len, 0);
  dqc_session_free(&session);
}

/* Bytes of a reply that is on its way do not hinder the next request. */
static void test_send_in_reply(void)
{
  struct dqc_session session;
  struct text log;
  struct dqc_message interrupt = make_request("INTERRUPT");
  const struct vector *v = vectors_find(&vectors, "empty_interrupt");
  talk_init(&session);
  text_init(&log);
  CHECK_EQ(talk_send(&session, &interrupt), DQC_DONE);
  CHECK_EQ(dqc_session_feed(&session, bytes_from(v->bytes, 9)), DQC_DONE);
  CHECK_EQ(talk_next(&session, &log), DQC_WANT_READ);
  CHECK_EQ(talk_send(&session, &interrupt), DQC_DONE);
  CHECK_EQ(dqc_session_feed(&session, bytes_from(v->bytes + 9, v->len - 9)),
           DQC_DONE);
  CHECK_EQ(talk_next(&session, &log), DQC_DONE);
  CHECK_EQ(talk_next(&session, &log), DQC_WANT_READ);
  CHECK_EQ(dqc_session_outstanding(&session), 1);
  dqc_session_free(&session);
  text_free(&log);
}

/* An answer is due to what has left whole, not to what is pending. */
static void test_awaits(void)
{
  struct dqc_session session;
  struct text log;
  struct dqc_message interrupt = make_request("INTERRUPT");
  const struct vector *v = vectors_find(&vectors, "empty_interrupt");
  talk_init(&session);
  text_init(&log);
  CHECK_EQ(dqc_session_awaits(&session), 0);
  CHECK_EQ(dqc_session_send(&session, &interrupt), DQC_DONE);
  CHECK_EQ(dqc_session_send(&session, &interrupt), DQC_DONE);
  CHECK_EQ(dqc_session_awaits(&session), 0);
  size_t pending = dqc_session_pending(&session).len;
  size_t one = (pending - 8) / 2; /* behind the version */
  dqc_session_sent(&session, 8 + one - 1);
  CHECK_EQ(dqc_session_awaits(&session), 0);
  dqc_session_sent(&session, 1);
  CHECK_EQ(dqc_session_awaits(&session), 1);
  CHECK_EQ(dqc_session_feed(&session, vector_bytes(v)), DQC_DONE);
  CHECK_EQ(talk_next(&session, &log), DQC_DONE);
  CHECK_EQ(dqc_session_outstanding(&session), 1);
  CHECK_EQ(dqc_session_awaits(&session), 0);
  dqc_session_sent(&session, one);
  CHECK_EQ(dqc_session_awaits(&session), 1);
  dqc_session_free(&session);
  CHECK_EQ(dqc_session_awaits(&session), 0);
  text_free(&log);
}

/* A reply is valid while requests are sent: only feeding or asking ends it. */
static void test_reply_stays(void)
{
  struct dqc_session session;
  struct dqc_reply reply;
  struct dqc_message query = make_request("QUERY_SQL");
  const struct vector *v = vectors_find(&vectors, "rows_small_last");
  talk_init(&session);
  CHECK_EQ(talk_send(&session, &query), DQC_DONE);
  CHECK_EQ(dqc_session_feed(&session, vector_bytes(v)), DQC_DONE);
  CHECK_EQ(dqc_session_next(&session, &reply), DQC_DONE);
  for (int i = 0; i < 100; i++) {
    if (dqc_session_send(&session, &query)) check_fatal("not sent");
  }
  CHECK_EQ(reply.message.fields[0].rows.rows.len, 24);
  CHECK(memcmp(reply.message.fields[0].rows.rows.ptr, v->bytes + 32, 24) == 0);
  dqc_session_free(&session);
}

/* A giant that is announced takes no memory before it arrives. */
static void test_memory(void)
{
  struct failing failing;
  struct dqc_session session;
  struct dqc_reply reply;
  static const uint8_t header[] = {0, 0, 0, 8, DQC_RESPONSE_ROWS, 0, 0, 0};
  static uint8_t body[4096];
  struct dqc_message query = make_request("QUERY_SQL");
  failing_init(&failing, 0);
  dqc_session_init(&session, failing.alloc, DQC_FRAME_MAX);
  CHECK_EQ(talk_send(&session, &query), DQC_DONE);
  struct dqc_bytes from = bytes_from(header, sizeof header);
  int rc = talk_read(&session, &from, 8);
  CHECK_EQ(rc, DQC_DONE);
  for (int i = 0; i < 100; i++) {
    rc = dqc_session_next(&session, &reply);
    from = bytes_from(body, sizeof body);
    if (talk_read(&session, &from, sizeof body)) check_fatal("no memory");
  }
  CHECK_EQ(rc, DQC_WANT_READ);
  CHECK(failing.held < 100 * sizeof body + 1024 * 1024);
  dqc_session_free(&session);
  CHECK_EQ(failing.held, 0);
}

/* Part of a result: one column, one row. */
static const uint8_t part[48] = {5,    0,    0,    0,    DQC_RESPONSE_ROWS,
                                 0,    0,    0, /* the header */
                                 1,    0,    0,    0,    0,
                                 0,    0,    0, /* columns */
                                 'a',  0,    0,    0,    0,
                                 0,    0,    0, /* its name */
                                 1,    0,    0,    0,    0,
                                 0,    0,    0, /* INTEGER */
                                 7,    0,    0,    0,    0,
                                 0,    0,    0, /* 7 */
                                 0xee, 0xee, 0xee, 0xee, 0xee,
                                 0xee, 0xee, 0xee};

/* Reads as much as there is room for; the replies are taken. The room. */
static size_t read_room(struct dqc_session *session, struct dqc_bytes *from,
                        size_t most)
{
  struct dqc_reply reply;
  size_t before = from->len;
  if (talk_read(session, from, most)) check_fatal("no memory");
  int rc;
  do {
    rc = dqc_session_next(session, &reply);
  } while (rc == DQC_DONE);
  CHECK_EQ(rc, DQC_WANT_READ);
  return before - from->len;
}

/* While a result comes in faster than it is read, a read takes more: 64 KiB
 * with what was left of the one before. */
static void test_room(void)
{
  static uint8_t stream[48 * 8192];
  struct dqc_session session;
  struct dqc_bytes from = bytes_from(stream, sizeof stream);
  struct dqc_message query = make_request("QUERY_SQL");
  for (size_t i = 0; i < sizeof stream; i++) stream[i] = part[i % 48];
  talk_init(&session);
  CHECK_EQ(talk_send(&session, &query), DQC_DONE);
  size_t all = read_room(&session, &from, sizeof stream);
  CHECK_EQ(all, 16 * 1024);
  for (int i = 0; i < 4; i++) {
    size_t left = all % sizeof part;
    size_t room = read_room(&session, &from, sizeof stream);
    CHECK_EQ(room + left, 64 * 1024);
    all += room;
  }
  read_room(&session, &from, 10);
  CHECK_EQ(session.in.size, 64 * 1024);
  dqc_session_free(&session);
}

/* A look at what is next takes nothing. */
static void test_has(void)
{
  struct dqc_session session;
  struct text log;
  struct dqc_message interrupt = make_request("INTERRUPT");
  struct dqc_bytes empty =
      vector_bytes(vectors_find(&vectors, "empty_interrupt"));
  talk_init(&session);
  text_init(&log);
  CHECK(!dqc_session_has(&session, DQC_RESPONSE_EMPTY));
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(talk_send(&session, &interrupt), DQC_DONE);
  }
  CHECK_EQ(dqc_session_feed(&session, empty), DQC_DONE);
  CHECK_EQ(dqc_session_feed(&session, bytes_from(empty.ptr, empty.len - 1)),
           DQC_DONE);
  CHECK(dqc_session_has(&session, DQC_RESPONSE_EMPTY));
  CHECK(!dqc_session_has(&session, DQC_RESPONSE_RESULT));
  CHECK_EQ(talk_next(&session, &log), DQC_DONE);
  CHECK(!dqc_session_has(&session, DQC_RESPONSE_EMPTY));
  CHECK_EQ(
      dqc_session_feed(&session, bytes_from(empty.ptr + empty.len - 1, 1)),
      DQC_DONE);
  CHECK(dqc_session_has(&session, DQC_RESPONSE_EMPTY));
  dqc_session_fail(&session, DQC_ECLOSED, "closed");
  dqc_session_free(&session);
  CHECK(!dqc_session_has(&session, DQC_RESPONSE_EMPTY));
  text_free(&log);
}

static void test_fail(void)
{
  struct dqc_session session;
  struct dqc_message leader = make_request("LEADER");
  talk_init(&session);
  dqc_session_fail(&session, DQC_ETIMEOUT, "too late");
  dqc_session_fail(&session, DQC_ECLOSED, "closed");
  CHECK_EQ(session.status, DQC_ETIMEOUT);
  CHECK_TEXT(session.reason, "too late");
  CHECK_EQ(dqc_session_send(&session, &leader), DQC_ETIMEOUT);
  CHECK_EQ(dqc_session_feed(&session, bytes_of("x")), DQC_ETIMEOUT);
  dqc_session_free(&session);
  dqc_session_free(&session);
}

int main(void)
{
  vectors_load(&vectors, "spec/vectors/responses.txt");
  test_greeting();
  check_unasked(0);
  check_unasked(1);
  check_unasked(16);
  test_unasked_before_first();
  test_send_in_reply();
  test_awaits();
  test_reply_stays();
  test_memory();
  test_room();
  test_has();
  test_fail();
  vectors_free(&vectors);
  return check_done();
}
