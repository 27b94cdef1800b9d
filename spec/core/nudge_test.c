/* Single bytes that carry an acknowledgement: together with what follows they
 * are whole requests, whose answers nobody sees. */
#include "core/session.h"

#include <string.h>

#include "core/status.h"
#include "support/check.h"
#include "support/dialog.h"
#include "support/make.h"
#include "support/talk.h"

static struct vectors vectors;

/* ---- when there is a byte ---- */

static void test_none(void)
{
  struct dialog dialog;
  struct dqc_message query = make_request("QUERY_SQL");
  dialog_begin(&dialog, &vectors);
  CHECK_EQ(dialog_nudge(&dialog, 1), 0); /* nothing was asked for */
  CHECK_EQ(dqc_session_send(&dialog.session, &query), DQC_DONE);
  CHECK_EQ(dialog_nudge(&dialog, 1), 0); /* all is pending */
  dqc_session_sent(&dialog.session,
                   dqc_session_pending(&dialog.session).len - 1);
  CHECK_EQ(dialog_nudge(&dialog, 1), 0); /* a part is */
  dqc_session_sent(&dialog.session, 1);
  CHECK_EQ(dialog_nudge(&dialog, 3), 3);
  CHECK_EQ(dialog_answer(&dialog, "rows_small_last"), DQC_WANT_READ);
  CHECK_EQ(dialog_nudge(&dialog, 1), 0); /* all was answered */
  dialog_check(&dialog, 0, 0, 1);
  CHECK_EQ(dialog_settle(&dialog), DQC_DONE);
  CHECK_EQ(dialog_nudge(&dialog, 1), 0); /* nobody awaits what is owed */
  dqc_session_fail(&dialog.session, DQC_ECLOSED, "closed");
  CHECK_EQ(dialog_nudge(&dialog, 1), 0);
  dialog_end(&dialog);
  dialog_check(&dialog, 0, 0, 0);
}

static void test_dead(void)
{
  struct dialog dialog;
  dialog_begin(&dialog, &vectors);
  CHECK_EQ(dialog_ask(&dialog, "QUERY_SQL"), DQC_DONE);
  CHECK_EQ(dialog_nudge(&dialog, 5), 5);
  dqc_session_fail(&dialog.session, DQC_ETIMEOUT, "too late");
  CHECK_EQ(dialog_nudge(&dialog, 1), 0);
  CHECK_EQ(dialog_settle(&dialog), DQC_ETIMEOUT);
  CHECK_EQ(dqc_session_pending(&dialog.session).len, 0);
  dialog_end(&dialog);
}

/* A byte that did not leave was not given: the session is as it was. */
static void test_not_written(void)
{
  struct dialog dialog;
  dialog_begin(&dialog, &vectors);
  CHECK_EQ(dialog_ask(&dialog, "LEADER"), DQC_DONE);
  CHECK_EQ(dqc_session_nudge(&dialog.session).len, 1);
  CHECK_EQ(dqc_session_nudge(&dialog.session).len, 1);
  dialog_check(&dialog, 1, 1, 0);
  CHECK_EQ(dialog_ask(&dialog, "INTERRUPT"), DQC_DONE);
  dialog_check(&dialog, 2, 1, 0);
  dialog_check_written(&dialog, DIALOG_NAMES("LEADER", "INTERRUPT"));
  dialog_end(&dialog);
}

/* Without one that is resumed, the version is written as ever. */
static void test_greeting(void)
{
  struct dialog dialog;
  dialog_begin(&dialog, &vectors);
  CHECK_EQ(dialog_settle(&dialog), DQC_DONE);
  CHECK_EQ(dialog_ask(&dialog, "LEADER"), DQC_DONE);
  dialog_check_written(&dialog, DIALOG_NAMES("LEADER"));
  dialog_end(&dialog);
  struct dqc_session session;
  struct dqc_message leader = make_request("LEADER");
  talk_init(&session);
  CHECK_EQ(dqc_session_settle(&session), DQC_DONE);
  CHECK_EQ(dqc_session_send(&session, &leader), DQC_DONE);
  CHECK_EQ(dqc_session_pending(&session).len, 8 + DIALOG_LEADER);
  dqc_session_free(&session);
}

