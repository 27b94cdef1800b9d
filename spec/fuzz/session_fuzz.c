/* A session: the same bytes give the same replies and the same end, however
 * they are cut, whether they are appended or read into the session's own room,
 * and whenever its requests were sent. One that ended stays so. What it writes
 * is whole requests, with the bytes that were nudged out in between.
 *
 * Input: how many requests are sent, and the number of each; how many cuts
 * there are, and the distance of each from the one before; the exponent of
 * the limit; then the stream that a server sends. */
#include "core/session.h"

#include <string.h>

#include "core/status.h"
#include "fuzz.h"
#include "support/dump.h"
#include "support/make.h"
#include "support/talk.h"

#define REQUESTS_MAX 15
#define CUTS_MAX 31
/* Of the numbers of requests: to nudge 1 to 16 bytes out, to settle. */
#define NUDGE_FIRST 224
#define SETTLE_FIRST 240
#define SETTLE_LAST 247

#define MEMORY_MORE ((size_t)1024 * 1024)

struct plan {
  uint8_t requests[REQUESTS_MAX];
  size_t request_count;
  uint8_t cuts[CUTS_MAX];
  size_t cut_count;
  size_t max_message;
  struct dqc_bytes stream;
};

/* How the bytes come; whether all do before replies are asked for; when the
 * requests are sent. */
enum way { IN_ONE, APPENDED, READ, APPENDED_ALL, READ_ALL, SENT_LATE };

struct run {
  const struct plan *plan;
  enum way way;
  struct dqc_session session;
  size_t sent; /* of the requests; some were refused */
  struct text written; /* what has left */
  struct text log;
  struct text names; /* of the columns of a result that is not over */
  int rc;
};

static void read_list(struct dqc_bytes *input, uint8_t *list, size_t *count,
                      size_t max)
{
  *count = fuzz_byte(input) % (max + 1);
  for (size_t i = 0; i < *count; i++) list[i] = fuzz_byte(input);
}

static void read_plan(struct dqc_bytes *input, struct plan *plan)
{
  read_list(input, plan->requests, &plan->request_count, REQUESTS_MAX);
  read_list(input, plan->cuts, &plan->cut_count, CUTS_MAX);
  plan->max_message = ((size_t)1 << fuzz_byte(input) % 31) - 1;
}

/* ---- requests ---- */

/* A number is a place in the table; 255 asks for servers with roles. */
static struct dqc_message request_of(uint8_t number)
{
  const struct dqc_layout *layouts = dqc_layouts(DQC_TO_SERVER);
  size_t count = 0;
  while (layouts[count].name) count++;
  if (number == 255) {
    struct dqc_message cluster = make_request("CLUSTER");
    cluster.fields[0].word = 1;
    return cluster;
  }
  const struct dqc_layout *layout = &layouts[number % count];
  struct dqc_message message = make_message(layout->name, layout->schema);
  if (layout->number == DQC_REQUEST_OPEN) message = make_request("OPEN");
  if (layout->number == DQC_REQUEST_ADD) message = make_request("ADD");
  return message;
}

static void send_request(struct dqc_session *session, uint8_t number)
{
  struct dqc_message message = request_of(number);
  size_t pending = dqc_session_pending(session).len;
  size_t outstanding = dqc_session_outstanding(session);
  int rc = dqc_session_send(session, &message);
  if (dqc_session_refusal(&message)) HOLDS(rc == DQC_EVALUE);
  if (rc == DQC_DONE) {
    HOLDS(dqc_session_outstanding(session) == outstanding + 1);
    HOLDS(dqc_session_pending(session).len > pending);
  } else {
    HOLDS(rc == DQC_EVALUE || rc == DQC_ETOOBIG);
    HOLDS(dqc_session_outstanding(session) == outstanding);
    HOLDS(dqc_session_pending(session).len == pending);
  }
}

static void check_awaits(const struct dqc_session *session, int before)
{
  int awaits = dqc_session_awaits(session);
  if (dqc_session_outstanding(session) == 0) {
    HOLDS(!awaits);
  } else if (dqc_session_pending(session).len == 0) {
    HOLDS(awaits);
  }
  HOLDS(awaits || !before);
}

/* Some of what is pending leaves, the end of a request or not. */
static void let_leave(struct run *run, uint8_t share)
{
  struct dqc_session *session = &run->session;
  int before = dqc_session_awaits(session);
  struct dqc_bytes pending = dqc_session_pending(session);
  pending.len = pending.len * share / UINT8_MAX;
  text_add_bytes(&run->written, pending);
  dqc_session_sent(session, pending.len);
  check_awaits(session, before);
}

