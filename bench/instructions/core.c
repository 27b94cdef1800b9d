/* core WHAT N: does one thing of the core N times, for callgrind to count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/session.h"
#include "core/sql.h"

#define TEXT "INSERT INTO point (id, name, score) VALUES (?, ?, :score)"
#define ROWS 46 /* of six columns: what a server puts into a frame */
#define COLUMNS 6

static void check(int status)
{
  if (status == 0) return;
  fprintf(stderr, "core: status %d\n", status);
  exit(1);
}

static struct dqc_bytes bytes_of(const char *text)
{
  struct dqc_bytes bytes = {(const uint8_t *)text, strlen(text)};
  return bytes;
}

static struct dqc_value value(uint8_t type, const char *text)
{
  struct dqc_value v;
  memset(&v, 0, sizeof v);
  v.type = type;
  if (text) v.as.bytes = bytes_of(text);
  return v;
}

static void scan(long n)
{
  struct dqc_sql sql;
  dqc_sql_init(&sql, dqc_alloc_default);
  while (n--) check(dqc_sql_scan(&sql, bytes_of(TEXT)));
  dqc_sql_free(&sql);
}

static struct dqc_session new_session(void)
{
  struct dqc_session session;
  dqc_session_init(&session, dqc_alloc_default, 1 << 20);
  return session;
}

static void send_sql(struct dqc_session *session, uint8_t request)
{
  struct dqc_message message;
  struct dqc_value values[3] = {value(DQC_INTEGER, NULL),
                                value(DQC_TEXT, "user 000001"),
                                value(DQC_FLOAT, NULL)};
  memset(&message, 0, sizeof message);
  message.layout = dqc_layout_of(DQC_TO_SERVER, request, 0);
  message.fields[1].bytes = bytes_of(TEXT);
  message.fields[2].values = values;
  message.fields[2].count = 3;
  check(dqc_session_send(session, &message));
  dqc_session_sent(session, dqc_session_pending(session).len);
}

/* Answers, so that the queue of what is expected does not grow. */
static void encode(long n)
{
  static const uint8_t result[24] = {2, 0, 0, 0, DQC_RESPONSE_RESULT};
  struct dqc_session session = new_session();
  struct dqc_bytes answer = {result, sizeof result};
  struct dqc_reply reply;
  while (n--) {
    send_sql(&session, DQC_REQUEST_EXEC_SQL);
    check(dqc_session_feed(&session, answer));
    check(dqc_session_next(&session, &reply));
  }
  dqc_session_free(&session);
}

static struct dqc_bytes rows_frame(struct dqc_buf *out)
{
  static struct dqc_value values[(ROWS + 1) * COLUMNS];
  struct dqc_message message;
  for (int i = 0; i < COLUMNS; i++) values[i] = value(DQC_TEXT, "column");
  for (int i = 1; i <= ROWS; i++) {
    struct dqc_value *row = values + i * COLUMNS;
    row[0] = row[3] = value(DQC_INTEGER, NULL);
    row[1] = value(DQC_TEXT, "row 0000001");
    row[2] = value(DQC_FLOAT, NULL);
    row[4] = value(DQC_BLOB, "0123456789abcdef");
    row[5] = value(DQC_TEXT, "note no. 1");
  }
  memset(&message, 0, sizeof message);
  message.layout = dqc_layout_of(DQC_TO_CLIENT, DQC_RESPONSE_ROWS, 0);
  message.fields[0].values = values;
  message.fields[0].columns = COLUMNS;
  message.fields[0].count = ROWS;
  check(dqc_message_encode(out, &message, 1 << 20));
  return dqc_buf_view(out);
}

static size_t read_rows(struct dqc_rows *rows)
{
  struct dqc_tuple tuple;
  struct dqc_value v;
  size_t count = 0;
  for (; rows->rows.len; count++) {
    check(dqc_row_begin(&tuple, rows->rows, rows->columns));
    while (tuple.next < tuple.count) check(dqc_tuple_next(&tuple, &v));
    dqc_rows_commit(rows, &tuple);
  }
  return count;
}

/* n rows, a frame at a time */
static void decode(long n)
{
  struct dqc_session session = new_session();
  struct dqc_buf out;
  struct dqc_reply reply;
  dqc_buf_init(&out, dqc_alloc_default);
  struct dqc_bytes frame = rows_frame(&out);
  while (n > 0) {
    send_sql(&session, DQC_REQUEST_QUERY_SQL);
    check(dqc_session_feed(&session, frame));
    check(dqc_session_next(&session, &reply));
    n -= (long)read_rows(&reply.message.fields[0].rows);
  }
  dqc_buf_free(&out);
  dqc_session_free(&session);
}

int main(int argc, char **argv)
{
  long n = argc > 2 ? atol(argv[2]) : 0;
  if (n > 0 && strcmp(argv[1], "scan") == 0) {
    scan(n);
  } else if (n > 0 && strcmp(argv[1], "encode") == 0) {
    encode(n);
  } else if (n > 0 && strcmp(argv[1], "decode") == 0) {
    decode(n);
  } else {
    fprintf(stderr, "usage: core scan|encode|decode N\n");
    return 1;
  }
  return 0;
}
