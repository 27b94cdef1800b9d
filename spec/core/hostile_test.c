/* Every hostile frame is refused with the right status, at the end of memory
 * and in pieces, and the session that met it stays dead. */
#include <string.h>

#include "core/status.h"
#include "support/check.h"
#include "support/dump.h"
#include "support/guard.h"
#include "support/make.h"
#include "support/talk.h"
#include "support/vectors.h"

static int error_of(const struct vector *v)
{
  if (vector_is(v, VECTOR_ERROR, "EPROTO")) return DQC_EPROTO;
  if (vector_is(v, VECTOR_ERROR, "ETOOBIG")) return DQC_ETOOBIG;
  check_fatal("an unknown error");
  return 0;
}

static void check_codec(const struct vector *v, struct guard *guard)
{
  struct text text;
  struct dqc_bytes copy = guard_copy(guard, vector_bytes(v));
  text_init(&text);
  CHECK_EQ(dump_frame(copy, vector_direction(v), 1, &text), error_of(v));
  text_free(&text);
}

static struct dqc_message request_after(const struct vector *v)
{
  const char *name = v->values[VECTOR_AFTER];
  struct dqc_message request = make_request(name);
  if (strcmp(name, "CLUSTER") == 0) request.fields[0].word = 1;
  return request;
}

static void check_dead(struct dqc_session *session, int status)
{
  struct dqc_message request = make_request("LEADER");
  static const uint8_t good[] = {1, 0, 0, 0, 8, 0, 0, 0,
                                 0, 0, 0, 0, 0, 0, 0, 0};
  struct dqc_reply reply;
  const char *reason = session->reason;
  CHECK_EQ(session->status, status);
  CHECK(reason != NULL);
  CHECK_EQ(dqc_session_next(session, &reply), status);
  CHECK_EQ(dqc_session_send(session, &request), status);
  CHECK_EQ(dqc_session_pending(session).len, 0);
  CHECK_EQ(dqc_session_feed(session, bytes_from(good, sizeof good)), status);
  CHECK_EQ(dqc_session_next(session, &reply), status);
  dqc_session_fail(session, DQC_ECLOSED, "something later");
  CHECK_EQ(session->status, status);
  CHECK_TEXT(session->reason, reason);
}

static void check_session(const struct vector *v, size_t most)
{
  struct dqc_session session;
  struct text log;
  talk_init(&session);
  text_init(&log);
  if (!vector_is(v, VECTOR_AFTER, "nothing")) {
    struct dqc_message request = request_after(v);
    CHECK_EQ(talk_send(&session, &request), DQC_DONE);
  }
  CHECK_EQ(talk_feed(&session, vector_bytes(v), most, 1, &log), error_of(v));
  check_dead(&session, error_of(v));
  dqc_session_free(&session);
  text_free(&log);
}

static void check_vector(const struct vector *v, struct guard *guard)
{
  check_about(v->values[VECTOR_NAME]);
  if (vector_is(v, VECTOR_BY, "codec")) {
    check_codec(v, guard);
  } else {
    CHECK(vector_is(v, VECTOR_BY, "session"));
  }
  if (vector_direction(v) == DQC_TO_CLIENT) {
    check_session(v, 0);
    check_session(v, 1);
  }
}

/* The limit that a user sets, from the last size that is let through on. */
static void check_limit(size_t max, uint8_t words, int expected)
{
  struct dqc_session session;
  struct text log;
  uint8_t header[] = {words, 0, 0, 0, DQC_RESPONSE_EMPTY, 0, 0, 0};
  struct dqc_message request = make_request("INTERRUPT");
  dqc_session_init(&session, dqc_alloc_default, max);
  text_init(&log);
  CHECK_EQ(talk_send(&session, &request), DQC_DONE);
  CHECK_EQ(dqc_session_feed(&session, bytes_from(header, sizeof header)), 0);
  CHECK_EQ(talk_next(&session, &log), expected);
  if (expected < 0) check_dead(&session, expected);
  dqc_session_free(&session);
  text_free(&log);
}

int main(void)
{
  struct vectors vectors;
  struct guard guard;
  vectors_load(&vectors, "spec/vectors/hostile.txt");
  guard_init(&guard, 4096);
  CHECK(vectors.count > 0);
  for (size_t i = 0; i < vectors.count; i++) {
    check_vector(&vectors.list[i], &guard);
  }
  check_about("max_message");
  check_limit(64, 8, DQC_WANT_READ);
  check_limit(64, 9, DQC_ETOOBIG);
  check_limit(71, 9, DQC_ETOOBIG);
  check_limit(72, 9, DQC_WANT_READ);
  guard_free(&guard);
  vectors_free(&vectors);
  return check_done();
}