/* ---- what becomes of the bytes ---- */

static void answer_owed(struct dialog *dialog, const char *name)
{
  for (size_t owed = dqc_session_owed(&dialog->session); owed > 0; owed--) {
    CHECK_EQ(dqc_session_owed(&dialog->session), owed);
    CHECK_EQ(dialog_answer(dialog, name), DQC_WANT_READ);
  }
}

/* The next request, of the same kind as what nobody sees. */
static void check_send(size_t nudges, const char *owed)
{
  struct dialog dialog;
  dialog_begin(&dialog, &vectors);
  dialog_result(&dialog, nudges);
  CHECK_EQ(dialog_ask(&dialog, "LEADER"), DQC_DONE);
  dialog_check_leaders(&dialog, nudges, "LEADER");
  dialog_check(&dialog, 1, 1, dialog_leaders_of(nudges));
  answer_owed(&dialog, owed);
  dialog_check(&dialog, 1, 1, 0);
  CHECK_EQ(dialog_answer(&dialog, "server"), DQC_WANT_READ);
  dialog_check(&dialog, 0, 0, 0);
  dialog_check_log(&dialog,
                   DIALOG_NAMES("rows_small_part", "rows_small_middle",
                                "rows_small_last", "server"));
  dialog_end(&dialog);
}

static void check_settle(size_t nudges, const char *owed)
{
  struct dialog dialog;
  dialog_begin(&dialog, &vectors);
  dialog_result(&dialog, nudges);
  CHECK_EQ(dialog_settle(&dialog), DQC_DONE);
  CHECK_EQ(dialog_settle(&dialog), DQC_DONE);
  dialog_check_leaders(&dialog, nudges, NULL);
  dialog_check(&dialog, 0, 0, dialog_leaders_of(nudges));
  answer_owed(&dialog, owed);
  dialog_check(&dialog, 0, 0, 0);
  CHECK_EQ(dialog_ask(&dialog, "INTERRUPT"), DQC_DONE);
  dialog_check_leaders(&dialog, nudges, "INTERRUPT");
  CHECK_EQ(dialog_answer(&dialog, "empty_interrupt"), DQC_WANT_READ);
  dialog_check_log(&dialog,
                   DIALOG_NAMES("rows_small_part", "rows_small_middle",
                                "rows_small_last", "empty_interrupt"));
  dialog_end(&dialog);
}

/* Of a request that is a part yet there is no answer: what comes is none. */
static void check_nothing(size_t nudges)
{
  struct dialog dialog;
  int part = nudges % DIALOG_LEADER != 0;
  dialog_begin(&dialog, &vectors);
  dialog_result(&dialog, nudges);
  CHECK_EQ(dialog.written.len, DIALOG_QUERY + nudges);
  for (size_t i = 0; i < nudges / DIALOG_LEADER; i++) {
    CHECK_EQ(dialog_answer(&dialog, "server"), DQC_WANT_READ);
  }
  dialog_check(&dialog, 0, 0, part ? 1 : 0);
  CHECK_EQ(dialog_answer(&dialog, "server"), DQC_EPROTO);
  CHECK_TEXT(dialog.session.reason,
             part ? "a reply to a part of a request"
                  : "a reply that nothing was asked for");
  dialog_end(&dialog);
}

static void test_positions(void)
{
  for (size_t nudges = 0; nudges <= 2 * DIALOG_LEADER + 1; nudges++) {
    check_send(nudges, "server");
    check_send(nudges, "failure_not_leader");
    check_settle(nudges, "server");
    check_settle(nudges, "failure_not_leader");
    check_nothing(nudges);
  }
}

