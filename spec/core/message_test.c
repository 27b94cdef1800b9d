/* The table of messages against protocol.md 1.6 and 1.7, and what encoding
 * and decoding do beside it. */
#include "core/message.h"

#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "support/check.h"
#include "support/make.h"

static const struct {
  const char *name, *answer;
  uint8_t number, schema;
} known_requests[] = {
    {"LEADER", "SERVER", 0, 0},    {"CLIENT", "WELCOME", 1, 0},
    {"OPEN", "DB", 3, 0},          {"PREPARE", "STMT", 4, 0},
    {"PREPARE", "STMT", 4, 1},     {"EXEC", "RESULT", 5, 0},
    {"EXEC", "RESULT", 5, 1},      {"QUERY", "ROWS", 6, 0},
    {"QUERY", "ROWS", 6, 1},       {"FINALIZE", "EMPTY", 7, 0},
    {"EXEC_SQL", "RESULT", 8, 0},  {"EXEC_SQL", "RESULT", 8, 1},
    {"QUERY_SQL", "ROWS", 9, 0},   {"QUERY_SQL", "ROWS", 9, 1},
    {"INTERRUPT", "EMPTY", 10, 0}, {"ADD", "EMPTY", 12, 0},
    {"ASSIGN", "EMPTY", 13, 0},    {"REMOVE", "EMPTY", 14, 0},
    {"DUMP", "FILES", 15, 0},      {"CLUSTER", "SERVERS", 16, 0},
    {"TRANSFER", "EMPTY", 17, 0},  {"DESCRIBE", "METADATA", 18, 0},
    {"WEIGHT", "EMPTY", 19, 0},    {"HEARTBEAT", NULL, 2, 0},
    {"CONNECT", NULL, 11, 0},
};

static const struct {
  const char *name;
  uint8_t number, schema;
} known_responses[] = {
    {"FAILURE", 0, 0}, {"SERVER", 1, 0}, {"WELCOME", 2, 0},
    {"SERVERS", 3, 0}, {"DB", 4, 0},     {"STMT", 5, 0},
    {"STMT", 5, 1},    {"RESULT", 6, 0}, {"ROWS", 7, 0},
    {"EMPTY", 8, 0},   {"FILES", 9, 0},  {"METADATA", 10, 0},
};

static size_t count_layouts(enum dqc_direction direction)
{
  const struct dqc_layout *layout = dqc_layouts(direction);
  size_t n = 0;
  while (layout[n].name) n++;
  return n;
}

static void test_requests(void)
{
  size_t count = sizeof known_requests / sizeof *known_requests;
  CHECK_EQ(count_layouts(DQC_TO_SERVER), count);
  for (size_t i = 0; i < count; i++) {
    const char *answer = known_requests[i].answer;
    const struct dqc_layout *layout =
        dqc_layout_named(known_requests[i].name, known_requests[i].schema);
    check_about(known_requests[i].name);
    CHECK_EQ(layout->number, known_requests[i].number);
    CHECK(layout == dqc_layout_of(DQC_TO_SERVER, layout->number,
                                  known_requests[i].schema));
    if (!answer) continue;
    CHECK_EQ(layout->answer, dqc_layout_named(answer, 0)->number);
  }
  check_about(NULL);
}

static void test_responses(void)
{
  size_t count = sizeof known_responses / sizeof *known_responses;
  CHECK_EQ(count_layouts(DQC_TO_CLIENT), count);
  for (size_t i = 0; i < count; i++) {
    const struct dqc_layout *layout =
        dqc_layout_named(known_responses[i].name, known_responses[i].schema);
    check_about(known_responses[i].name);
    CHECK_EQ(layout->number, known_responses[i].number);
    CHECK_EQ(layout->answer, DQC_RESPONSE_NONE);
    CHECK(layout == dqc_layout_of(DQC_TO_CLIENT, layout->number,
                                  known_responses[i].schema));
  }
  check_about(NULL);
}

