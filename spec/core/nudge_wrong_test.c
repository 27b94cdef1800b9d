/* Nudges where something goes wrong: answers that are none, requests that are
 * refused, bytes that came unasked, memory that runs out. */
#include "core/session.h"

#include "core/status.h"
#include "support/check.h"
#include "support/dialog.h"
#include "support/failing.h"
#include "support/make.h"
#include "support/talk.h"

static struct vectors vectors;

static void test_wrong_reply(void)
{
  static const char *const wrong[] = {"welcome", "empty_interrupt",
                                      "rows_small_part", "db"};
  struct dialog dialog;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    dialog_begin(&dialog, &vectors);
    dialog_result(&dialog, 3);
    CHECK_EQ(dialog_settle(&dialog), DQC_DONE);
    CHECK_EQ(dialog_answer(&dialog, wrong[i]), DQC_EPROTO);
    CHECK_TEXT(dialog.session.reason,
               "a reply of another kind than asked for");
    dialog_check(&dialog, 0, 0, 1);
    dialog_end(&dialog);
  }
}

/* One that is no SERVER but says so. */
static void test_unreadable(void)
{
  static const uint8_t frame[] = {
      1, 0, 0, 0, DQC_RESPONSE_SERVER, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
  struct dialog dialog;
  dialog_begin(&dialog, &vectors);
  dialog_result(&dialog, DIALOG_LEADER);
  CHECK_EQ(talk_feed(&dialog.session, bytes_from(frame, sizeof frame), 0, 0,
                     &dialog.log),
           DQC_EPROTO);
  CHECK_TEXT(dialog.session.reason, "a reply that cannot be read");
  dialog_end(&dialog);
}

/* Bytes that came where all that was begun is a part of a LEADER would be taken
 * for the answer to it. */
static void check_unasked(size_t nudges, int settles)
{
  struct dialog dialog;
  int part = nudges < DIALOG_LEADER;
  dialog_begin(&dialog, &vectors);
  dialog_result(&dialog, nudges);
  size_t written = dialog.written.len;
  CHECK_EQ(dqc_session_feed(&dialog.session, bytes_of("x")), DQC_DONE);
  int rc = settles ? dialog_settle(&dialog) : dialog_ask(&dialog, "LEADER");
  CHECK_EQ(rc, part ? DQC_EPROTO : DQC_DONE);
  if (part) CHECK_EQ(dialog.written.len, written);
  dialog_end(&dialog);
}

static void test_refused(void)
{
  struct dialog dialog;
  struct dqc_message connect = make_request("CONNECT");
  struct dqc_message large = make_sql("EXEC_SQL", "SELECT 1");
  dialog_begin(&dialog, &vectors);
  dialog_result(&dialog, 5);
  CHECK_EQ(dqc_session_send(&dialog.session, &connect), DQC_EVALUE);
  dialog.session.max_message = 8;
  CHECK_EQ(dqc_session_send(&dialog.session, &large), DQC_ETOOBIG);
  CHECK_EQ(dqc_session_pending(&dialog.session).len, 0);
  dialog_check(&dialog, 0, 0, 1);
  dialog.session.max_message = DQC_FRAME_MAX;
  CHECK_EQ(dialog_ask(&dialog, "LEADER"), DQC_DONE);
  dialog_check_leaders(&dialog, 5, "LEADER");
  dialog_end(&dialog);
}

/* ---- without memory ---- */

static void keep_first(int *first, int rc)
{
  if (*first == DQC_DONE) *first = rc;
}

/* Two bytes of a LEADER and the rest of it; what failed works the second
 * time. */
static int nudge_or_again(struct dialog *dialog, int settles)
{
  int first = DQC_DONE;
  size_t owed = dqc_session_owed(&dialog->session);
  if (dialog_nudge(dialog, 1) == 0) {
    first = DQC_ENOMEM;
    CHECK_EQ(dqc_session_owed(&dialog->session), owed);
    CHECK_EQ(dialog_nudge(dialog, 1), 1);
  }
  CHECK_EQ(dialog_nudge(dialog, 1), 1);
  CHECK_EQ(dqc_session_owed(&dialog->session), owed + 1);
  for (int i = 0, rc = DQC_ENOMEM; i < 2 && rc == DQC_ENOMEM; i++) {
    size_t written = dialog->written.len;
    rc = settles ? dialog_settle(dialog) : dialog_ask(dialog, "INTERRUPT");
    if (rc) CHECK_EQ(dialog->written.len, written);
    keep_first(&first, rc);
  }
  CHECK_EQ(dialog->session.status, 0);
  CHECK_EQ(dqc_session_owed(&dialog->session), owed + 1);
  return first;
}

static int use_nudges(struct dqc_alloc alloc)
{
  struct dialog dialog;
  int first = DQC_DONE;
  size_t requests = 1;
  dialog_begin_with(&dialog, &vectors, alloc);
  keep_first(&first, dialog_ask(&dialog, "QUERY_SQL"));
  if (first) CHECK_EQ(dialog_ask(&dialog, "QUERY_SQL"), DQC_DONE);
  for (int i = 0; i < 40; i++) {
    keep_first(&first, nudge_or_again(&dialog, i % 2));
    requests += i % 2 ? 1 : 2;
  }
  CHECK_EQ(dialog.written.len, DIALOG_QUERY + (requests - 1) * DIALOG_LEADER);
  dialog_check(&dialog, requests - 40, 1, 40);
  dialog_end(&dialog);
  return first;
}

/* From now on what is pending has memory of its own, which fails. */
static struct dqc_alloc begin_failing(struct dialog *dialog,
                                      struct failing *failing, size_t fail_at)
{
  struct dqc_alloc usual = dialog->session.out.alloc;
  failing_init(failing, fail_at);
  dqc_buf_free(&dialog->session.out);
  dqc_buf_init(&dialog->session.out, failing->alloc);
  return usual;
}

static void end_failing(struct dialog *dialog, struct failing *failing,
                        struct dqc_alloc usual)
{
  CHECK(failing->failed);
  dqc_buf_free(&dialog->session.out);
  CHECK_EQ(failing->held, 0);
  dqc_buf_init(&dialog->session.out, usual);
}

static void test_not_settled(void)
{
  struct failing failing;
  struct dialog dialog;
  dialog_begin(&dialog, &vectors);
  dialog_result(&dialog, 9);
  struct dqc_alloc usual = begin_failing(&dialog, &failing, 1);
  CHECK_EQ(dialog_settle(&dialog), DQC_ENOMEM);
  CHECK_EQ(dialog.session.status, 0);
  dialog_check(&dialog, 0, 0, 1);
  CHECK_EQ(dialog_settle(&dialog), DQC_DONE);
  dialog_check_leaders(&dialog, 9, NULL);
  end_failing(&dialog, &failing, usual);
  dialog_end(&dialog);
}

/* The rest of a LEADER finds room, the request behind it does not: neither is
 * there. */
static void test_half_sent(void)
{
  static const uint8_t bytes[1000];
  struct failing failing;
  struct dialog dialog;
  struct dqc_message large = make_request("EXEC_SQL");
  struct dqc_value blob = make_blob(bytes, sizeof bytes);
  large.fields[2].values = &blob;
  large.fields[2].count = 1;
  dialog_begin(&dialog, &vectors);
  dialog_result(&dialog, 9);
  struct dqc_alloc usual = begin_failing(&dialog, &failing, 2);
  CHECK_EQ(dqc_session_send(&dialog.session, &large), DQC_ENOMEM);
  CHECK_EQ(dqc_session_pending(&dialog.session).len, 0);
  dialog_check(&dialog, 0, 0, 1);
  CHECK_EQ(dialog_settle(&dialog), DQC_DONE);
  dialog_check_leaders(&dialog, 9, NULL);
  end_failing(&dialog, &failing, usual);
  dialog_end(&dialog);
}

int main(void)
{
  vectors_load(&vectors, "spec/vectors/responses.txt");
  test_wrong_reply();
  test_unreadable();
  for (size_t nudges = 1; nudges <= 2 * DIALOG_LEADER; nudges++) {
    check_unasked(nudges, 0);
    check_unasked(nudges, 1);
  }
  test_refused();
  failing_run("nudges", 3, use_nudges);
  test_not_settled();
  test_half_sent();
  vectors_free(&vectors);
  return check_done();
}
