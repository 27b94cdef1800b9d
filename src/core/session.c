#include "core/session.h"

#include "core/le.h"
#include "core/status.h"

/* One entry of the queue. */
struct expected {
  uint64_t end; /* of the request, in bytes from the first one's begin */
  uint8_t request;
  uint8_t answer;
  uint8_t roles;
  uint8_t dropped; /* nobody waits for the answer */
};

/* What is nudged out, byte by byte: a request of its own, whose one word the
 * server ignores (protocol.md 1.6). To begin the next request instead would
 * promise its size before it is known: it had to be padded to that size, could
 * not be larger, and the four bytes of the size were all there is to give.
 * This one is known, can be completed at any time, and another one follows. */
static const uint8_t LEADER[16] = {1, 0, 0, 0, DQC_REQUEST_LEADER};

/* A read takes at least this much, and of a large frame at most that much
 * more: memory grows with what has arrived, not with what was announced. */
#define READ_LEAST ((size_t)16 * 1024)
#define READ_MOST ((size_t)256 * 1024)

/* Behind a read that has filled its room there is more: the next ones take up
 * to this much, with what is left of a frame. */
#define READ_FULL ((size_t)64 * 1024)

#define DATABASE_MAX 504

void dqc_session_init(struct dqc_session *session, struct dqc_alloc alloc,
                      size_t max_message)
{
  memset(session, 0, sizeof *session);
  dqc_buf_init(&session->in, alloc);
  dqc_buf_init(&session->out, alloc);
  dqc_buf_init(&session->queue, alloc);
  dqc_buf_init(&session->names, alloc);
  session->max_message = max_message;
}

void dqc_session_free(struct dqc_session *session)
{
  dqc_buf_free(&session->in);
  dqc_buf_free(&session->out);
  dqc_buf_free(&session->queue);
  dqc_buf_free(&session->names);
  session->owed = 0;
  session->nudged = 0;
}

void dqc_session_resume(struct dqc_session *session)
{
  session->greeted = 1;
}

void dqc_session_fail(struct dqc_session *session, int status,
                      const char *reason)
{
  if (session->status) return;
  session->status = status;
  session->reason = reason;
}

static int fail(struct dqc_session *session, int status, const char *reason)
{
  dqc_session_fail(session, status, reason);
  return session->status;
}

size_t dqc_session_owed(const struct dqc_session *session)
{
  return session->owed;
}

size_t dqc_session_outstanding(const struct dqc_session *session)
{
  size_t all = dqc_buf_len(&session->queue) / sizeof(struct expected);
  return all - session->owed;
}

int dqc_session_awaits(const struct dqc_session *session)
{
  struct expected expected;
  struct dqc_bytes queue = dqc_buf_view(&session->queue);
  for (; queue.len;
       queue.ptr += sizeof expected, queue.len -= sizeof expected) {
    memcpy(&expected, queue.ptr, sizeof expected);
    if (expected.dropped) continue;
    return expected.end + dqc_buf_len(&session->out) <= session->encoded;
  }
  return 0;
}

/* ---- requests ---- */

static int is_text(struct dqc_bytes name, const char *text)
{
  return name.len == strlen(text) && memcmp(name.ptr, text, name.len) == 0;
}

static int begins_with(struct dqc_bytes name, const char *text)
{
  size_t len = strlen(text);
  return name.len >= len && memcmp(name.ptr, text, len) == 0;
}

static int ends_with(struct dqc_bytes name, const char *text)
{
  size_t len = strlen(text);
  return name.len >= len && memcmp(name.ptr + name.len - len, text, len) == 0;
}

const char *dqc_database_refusal(struct dqc_bytes name)
{
  if (name.len == 0) return "a database name cannot be empty";
  if (name.len > DATABASE_MAX) return "a database name has 504 bytes at most";
  if (memchr(name.ptr, 0, name.len)) {
    return "a database name cannot hold a NUL";
  }
  if (is_text(name, ":memory:")) {
    return "a database cannot be named ':memory:'";
  }
  if (begins_with(name, "file:")) {
    return "a database name cannot be a 'file:' URI";
  }
  /* SQLite's own files beside the database that the name would begin with:
   * a server that has that database closes the connection. */
  if (ends_with(name, "-wal") || ends_with(name, "-journal")) {
    return "a database name cannot end in '-wal' or '-journal'";
  }
  return NULL;
}

const char *dqc_session_refusal(const struct dqc_message *message)
{
  const struct dqc_layout *l = message->layout;
  if (l->answer == DQC_RESPONSE_NONE) return "a response cannot be sent";
  switch (l->number) {
  case DQC_REQUEST_HEARTBEAT: return "HEARTBEAT is never answered";
  case DQC_REQUEST_CONNECT: return "CONNECT is for servers among themselves";
  case DQC_REQUEST_OPEN: return dqc_database_refusal(message->fields[0].bytes);
  default: return dqc_message_refusal(message);
  }
}