static void test_unknown(void)
{
  CHECK(dqc_layout_of(DQC_TO_SERVER, 20, 0) == NULL);
  CHECK(dqc_layout_of(DQC_TO_SERVER, 0, 1) == NULL);
  CHECK(dqc_layout_of(DQC_TO_SERVER, 5, 2) == NULL);
  CHECK(dqc_layout_of(DQC_TO_CLIENT, 11, 0) == NULL);
  CHECK(dqc_layout_of(DQC_TO_CLIENT, 7, 1) == NULL);
  CHECK(dqc_layout_of(DQC_TO_CLIENT, 255, 0) == NULL);
  CHECK(dqc_layout_named("leader", 0) == NULL);
  CHECK(dqc_layout_named("", 0) == NULL);
  CHECK(dqc_layout_named("EXEC", 2) == NULL);
}

/* A message goes behind what is in the buffer; one that fails leaves the
 * buffer as it was. */
static void check_append(const struct dqc_message *message, size_t max,
                         int expected, size_t added)
{
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_buf_append(&out, "before", 6), DQC_DONE);
  CHECK_EQ(dqc_message_encode(&out, message, max), expected);
  CHECK_EQ(dqc_buf_len(&out), 6 + added);
  CHECK(memcmp(dqc_buf_view(&out).ptr, "before", 6) == 0);
  dqc_buf_free(&out);
}

static void test_limits(void)
{
  struct dqc_message message = make_sql("EXEC_SQL", "SELECT 1");
  check_append(&message, 24, DQC_DONE, 32);
  check_append(&message, 23, DQC_ETOOBIG, 0);
  check_append(&message, 0, DQC_ETOOBIG, 0);
}

static void test_bad_values(void)
{
  struct dqc_value values[2] = {make_integer(1), make_integer(2)};
  struct dqc_message message = make_sql("EXEC_SQL", "SELECT ?,?");
  message.fields[2].values = values;
  message.fields[2].count = 2;
  check_append(&message, 1024, DQC_DONE, 8 + 8 + 16 + 8 + 16);
  values[1].type = 7;
  check_append(&message, 1024, DQC_EVALUE, 0);
  values[1] = make_text("");
  values[1].as.bytes = bytes_from("a\0b", 3);
  check_append(&message, 1024, DQC_EVALUE, 0);
  values[1] = make_blob("", DQC_VALUE_MAX + 1);
  check_append(&message, 1024, DQC_ETOOBIG, 0);
  message.fields[1].bytes = bytes_from("SELECT\0 1", 9);
  check_append(&message, 1024, DQC_EVALUE, 0);
}

static void check_refused(const char *name, size_t field, uint64_t word,
                          int refused)
{
  struct dqc_message message = make_request(name);
  check_about(name);
  message.fields[field].word = word;
  CHECK_EQ(dqc_message_refusal(&message) != NULL, refused);
  if (refused) check_append(&message, 1024, DQC_EVALUE, 0);
  check_about(NULL);
}

static void test_refusals(void)
{
  check_refused("DESCRIBE", 0, 0, 0);
  check_refused("DESCRIBE", 0, 1, 1);
  check_refused("DESCRIBE", 0, UINT64_MAX, 1);
  check_refused("ADD", 0, 0, 1);
  check_refused("ADD", 0, UINT64_MAX, 0);
  check_refused("ASSIGN", 1, 2, 0);
  check_refused("ASSIGN", 1, 3, 1);
  check_refused("ASSIGN", 1, UINT64_MAX, 1);
  /* Numbers 12, 13 and 18 mean something in requests only. */
  check_refused("FAILURE", 0, 0, 0);
}

/* Content that is no whole number of words would shift what follows. */
static void test_files(void)
{
  struct dqc_value values[2] = {make_text("a.db"), make_blob("12345678", 8)};
  struct dqc_message message = make_message("FILES", 0);
  message.fields[0].values = values;
  message.fields[0].count = 1;
  check_append(&message, 1024, DQC_DONE, 8 + 8 + 8 + 8 + 8);
  values[1].as.bytes.len = 7;
  check_append(&message, 1024, DQC_EVALUE, 0);
}

/* What follows a request's last field is ignored, as servers do; what
 * follows a response's is not the protocol. */
