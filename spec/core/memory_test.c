/* Memory that runs out at every possible moment: the status says so, nothing
 * leaks, no part of a request stays behind, and a session can go on. */
#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "support/check.h"
#include "support/failing.h"
#include "support/make.h"
#include "support/rebuild.h"
#include "support/talk.h"
#include "support/vectors.h"

static struct vectors requests, responses;

/* ---- buffers ---- */

static int fill_buffer(struct dqc_buf *buf)
{
  static const uint8_t bytes[3000] = {1, 2, 3};
  int rc = DQC_DONE;
  for (size_t n = 1; !rc && n < sizeof bytes; n *= 3) {
    struct dqc_bytes before = dqc_buf_view(buf);
    rc = dqc_buf_append(buf, bytes, n);
    if (rc) CHECK_BYTES(dqc_buf_view(buf), before);
  }
  return rc;
}

static int use_buffer(struct dqc_alloc alloc)
{
  struct dqc_buf buf;
  dqc_buf_init(&buf, alloc);
  int rc = fill_buffer(&buf);
  dqc_buf_consume(&buf, dqc_buf_len(&buf) / 2);
  if (!rc) rc = fill_buffer(&buf);
  dqc_buf_free(&buf);
  return rc;
}

/* ---- encoding ---- */

/* A buffer's first block holds this many bytes. */
#define BLOCK ((size_t)256)

static const struct vector *encoded; /* by the scenarios below */

static void read_encoded(struct rebuilt *rebuilt)
{
  struct dqc_frame frame;
  struct dqc_message message;
  size_t need;
  int roles = vector_is(encoded, VECTOR_SERVERS, "1");
  int rc = dqc_frame_next(vector_bytes(encoded), DQC_FRAME_MAX, &frame, &need);
  if (!rc) {
    rc = dqc_message_decode(&frame, vector_direction(encoded), &message);
  }
  if (!rc) rc = rebuild(&message, roles, rebuilt);
  if (rc) check_fatal("a vector that cannot be read");
}

static int encode(struct dqc_alloc alloc)
{
  struct rebuilt rebuilt;
  struct dqc_buf out;
  read_encoded(&rebuilt);
  dqc_buf_init(&out, alloc);
  int rc = dqc_message_encode(&out, &rebuilt.message, DQC_FRAME_MAX);
  if (rc) CHECK_EQ(dqc_buf_len(&out), 0);
  dqc_buf_free(&out);
  rebuilt_free(&rebuilt);
  return rc;
}

/* With `left` bytes of room and no more memory: taken back whole? */
static int is_taken_back(const struct dqc_message *message, size_t left)
{
  static const uint8_t before[BLOCK];
  struct failing failing;
  struct dqc_buf out;
  failing_init(&failing, 2);
  dqc_buf_init(&out, failing.alloc);
  int rc = dqc_buf_append(&out, before, 1);
  if (!rc) rc = dqc_buf_append(&out, before, dqc_buf_room(&out) - left);
  size_t len = dqc_buf_len(&out);
  if (rc || len + left != BLOCK) check_fatal("a block of another size");
  rc = dqc_message_encode(&out, message, DQC_FRAME_MAX);
  int right = rc == DQC_ENOMEM && dqc_buf_len(&out) == len;
  dqc_buf_free(&out);
  return right && failing.held == 0;
}

/* Memory runs out in each word of the frame in turn. */
static void encode_in_little_room(void)
{
  struct rebuilt rebuilt;
  size_t wrong = 0;
  read_encoded(&rebuilt);
  for (size_t left = 0; left < encoded->len && left < BLOCK; left += 4) {
    wrong += is_taken_back(&rebuilt.message, left) ? 0 : 1;
  }
  rebuilt_free(&rebuilt);
  check_about(encoded->values[VECTOR_NAME]);
  CHECK_EQ(wrong, 0);
}

static void encode_all(const struct vectors *vectors)
{
  for (size_t i = 0; i < vectors->count; i++) {
    encoded = &vectors->list[i];
    if (vector_is(encoded, VECTOR_REENCODE, "refused")) continue;
    failing_run(encoded->values[VECTOR_NAME], 0, encode);
    if (encoded->values[VECTOR_REENCODE]) continue;
    encode_in_little_room();
  }
}

/* ---- sending ---- */

static uint8_t blob[100 * 1024];

/* An INSERT of a large blob. */
static struct dqc_message large_request(struct dqc_value *param)
{
  struct dqc_message message =
      make_sql("EXEC_SQL", "INSERT INTO t VALUES (?)");
  *param = make_blob(blob, sizeof blob);
  message.fields[2].values = param;
  message.fields[2].count = 1;
  return message;
}

/* Sends; what failed for want of memory has left nothing behind and works the
 * second time. */
static int send_or_again(struct dqc_session *session,
                         const struct dqc_message *message)
{
  size_t pending = dqc_session_pending(session).len;
  size_t outstanding = dqc_session_outstanding(session);
  int rc = dqc_session_send(session, message);
  if (!rc) return rc;
  CHECK_EQ(dqc_session_pending(session).len, pending);
  CHECK_EQ(dqc_session_outstanding(session), outstanding);
  CHECK_EQ(session->status, 0);
  CHECK_EQ(dqc_session_send(session, message), DQC_DONE);
  return rc;
}

