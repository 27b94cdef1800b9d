/* What a session must never send (hazards.md): refused, no byte is pending
 * afterwards, and the next request leaves as if nothing had been asked. */
#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "support/check.h"
#include "support/make.h"
#include "support/talk.h"

#define LIMIT ((size_t)4096)

/* The bytes of LEADER on a session, with the version word or without. */
static void check_next_request(struct dqc_session *session, int greeted)
{
  static const uint8_t bytes[] = {1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
                                  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  struct dqc_message leader = make_request("LEADER");
  size_t skip = greeted ? 8 : 0;
  CHECK_EQ(dqc_session_send(session, &leader), DQC_DONE);
  CHECK_BYTES(dqc_session_pending(session),
              bytes_from(bytes + skip, sizeof bytes - skip));
}

static void check_fresh(const struct dqc_message *message, int expected)
{
  struct dqc_session session;
  dqc_session_init(&session, dqc_alloc_default, LIMIT);
  CHECK_EQ(dqc_session_send(&session, message), expected);
  CHECK_EQ(dqc_session_pending(&session).len, 0);
  CHECK_EQ(dqc_session_outstanding(&session), 0);
  CHECK_EQ(session.status, 0);
  check_next_request(&session, 0);
  dqc_session_free(&session);
}

/* With a request outstanding and its bytes unsent. */
static void check_busy(const struct dqc_message *message, int expected)
{
  struct dqc_session session;
  dqc_session_init(&session, dqc_alloc_default, LIMIT);
  check_next_request(&session, 0);
  CHECK_EQ(dqc_session_send(&session, message), expected);
  CHECK_EQ(dqc_session_pending(&session).len, 24);
  CHECK_EQ(dqc_session_outstanding(&session), 1);
  CHECK_EQ(session.status, 0);
  dqc_session_sent(&session, 24);
  check_next_request(&session, 1);
  dqc_session_free(&session);
}

/* Refused as a whole: there is a reason in words. */
static void check_refused(const struct dqc_message *message)
{
  check_about(message->layout->name);
  CHECK(dqc_session_refusal(message) != NULL);
  check_fresh(message, DQC_EVALUE);
  check_busy(message, DQC_EVALUE);
  check_about(NULL);
}

/* Refused for one of its values. */
static void check_value_refused(const struct dqc_message *message,
                                int expected)
{
  CHECK(dqc_session_refusal(message) == NULL);
  check_fresh(message, expected);
  check_busy(message, expected);
}

static void test_requests(void)
{
  struct dqc_message message;
  message = make_request("HEARTBEAT");
  check_refused(&message);
  message = make_request("CONNECT");
  message.fields[0].word = 1;
  message.fields[1].bytes = bytes_of("127.0.0.1:9001");
  check_refused(&message);
  message = make_request("DESCRIBE");
  message.fields[0].word = 1;
  check_refused(&message);
  message = make_request("ADD");
  message.fields[0].word = 0;
  check_refused(&message);
  message = make_request("ASSIGN");
  message.fields[1].word = 3;
  check_refused(&message);
}

/* Not one response can be sent, whatever request has its number. */
static void test_responses(void)
{
  const struct dqc_layout *layout = dqc_layouts(DQC_TO_CLIENT);
  for (; layout->name; layout++) {
    struct dqc_message message = make_message(layout->name, layout->schema);
    check_refused(&message);
  }
}

static void check_name(struct dqc_bytes name, int refused)
{
  struct dqc_message message = make_request("OPEN");
  struct dqc_session session;
  message.fields[0].bytes = name;
  CHECK_EQ(dqc_database_refusal(name) != NULL, refused);
  if (refused) {
    check_refused(&message);
    return;
  }
  CHECK(dqc_session_refusal(&message) == NULL);
  dqc_session_init(&session, dqc_alloc_default, LIMIT);
  CHECK_EQ(dqc_session_send(&session, &message), DQC_DONE);
  CHECK(dqc_session_pending(&session).len > 0);
  dqc_session_free(&session);
}

static void test_names(void)
{
  char *name = malloc(505);
  if (!name) check_fatal("out of memory");
  memset(name, 'n', 505);
  check_name(bytes_of(""), 1);
  check_name(bytes_from(NULL, 0), 1);
  check_name(bytes_of(":memory:"), 1);
  check_name(bytes_of("file:x"), 1);
  check_name(bytes_of("file:"), 1);
  check_name(bytes_of("app.db-wal"), 1);
  check_name(bytes_of("app.db-journal"), 1);
  check_name(bytes_of("-wal"), 1);
  check_name(bytes_from(name, 505), 1);
  check_name(bytes_from("a\0b", 3), 1);
  check_name(bytes_from("a\0", 2), 1);
  check_name(bytes_from("\0", 1), 1);
  check_name(bytes_from(name, 504), 0);
  check_name(bytes_of("n"), 0);
  check_name(bytes_of(":memory"), 0);
  check_name(bytes_of(":memory:x"), 0);
  check_name(bytes_of("file"), 0);
  check_name(bytes_of("a/file:x"), 0);
  check_name(bytes_of("app.db"), 0);
  check_name(bytes_of("app-wal.db"), 0);
  check_name(bytes_of("journal"), 0);
  check_name(bytes_of("wal"), 0);
  free(name);
}

static void test_texts(void)
{
  struct dqc_message message = make_request("EXEC_SQL");
  message.fields[1].bytes = bytes_from("SELECT 1\0", 9);
  check_value_refused(&message, DQC_EVALUE);
  message = make_request("PREPARE");
  message.fields[1].bytes = bytes_from("SELECT\0 1", 9);
  check_value_refused(&message, DQC_EVALUE);
  message = make_request("DUMP");
  message.fields[0].bytes = bytes_from("a\0", 2);
  check_value_refused(&message, DQC_EVALUE);
  message = make_request("ADD");
  message.fields[1].bytes = bytes_from("a\0:1", 4);
  check_value_refused(&message, DQC_EVALUE);
}

static struct dqc_value many[256];

static void check_params(struct dqc_value value, size_t count, int expected)
{
  struct dqc_message message = make_sql("QUERY_SQL", "SELECT ?");
  for (size_t i = 0; i < count; i++) many[i] = value;
  message.fields[2].values = many;
  message.fields[2].count = count;
  check_value_refused(&message, expected);
}

static void test_params(void)
{
  struct dqc_value value = make_text("x");
  check_params(value, 256, DQC_EVALUE);
  value.as.bytes = bytes_from("a\0b", 3);
  check_params(value, 1, DQC_EVALUE);
  value.type = DQC_ISO8601;
  check_params(value, 1, DQC_EVALUE);
  value.type = 6;
  check_params(value, 1, DQC_EVALUE);
  value = make_blob("", DQC_VALUE_MAX + 1);
  check_params(value, 1, DQC_ETOOBIG);
}

/* The limit is the body of a frame; the last size fits. */
static void test_too_large(void)
{
  struct dqc_session session;
  struct dqc_message message = make_request("EXEC_SQL");
  char *sql = malloc(LIMIT);
  if (!sql) check_fatal("out of memory");
  memset(sql, ' ', LIMIT);
  message.fields[1].bytes = bytes_from(sql, LIMIT - 8);
  check_value_refused(&message, DQC_ETOOBIG);
  message.fields[1].bytes.len = LIMIT - 9;
  dqc_session_init(&session, dqc_alloc_default, LIMIT);
  CHECK_EQ(dqc_session_send(&session, &message), DQC_DONE);
  CHECK_EQ(dqc_session_pending(&session).len, 16 + LIMIT);
  dqc_session_free(&session);
  free(sql);
}

int main(void)
{
  test_requests();
  test_responses();
  test_names();
  test_texts();
  test_params();
  test_too_large();
  return check_done();
}