/* Between requests that are on their way at once, in pieces of all sizes. */
static void test_pipeline(void)
{
  static const char *const frames[] = {"rows_small_part", "rows_small_last",
                                       "empty_interrupt", "server",
                                       "server_unknown",  "db"};
  struct dialog dialog;
  struct text stream;
  text_init(&stream);
  for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
    text_add_bytes(&stream, vector_bytes(vectors_find(&vectors, frames[i])));
  }
  for (size_t most = 0; most < 40; most++) {
    dialog_begin(&dialog, &vectors);
    CHECK_EQ(dialog_ask(&dialog, "QUERY_SQL"), DQC_DONE);
    CHECK_EQ(dialog_ask(&dialog, "INTERRUPT"), DQC_DONE);
    CHECK_EQ(dialog_nudge(&dialog, DIALOG_LEADER + 1), DIALOG_LEADER + 1);
    CHECK_EQ(dialog_ask(&dialog, "OPEN"), DQC_DONE);
    dialog_check(&dialog, 3, 1, 2);
    CHECK_EQ(talk_feed(&dialog.session, bytes_from(stream.s, stream.len), most,
                       1, &dialog.log),
             DQC_WANT_READ);
    dialog_check(&dialog, 0, 0, 0);
    dialog_check_written(&dialog, DIALOG_NAMES("QUERY_SQL", "INTERRUPT",
                                               "LEADER", "LEADER", "OPEN"));
    dialog_check_log(&dialog,
                     DIALOG_NAMES("rows_small_part", "rows_small_last",
                                  "empty_interrupt", "db"));
    dialog_end(&dialog);
  }
  text_free(&stream);
}

/* What is owed does not stand in the way of an answer that is due, and hides
 * none that is not: the request is pending. */
static void test_awaits(void)
{
  struct dialog dialog;
  struct dqc_message interrupt = make_request("INTERRUPT");
  dialog_begin(&dialog, &vectors);
  dialog_result(&dialog, DIALOG_LEADER + 4);
  CHECK_EQ(dqc_session_send(&dialog.session, &interrupt), DQC_DONE);
  CHECK_EQ(dqc_session_pending(&dialog.session).len, 12 + 16);
  dialog_check(&dialog, 1, 0, 2);
  dqc_session_sent(&dialog.session, 12 + 15);
  dialog_check(&dialog, 1, 0, 2);
  CHECK_EQ(dialog_answer(&dialog, "server"), DQC_WANT_READ);
  dialog_check(&dialog, 1, 0, 1);
  dqc_session_sent(&dialog.session, 1);
  dialog_check(&dialog, 1, 1, 1);
  dialog_end(&dialog);
}

/* A reply that is being read stays where it is. */
static void test_reply_stays(void)
{
  struct dialog dialog;
  struct dqc_reply reply;
  const struct vector *v = vectors_find(&vectors, "rows_small_part");
  dialog_begin(&dialog, &vectors);
  CHECK_EQ(dialog_ask(&dialog, "QUERY_SQL"), DQC_DONE);
  CHECK_EQ(dqc_session_feed(&dialog.session, vector_bytes(v)), DQC_DONE);
  CHECK_EQ(dqc_session_next(&dialog.session, &reply), DQC_DONE);
  struct dqc_bytes rows = reply.message.fields[0].rows.rows;
  CHECK_EQ(dialog_nudge(&dialog, 1000), 1000);
  CHECK(rows.len > 0);
  CHECK(memcmp(rows.ptr, v->bytes + v->len - rows.len - 8, rows.len) == 0);
  CHECK_EQ(dqc_session_owed(&dialog.session), dialog_leaders_of(1000));
  dialog_end(&dialog);
  CHECK_EQ(dqc_session_settle(&dialog.session), DQC_DONE);
  CHECK_EQ(dqc_session_pending(&dialog.session).len, 0);
}

int main(void)
{
  vectors_load(&vectors, "spec/vectors/responses.txt");
  test_none();
  test_dead();
  test_not_written();
  test_greeting();
  test_positions();
  test_pipeline();
  test_awaits();
  test_reply_stays();
  vectors_free(&vectors);
  return check_done();
}