/* The status of the first that failed, and the bytes of all. */
static int send_all(struct dqc_session *session)
{
  struct dqc_value param;
  struct dqc_message messages[3] = {make_request("LEADER"),
                                    large_request(&param),
                                    make_sql("QUERY_SQL", "SELECT 1")};
  int rc = DQC_DONE;
  for (int i = 0; i < 60; i++) {
    int now = send_or_again(session, &messages[i % 20 < 3 ? i % 20 : 0]);
    if (!rc) rc = now;
  }
  return rc;
}

static int use_sending(struct dqc_alloc alloc)
{
  struct dqc_session session, other;
  dqc_session_init(&session, alloc, DQC_FRAME_MAX);
  talk_init(&other);
  int rc = send_all(&session);
  CHECK_EQ(send_all(&other), DQC_DONE);
  CHECK_EQ(dqc_session_outstanding(&session), 60);
  CHECK_BYTES(dqc_session_pending(&session), dqc_session_pending(&other));
  dqc_session_free(&session);
  dqc_session_free(&other);
  return rc;
}

/* ---- receiving ---- */

static const struct {
  const char *request, *answers[4];
} exchanges[] = {
    {"QUERY_SQL", {"rows_small_part", "rows_small_middle", "rows_small_last"}},
    {"QUERY_SQL", {"rows_part", "rows_empty_done"}},
    {"DUMP", {"files"}},
    {"QUERY_SQL", {"rows_small_part", "failure_polluted_later"}},
};
#define EXCHANGES (sizeof exchanges / sizeof *exchanges)

/* Reads what is left of a frame into the session's own room. */
static int read_frame(struct dqc_session *session, struct dqc_bytes *frame)
{
  int rc = DQC_DONE;
  while (!rc && frame->len) rc = talk_read(session, frame, 1000);
  return rc;
}

/* Without memory to read into, the session is as it was. */
static int read_or_again(struct dqc_session *session, const char *name)
{
  struct dqc_bytes frame = vector_bytes(vectors_find(&responses, name));
  int rc = read_frame(session, &frame);
  if (!rc) return rc;
  CHECK_EQ(session->status, 0);
  CHECK_EQ(read_frame(session, &frame), DQC_DONE);
  return rc;
}

static void keep_first(int *first, int rc)
{
  if (*first == DQC_DONE) *first = rc;
}

/* The first failure. Only one in the middle of a result ends the session. */
static int receive_all(struct dqc_session *session, struct text *log)
{
  int first = DQC_DONE;
  for (size_t i = 0; i < EXCHANGES; i++) {
    struct dqc_message request = make_request(exchanges[i].request);
    keep_first(&first, send_or_again(session, &request));
    for (size_t k = 0; k < 4 && exchanges[i].answers[k]; k++) {
      keep_first(&first, read_or_again(session, exchanges[i].answers[k]));
      keep_first(&first, talk_next(session, log));
      if (session->status) return first;
    }
  }
  return first;
}

static void check_ended(struct dqc_session *session)
{
  struct dqc_reply reply;
  struct dqc_message leader = make_request("LEADER");
  CHECK_EQ(session->status, DQC_ENOMEM);
  CHECK(session->reason != NULL);
  CHECK_EQ(dqc_session_next(session, &reply), DQC_ENOMEM);
  CHECK_EQ(dqc_session_send(session, &leader), DQC_ENOMEM);
}

/* Every frame of the exchanges, as text. */
static void expect_all(struct text *log)
{
  for (size_t i = 0; i < EXCHANGES; i++) {
    for (size_t k = 0; k < 4 && exchanges[i].answers[k]; k++) {
      const struct vector *v =
          vectors_find(&responses, exchanges[i].answers[k]);
      text_add_bytes(log, bytes_of(v->values[VECTOR_TEXT]));
      text_add(log, "\n");
    }
  }
}

static int ended, survived; /* runs of the scenario below */

static int use_receiving(struct dqc_alloc alloc)
{
  struct dqc_session session;
  struct text log, expected;
  dqc_session_init(&session, alloc, DQC_FRAME_MAX);
  text_init(&log);
  text_init(&expected);
  int rc = receive_all(&session, &log);
  if (session.status) {
    check_ended(&session);
    ended++;
  } else {
    survived++;
    expect_all(&expected);
    CHECK_TEXT(log.s, expected.s);
    CHECK_EQ(dqc_session_outstanding(&session), 0);
  }
  dqc_session_free(&session);
  text_free(&log);
  text_free(&expected);
  return rc;
}

int main(void)
{
  for (size_t i = 0; i < sizeof blob; i++) blob[i] = (uint8_t)i;
  vectors_load(&requests, "spec/vectors/requests.txt");
  vectors_load(&responses, "spec/vectors/responses.txt");
  failing_run("buffer", 3, use_buffer);
  encode_all(&requests);
  encode_all(&responses);
  failing_run("sending", 3, use_sending);
  failing_run("receiving", 3, use_receiving);
  CHECK(ended > 0 && survived > 1);
  vectors_free(&requests);
  vectors_free(&responses);
  return check_done();
}
