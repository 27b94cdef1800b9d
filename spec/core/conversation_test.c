/* A long conversation with every kind of reply, results of several frames and
 * failures among them: in pieces of all sizes it comes to the same. */
#include "core/session.h"

#include <string.h>

#include "core/status.h"
#include "support/check.h"
#include "support/make.h"
#include "support/talk.h"
#include "support/vectors.h"

static struct vectors vectors;

/* One request of the conversation and the frames that answer it. */
struct exchange {
  const char *request;
  uint64_t word; /* of its first field */
  const char *answers[4]; /* names of vectors */
};

static const struct exchange conversation[] = {
    {"LEADER", 0, {"server"}},
    {"CLIENT", 1, {"welcome"}},
    {"OPEN", 0, {"db"}},
    {"EXEC_SQL", 0, {"result_ddl"}},
    {"QUERY_SQL",
     0,
     {"rows_small_part", "rows_small_middle", "rows_small_last"}},
    {"EXEC_SQL", 0, {"failure_syntax"}},
    {"QUERY_SQL", 0, {"rows_small_part", "failure_polluted_later"}},
    {"QUERY", 0, {"rows_declared"}},
    {"PREPARE", 0, {"stmt_v1"}},
    {"CLUSTER", 0, {"servers_three"}},
    {"CLUSTER", 1, {"servers_three_roles"}},
    {"QUERY", 0, {"failure_polluted_unique"}},
    {"FINALIZE", 0, {"empty_finalize"}},
    {"DUMP", 0, {"files_small"}},
    {"QUERY_SQL", 0, {"rows_part", "rows_empty_done"}},
    {"DESCRIBE", 0, {"metadata"}},
    {"QUERY_SQL", 0, {"rows_zero_columns"}},
    {"INTERRUPT", 0, {"empty_interrupt"}},
};
#define EXCHANGES (sizeof conversation / sizeof *conversation)

static struct dqc_message request_of(const struct exchange *exchange)
{
  struct dqc_message message = make_request(exchange->request);
  if (message.layout->fields[0].kind == DQC_KIND_U64) {
    message.fields[0].word = exchange->word;
  }
  return message;
}

static void send_all(struct dqc_session *session)
{
  for (size_t i = 0; i < EXCHANGES; i++) {
    struct dqc_message message = request_of(&conversation[i]);
    if (talk_send(session, &message)) check_fatal("a request refused");
  }
  CHECK_EQ(dqc_session_outstanding(session), EXCHANGES);
}

/* All frames that the server sends, and what they mean. */
static void expected_of(struct text *bytes, struct text *log)
{
  for (size_t i = 0; i < EXCHANGES; i++) {
    for (size_t k = 0; k < 4 && conversation[i].answers[k]; k++) {
      const struct vector *v =
          vectors_find(&vectors, conversation[i].answers[k]);
      text_add_bytes(bytes, vector_bytes(v));
      text_add_bytes(log, bytes_of(v->values[VECTOR_TEXT]));
      text_add(log, "\n");
    }
  }
}

static struct text all_bytes, all_text;

static struct dqc_bytes all(void)
{
  return bytes_from(all_bytes.s, all_bytes.len);
}

static void check_conversation(size_t most, uint32_t seed)
{
  struct dqc_session session;
  struct text log;
  talk_init(&session);
  text_init(&log);
  send_all(&session);
  CHECK_EQ(talk_feed(&session, all(), most, seed, &log), DQC_WANT_READ);
  CHECK_TEXT(log.s, all_text.s);
  CHECK_EQ(dqc_session_outstanding(&session), 0);
  dqc_session_free(&session);
  text_free(&log);
}

static void test_splits(void)
{
  check_conversation(0, 0);
  check_conversation(1, 0);
  for (uint32_t seed = 1; seed <= 50; seed++) {
    check_conversation(seed % 2 ? 16 : 700, seed);
  }
}

static void test_room(size_t most)
{
  struct dqc_session session;
  struct text log;
  struct dqc_bytes from = all();
  int rc = DQC_WANT_READ;
  talk_init(&session);
  text_init(&log);
  send_all(&session);
  while (from.len && rc == DQC_WANT_READ) {
    rc = talk_read(&session, &from, most);
    if (!rc) rc = talk_replies(&session, &log);
  }
  CHECK_EQ(rc, DQC_WANT_READ);
  CHECK_TEXT(log.s, all_text.s);
  dqc_session_free(&session);
  text_free(&log);
}

/* The reply says which request it belongs to and whether more follows. */
static void test_pairing(void)
{
  struct dqc_session session;
  struct dqc_reply reply;
  talk_init(&session);
  send_all(&session);
  CHECK_EQ(dqc_session_feed(&session, all()), DQC_DONE);
  for (size_t i = 0; i < EXCHANGES; i++) {
    const struct exchange *e = &conversation[i];
    check_about(e->request);
    for (size_t k = 0; k < 4 && e->answers[k]; k++) {
      int last = k == 3 || !e->answers[k + 1];
      CHECK_EQ(dqc_session_next(&session, &reply), DQC_DONE);
      CHECK_EQ(reply.request, request_of(e).layout->number);
      CHECK_EQ(reply.roles, strcmp(e->request, "CLUSTER") == 0 && e->word);
      CHECK_EQ(reply.last, last);
      CHECK_EQ(dqc_session_outstanding(&session),
               EXCHANGES - i - (last ? 1 : 0));
    }
  }
  check_about(NULL);
  CHECK_EQ(dqc_session_next(&session, &reply), DQC_WANT_READ);
  dqc_session_free(&session);
}

/* Asked one by one, each request behind the reply to the one before. */
static void test_one_by_one(void)
{
  struct dqc_session session;
  struct text log;
  talk_init(&session);
  text_init(&log);
  for (size_t i = 0; i < EXCHANGES; i++) {
    struct dqc_message message = request_of(&conversation[i]);
    CHECK_EQ(talk_send(&session, &message), DQC_DONE);
    for (size_t k = 0; k < 4 && conversation[i].answers[k]; k++) {
      const struct vector *v =
          vectors_find(&vectors, conversation[i].answers[k]);
      CHECK_EQ(talk_feed(&session, vector_bytes(v), 0, 0, &log),
               DQC_WANT_READ);
    }
  }
  CHECK_TEXT(log.s, all_text.s);
  dqc_session_free(&session);
  text_free(&log);
}

int main(void)
{
  vectors_load(&vectors, "spec/vectors/responses.txt");
  expected_of(&all_bytes, &all_text);
  test_splits();
  test_room(1);
  test_room(100);
  test_room(SIZE_MAX);
  test_pairing();
  test_one_by_one();
  text_free(&all_bytes);
  text_free(&all_text);
  vectors_free(&vectors);
  return check_done();
}