static void test_trailing(void)
{
  static const uint8_t two_words[16];
  struct dqc_message message;
  struct dqc_frame frame = {DQC_REQUEST_FINALIZE, 0, 0,
                            bytes_from(two_words, sizeof two_words)};
  CHECK_EQ(dqc_message_decode(&frame, DQC_TO_SERVER, &message), DQC_DONE);
  CHECK_TEXT(message.layout->name, "FINALIZE");
  frame.type = DQC_RESPONSE_EMPTY;
  CHECK_EQ(dqc_message_decode(&frame, DQC_TO_CLIENT, &message), DQC_EPROTO);
  frame.body.len = 8;
  CHECK_EQ(dqc_message_decode(&frame, DQC_TO_CLIENT, &message), DQC_DONE);
}

/* An absent role is PROMOTE; 0 is the same role, but said. */
static void test_role(void)
{
  static const uint8_t words[] = {3, 0, 0, 0, 0, 0, 0, 0,
                                  0, 0, 0, 0, 0, 0, 0, 0};
  struct dqc_message message;
  struct dqc_frame frame = {DQC_REQUEST_ASSIGN, 0, 0, bytes_from(words, 8)};
  CHECK_EQ(dqc_message_decode(&frame, DQC_TO_SERVER, &message), DQC_DONE);
  CHECK_EQ(message.fields[0].word, 3);
  CHECK_EQ(message.fields[1].absent, 1);
  check_append(&message, 1024, DQC_DONE, 16);
  frame.body.len = 16;
  CHECK_EQ(dqc_message_decode(&frame, DQC_TO_SERVER, &message), DQC_DONE);
  CHECK_EQ(message.fields[1].absent, 0);
  check_append(&message, 1024, DQC_DONE, 24);
}

static void test_counts(void)
{
  static const uint8_t words[24] = {2};
  struct dqc_bytes input = bytes_from(words, 24);
  size_t count;
  CHECK_EQ(dqc_take_count(&input, 8, &count), DQC_DONE);
  CHECK_EQ(count, 2);
  CHECK_EQ(input.len, 16);
  input = bytes_from(words, 24);
  CHECK_EQ(dqc_take_count(&input, 9, &count), DQC_EPROTO);
  CHECK_EQ(count, 0);
  input = bytes_from(words, 7);
  CHECK_EQ(dqc_take_count(&input, 8, &count), DQC_EPROTO);
  CHECK_EQ(count, 0);
}

/* A file whose size is beyond what is left has no content. */
static void test_take_file(void)
{
  static const uint8_t bytes[] = {'a', 0,   0,   0,   0,   0,   0,   0,
                                  9,   0,   0,   0,   0,   0,   0,   0,
                                  'c', 'o', 'n', 't', 'e', 'n', 't', '.'};
  struct dqc_bytes input = bytes_from(bytes, sizeof bytes), name, content;
  CHECK_EQ(dqc_take_file(&input, &name, &content), DQC_EPROTO);
  CHECK(content.ptr == NULL && content.len == 0);
  input = bytes_from(bytes, 8);
  CHECK_EQ(dqc_take_file(&input, &name, &content), DQC_EPROTO);
  input = bytes_from(bytes + 16, 8);
  CHECK_EQ(dqc_take_file(&input, &name, &content), DQC_EPROTO);
}

/* No byte of it is zero: the search for the code ends at the body's start,
 * which here is the start of the memory. */
static void test_failure_without_zeros(void)
{
  struct dqc_message message;
  uint8_t *body = malloc(16);
  if (!body) check_fatal("out of memory");
  memset(body, 'a', 16);
  struct dqc_frame frame = {DQC_RESPONSE_FAILURE, 0, 0, bytes_from(body, 16)};
  CHECK_EQ(dqc_message_decode(&frame, DQC_TO_CLIENT, &message), DQC_EPROTO);
  body[15] = 0;
  CHECK_EQ(dqc_message_decode(&frame, DQC_TO_CLIENT, &message), DQC_DONE);
  CHECK(message.fields[0].word == UINT64_C(0x6161616161616161));
  CHECK_BYTES(message.fields[1].bytes, bytes_of("aaaaaaa"));
  free(body);
}

int main(void)
{
  test_requests();
  test_responses();
  test_unknown();
  test_limits();
  test_bad_values();
  test_refusals();
  test_files();
  test_trailing();
  test_role();
  test_counts();
  test_take_file();
  test_failure_without_zeros();
  return check_done();
}