static void nudge(struct run *run, size_t n)
{
  struct dqc_session *session = &run->session;
  size_t outstanding = dqc_session_outstanding(session);
  size_t most = dqc_session_owed(session) + 1;
  let_leave(run, UINT8_MAX);
  while (n-- > 0) {
    struct dqc_bytes byte = dqc_session_nudge(session);
    HOLDS(byte.len == (outstanding ? 1 : 0));
    if (byte.len == 0) return;
    text_add_bytes(&run->written, byte);
    dqc_session_nudged(session);
    HOLDS(dqc_session_outstanding(session) == outstanding);
    HOLDS(dqc_session_pending(session).len == 0);
  }
  HOLDS(dqc_session_owed(session) <= most);
  check_awaits(session, 1);
}

static void settle(struct run *run)
{
  struct dqc_session *session = &run->session;
  size_t outstanding = dqc_session_outstanding(session);
  size_t owed = dqc_session_owed(session);
  HOLDS(dqc_session_settle(session) == session->status);
  HOLDS(dqc_session_outstanding(session) == outstanding);
  HOLDS(dqc_session_owed(session) == owed);
}

static void act(struct run *run, uint8_t number)
{
  if (number >= NUDGE_FIRST && number < SETTLE_FIRST) {
    nudge(run, (size_t)number - NUDGE_FIRST + 1);
  } else if (number >= SETTLE_FIRST && number <= SETTLE_LAST) {
    settle(run);
  } else {
    send_request(&run->session, number);
    let_leave(run, number);
  }
}

/* All at the start; or no earlier than they must: a session whose requests
 * are all answered takes what comes then for unasked. */
static void send_requests(struct run *run)
{
  struct dqc_session *session = &run->session;
  while (run->sent < run->plan->request_count && !session->status) {
    if (run->way == SENT_LATE && dqc_session_outstanding(session) > 1) return;
    act(run, run->plan->requests[run->sent++]);
  }
}

/* ---- replies ---- */

static void list_names(const struct dqc_rows *rows, struct text *list)
{
  struct dqc_bytes names = rows->names, name;
  text_add(list, "%zu", rows->columns);
  while (names.len) {
    HOLDS(!dqc_take_text(&names, &name));
    text_add(list, " %zu ", name.len);
    text_add_bytes(list, name);
  }
}

/* All frames of a result have the same columns. */
static void check_columns(struct run *run, const struct dqc_reply *reply)
{
  struct text names;
  text_init(&names);
  if (reply->message.layout->number == DQC_RESPONSE_ROWS) {
    list_names(&reply->message.fields[0].rows, &names);
    HOLDS(run->names.len == 0 || fuzz_same_text(&names, &run->names));
  }
  text_free(&run->names);
  if (reply->last) {
    text_free(&names);
  } else {
    run->names = names;
  }
}

static int next_reply(struct run *run)
{
  struct dqc_reply reply;
  struct dqc_session *session = &run->session;
  size_t left = dqc_session_outstanding(session);
  size_t owed = dqc_session_owed(session);
  int rc = dqc_session_next(session, &reply);
  HOLDS(rc == DQC_WANT_READ || rc == session->status);
  if (rc) return rc;
  HOLDS(left > 0);
  HOLDS(dqc_session_owed(session) <= owed);
  HOLDS(dqc_session_outstanding(session) == left - (reply.last ? 1 : 0));
  check_awaits(session, 0);
  check_columns(run, &reply);
  text_add(&run->log, "%d %d %d ", reply.request, reply.roles, reply.last);
  rc = dump_message(&reply.message, reply.roles, &run->log);
  text_add(&run->log, " %d\n", rc);
  return DQC_DONE;
}

static void read_replies(struct run *run)
{
  do {
    run->rc = next_reply(run);
    send_requests(run);
  } while (run->rc == DQC_DONE);
}

/* ---- a conversation ---- */

static void put_piece(struct run *run, struct dqc_bytes piece)
{
  struct dqc_session *session = &run->session;
  int reads = run->way == READ || run->way == READ_ALL;
  while (reads && piece.len && !session->status) {
    size_t before = piece.len;
    HOLDS(!talk_read(session, &piece, piece.len));
    HOLDS(piece.len < before);
  }
  if (!reads) {
    HOLDS(dqc_session_feed(session, piece) == session->status);
  }
  if (run->way == APPENDED_ALL || run->way == READ_ALL) return;
  read_replies(run);
}