/* Bytes that came without a request for them would be taken for the answer to
 * the next one. `begun`: of the queue, what is not asked for yet. */
static int check_quiet(struct dqc_session *session, size_t begun)
{
  if (dqc_buf_len(&session->queue) > begun) return DQC_DONE;
  if (dqc_buf_len(&session->in) == session->current) return DQC_DONE;
  return fail(session, DQC_EPROTO, "a reply that nothing was asked for");
}

/* The rest of the LEADER that was begun. */
static int put_rest(struct dqc_session *session)
{
  int rc = check_quiet(session, sizeof(struct expected));
  if (rc) return rc;
  return dqc_buf_append(&session->out, LEADER + session->nudged,
                        sizeof LEADER - session->nudged);
}

static int put_request(struct dqc_session *session,
                       const struct dqc_message *message)
{
  int rc = DQC_DONE;
  if (!session->greeted) rc = dqc_put_u64(&session->out, DQC_VERSION);
  if (session->nudged) rc = put_rest(session);
  if (rc) return rc;
  return dqc_message_encode(&session->out, message, session->max_message);
}

int dqc_session_send(struct dqc_session *session,
                     const struct dqc_message *message)
{
  const struct dqc_layout *l = message->layout;
  struct expected expected = {0, l->number, l->answer, 0, 0};
  size_t before = dqc_buf_len(&session->out);
  uint8_t *room;
  if (session->status) return session->status;
  if (dqc_session_refusal(message)) return DQC_EVALUE;
  int rc = check_quiet(session, 0);
  if (rc) return rc;
  rc = dqc_buf_reserve(&session->queue, sizeof expected, &room);
  if (rc) return rc;
  rc = put_request(session, message);
  if (rc) {
    dqc_buf_truncate(&session->out, before);
    return rc;
  }
  session->greeted = 1;
  session->nudged = 0;
  session->encoded += dqc_buf_len(&session->out) - before;
  expected.end = session->encoded;
  if (l->number == DQC_REQUEST_CLUSTER) {
    expected.roles = message->fields[0].word != 0;
  }
  memcpy(room, &expected, sizeof expected);
  dqc_buf_commit(&session->queue, sizeof expected);
  return DQC_DONE;
}

struct dqc_bytes dqc_session_pending(const struct dqc_session *session)
{
  return dqc_buf_view(&session->out);
}

void dqc_session_sent(struct dqc_session *session, size_t n)
{
  dqc_buf_consume(&session->out, n);
}

/* ---- nudges ---- */

struct dqc_bytes dqc_session_nudge(struct dqc_session *session)
{
  struct dqc_bytes none = {NULL, 0}, byte = {LEADER + session->nudged, 1};
  uint8_t *room;
  if (session->status || dqc_buf_len(&session->out)) return none;
  if (dqc_session_outstanding(session) == 0) return none;
  if (session->nudged) return byte;
  int rc = dqc_buf_reserve(&session->queue, sizeof(struct expected), &room);
  return rc ? none : byte;
}

void dqc_session_nudged(struct dqc_session *session)
{
  struct expected expected = {session->encoded + sizeof LEADER,
                              DQC_REQUEST_LEADER, DQC_RESPONSE_SERVER, 0, 1};
  if (session->nudged == 0) {
    /* in the room that was reserved for it */
    dqc_buf_append(&session->queue, &expected, sizeof expected);
    session->owed++;
  }
  session->nudged = (session->nudged + 1) % sizeof LEADER;
  session->encoded++;
}

int dqc_session_settle(struct dqc_session *session)
{
  size_t before = dqc_buf_len(&session->out);
  if (session->status) return session->status;
  if (!session->nudged) return DQC_DONE;
  int rc = put_rest(session);
  if (rc) return rc;
  session->nudged = 0;
  session->encoded += dqc_buf_len(&session->out) - before;
  return DQC_DONE;
}

/* ---- input ---- */

/* How much to read at least. `input` is what there is of the next frame. */
static size_t wanted(const struct dqc_session *session, struct dqc_bytes input)
{
  struct dqc_frame frame;
  size_t need, want = READ_LEAST;
  int filled = session->in.size > 0 && dqc_buf_room(&session->in) == 0;
  if (filled && dqc_buf_len(&session->in) + want < READ_FULL) {
    want = READ_FULL - dqc_buf_len(&session->in);
  }
  if (dqc_frame_next(input, session->max_message, &frame, &need) ==
          DQC_WANT_READ &&
      need - input.len > want) {
    want = need - input.len < READ_MOST ? need - input.len : READ_MOST;
  }
  return want;
}

int dqc_session_room(struct dqc_session *session, uint8_t **room, size_t *size)
{
  struct dqc_bytes input = dqc_buf_view(&session->in);
  *size = 0;
  if (session->current) input.ptr += session->current;
  input.len -= session->current;
  int rc = dqc_buf_reserve(&session->in, wanted(session, input), room);
  if (!rc) *size = dqc_buf_room(&session->in);
  return rc;
}

void dqc_session_received(struct dqc_session *session, size_t n)
{
  dqc_buf_commit(&session->in, n);
}

int dqc_session_feed(struct dqc_session *session, struct dqc_bytes bytes)
{
  if (session->status) return session->status;
  return dqc_buf_append(&session->in, bytes.ptr, bytes.len);
}

/* ---- replies ---- */

static int next_frame(struct dqc_session *session, struct dqc_frame *frame)
{
  size_t need;
  dqc_buf_consume(&session->in, session->current);
  session->current = 0;
  int rc = dqc_frame_next(dqc_buf_view(&session->in), session->max_message,
                          frame, &need);
  switch (rc) {
  case DQC_DONE: session->current = need; return DQC_DONE;
  case DQC_WANT_READ: return DQC_WANT_READ;
  case DQC_ETOOBIG:
    return fail(session, rc, "a frame larger than max_message_size");
  default: return fail(session, rc, "a frame without a body");
  }
}

/* Every frame of a result repeats its columns. */
static int check_columns(struct dqc_session *session,
                         const struct dqc_rows *rows)
{
  if (session->in_result) {
    if (rows->columns != session->columns ||
        !dqc_rows_same_names(dqc_buf_view(&session->names), rows->names,
                             rows->columns)) {
      return fail(session, DQC_EPROTO, "columns that change within a result");
    }
    return DQC_DONE;
  }
  if (!rows->more) return DQC_DONE;
  dqc_buf_consume(&session->names, dqc_buf_len(&session->names));
  session->columns = rows->columns;
  int rc = dqc_buf_append(&session->names, rows->names.ptr, rows->names.len);
  return rc ? fail(session, rc, "out of memory") : DQC_DONE;
}

static int pair(struct dqc_session *session, const struct dqc_frame *frame,
                struct expected *expected)
{
  struct dqc_bytes queue = dqc_buf_view(&session->queue);
  if (queue.len == 0) {
    return fail(session, DQC_EPROTO, "a reply that nothing was asked for");
  }
  memcpy(expected, queue.ptr, sizeof *expected);
  if (expected->end > session->encoded) {
    return fail(session, DQC_EPROTO, "a reply to a part of a request");
  }
  if (frame->type == expected->answer || frame->type == DQC_RESPONSE_FAILURE) {
    return DQC_DONE;
  }
  return fail(session, DQC_EPROTO, "a reply of another kind than asked for");
}

static int decode(struct dqc_session *session, const struct dqc_frame *frame,
                  struct dqc_reply *reply)
{
  int rc = dqc_message_decode(frame, DQC_TO_CLIENT, &reply->message);
  if (rc) return fail(session, rc, "a reply that cannot be read");
  reply->last = 1;
  if (frame->type != DQC_RESPONSE_ROWS) return DQC_DONE;
  const struct dqc_rows *rows = &reply->message.fields[0].rows;
  reply->last = !rows->more;
  return check_columns(session, rows);
}

static int next_reply(struct dqc_session *session, struct dqc_reply *reply,
                      struct expected *expected)
{
  struct dqc_frame frame;
  int rc = next_frame(session, &frame);
  if (!rc) rc = pair(session, &frame, expected);
  if (!rc) rc = decode(session, &frame, reply);
  if (rc) return rc;
  session->in_result = !reply->last;
  if (reply->last) dqc_buf_consume(&session->queue, sizeof *expected);
  return DQC_DONE;
}

int dqc_session_next(struct dqc_session *session, struct dqc_reply *reply)
{
  struct expected expected;
  if (session->status) return session->status;
  for (;;) {
    int rc = next_reply(session, reply, &expected);
    if (rc) return rc;
    if (!expected.dropped) break;
    session->owed--;
  }
  reply->request = expected.request;
  reply->roles = expected.roles;
  return DQC_DONE;
}

int dqc_session_has(const struct dqc_session *session, uint8_t type)
{
  struct dqc_frame frame;
  size_t need;
  struct dqc_bytes input = dqc_buf_view(&session->in);
  if (session->status) return 0;
  if (session->current) input.ptr += session->current;
  input.len -= session->current;
  return dqc_frame_next(input, session->max_message, &frame, &need) ==
             DQC_DONE &&
         frame.type == type;
}