static void put_pieces(struct run *run)
{
  const struct plan *plan = run->plan;
  struct dqc_bytes rest = plan->stream;
  for (size_t i = 0; i < plan->cut_count && run->way != IN_ONE; i++) {
    struct dqc_bytes piece = {rest.ptr, plan->cuts[i]};
    if (piece.len > rest.len) piece.len = rest.len;
    put_piece(run, piece);
    rest.ptr += piece.len;
    rest.len -= piece.len;
  }
  put_piece(run, rest);
  read_replies(run);
}

/* The version, whole requests, and the beginning of a LEADER. */
static void check_written(struct run *run)
{
  struct dqc_frame frame;
  size_t need;
  struct text all;
  text_init(&all);
  text_add_bytes(&all, bytes_from(run->written.s, run->written.len));
  text_add_bytes(&all, dqc_session_pending(&run->session));
  struct dqc_bytes rest = bytes_from(all.s, all.len);
  HOLDS((rest.len > 0) == run->session.greeted);
  if (rest.len) rest = bytes_from(rest.ptr + 8, rest.len - 8);
  while (!dqc_frame_next(rest, DQC_FRAME_MAX, &frame, &need)) {
    HOLDS(dqc_layout_of(DQC_TO_SERVER, frame.type, frame.schema));
    rest = bytes_from(rest.ptr + need, rest.len - need);
  }
  HOLDS(rest.len == run->session.nudged && rest.len < 16);
  for (size_t i = 0; i < rest.len; i++) HOLDS(rest.ptr[i] == (i == 0));
  text_free(&all);
}

static void converse(struct run *run, enum way way, const struct plan *plan)
{
  memset(run, 0, sizeof *run);
  run->plan = plan;
  run->way = way;
  dqc_session_init(&run->session, dqc_alloc_default, plan->max_message);
  send_requests(run);
  put_pieces(run);
  check_written(run);
  /* memory follows what came, not what a header announced */
  HOLDS(run->session.in.size <= 4 * plan->stream.len + MEMORY_MORE);
}

static void check_dead(struct dqc_session *session)
{
  struct dqc_message leader = make_request("LEADER");
  struct dqc_reply reply;
  const char *reason = session->reason;
  int status = session->status;
  size_t pending = dqc_session_pending(session).len;
  HOLDS(reason != NULL && status < 0);
  HOLDS(dqc_session_send(session, &leader) == status);
  HOLDS(dqc_session_feed(session, bytes_of("x")) == status);
  HOLDS(dqc_session_settle(session) == status);
  HOLDS(dqc_session_nudge(session).len == 0);
  HOLDS(dqc_session_next(session, &reply) == status);
  dqc_session_fail(session, DQC_ECLOSED, "later");
  HOLDS(session->status == status && session->reason == reason);
  HOLDS(dqc_session_pending(session).len == pending);
}

/* A later request: it is sent where nothing is left over. */
static int send_later(struct run *run)
{
  struct dqc_message leader = make_request("LEADER");
  return dqc_session_send(&run->session, &leader);
}

static void check_same(struct run *one, struct run *other)
{
  HOLDS(one->rc == other->rc && fuzz_same_text(&one->log, &other->log));
  HOLDS(one->session.reason == other->session.reason);
  if (other->sent < one->sent) return;
  HOLDS(dqc_session_outstanding(&one->session) ==
        dqc_session_outstanding(&other->session));
  HOLDS(dqc_session_owed(&one->session) == dqc_session_owed(&other->session));
  HOLDS(fuzz_same(dqc_session_pending(&one->session),
                  dqc_session_pending(&other->session)));
}

static void run_free(struct run *run)
{
  dqc_session_free(&run->session);
  text_free(&run->written);
  text_free(&run->log);
  text_free(&run->names);
}

static void check_plan(const struct plan *plan)
{
  struct run whole, cut;
  converse(&whole, IN_ONE, plan);
  for (enum way way = SENT_LATE; way > IN_ONE; way--) {
    converse(&cut, way, plan);
    check_same(&whole, &cut);
    if (way == APPENDED) HOLDS(send_later(&cut) == send_later(&whole));
    if (cut.session.status) check_dead(&cut.session);
    run_free(&cut);
  }
  run_free(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct dqc_bytes input = {data, size};
  struct plan plan;
  read_plan(&input, &plan);
  struct dqc_bytes copy = fuzz_copy(input);
  plan.stream = copy;
  check_plan(&plan);
  fuzz_drop(copy);
  return 0;
}
