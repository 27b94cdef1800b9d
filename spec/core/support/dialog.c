#include "support/dialog.h"

#include "core/status.h"
#include "support/check.h"
#include "support/make.h"
#include "support/talk.h"

void dialog_begin_with(struct dialog *dialog, const struct vectors *vectors,
                       struct dqc_alloc alloc)
{
  dialog->vectors = vectors;
  dqc_session_init(&dialog->session, alloc, DQC_FRAME_MAX);
  dqc_session_resume(&dialog->session);
  text_init(&dialog->written);
  text_init(&dialog->log);
}

void dialog_begin(struct dialog *dialog, const struct vectors *vectors)
{
  dialog_begin_with(dialog, vectors, dqc_alloc_default);
}

void dialog_end(struct dialog *dialog)
{
  dqc_session_free(&dialog->session);
  text_free(&dialog->written);
  text_free(&dialog->log);
}

static void write_pending(struct dialog *dialog)
{
  struct dqc_bytes pending = dqc_session_pending(&dialog->session);
  text_add_bytes(&dialog->written, pending);
  dqc_session_sent(&dialog->session, pending.len);
}

int dialog_ask(struct dialog *dialog, const char *name)
{
  struct dqc_message message = make_request(name);
  int rc = dqc_session_send(&dialog->session, &message);
  write_pending(dialog);
  return rc;
}

size_t dialog_nudge(struct dialog *dialog, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    struct dqc_bytes byte = dqc_session_nudge(&dialog->session);
    if (byte.len == 0) return i;
    CHECK_EQ(byte.len, 1);
    text_add_bytes(&dialog->written, byte);
    dqc_session_nudged(&dialog->session);
  }
  return n;
}

int dialog_settle(struct dialog *dialog)
{
  int rc = dqc_session_settle(&dialog->session);
  write_pending(dialog);
  return rc;
}

int dialog_answer(struct dialog *dialog, const char *name)
{
  const struct vector *v = vectors_find(dialog->vectors, name);
  return talk_feed(&dialog->session, vector_bytes(v), 0, 0, &dialog->log);
}

void dialog_check_log(struct dialog *dialog, const char *const *names)
{
  struct text expected;
  text_init(&expected);
  for (; *names; names++) {
    const struct vector *v = vectors_find(dialog->vectors, *names);
    text_add_bytes(&expected, bytes_of(v->values[VECTOR_TEXT]));
    text_add(&expected, "\n");
  }
  CHECK_TEXT(dialog->log.s, expected.s);
  text_free(&expected);
}

void dialog_check_written(struct dialog *dialog, const char *const *names)
{
  struct dqc_buf expected;
  dqc_buf_init(&expected, dqc_alloc_default);
  for (; *names; names++) {
    struct dqc_message message = make_request(*names);
    if (dqc_message_encode(&expected, &message, DQC_FRAME_MAX)) {
      check_fatal("a request refused");
    }
  }
  CHECK_BYTES(bytes_from(dialog->written.s, dialog->written.len),
              dqc_buf_view(&expected));
  dqc_buf_free(&expected);
}

void dialog_check(struct dialog *dialog, size_t outstanding, int awaits,
                  size_t owed)
{
  CHECK_EQ(dqc_session_outstanding(&dialog->session), outstanding);
  CHECK_EQ(dqc_session_awaits(&dialog->session), awaits);
  CHECK_EQ(dqc_session_owed(&dialog->session), owed);
}

size_t dialog_leaders_of(size_t nudges)
{
  return (nudges + DIALOG_LEADER - 1) / DIALOG_LEADER;
}

void dialog_result(struct dialog *dialog, size_t nudges)
{
  CHECK_EQ(dialog_ask(dialog, "QUERY_SQL"), DQC_DONE);
  CHECK_EQ(dialog_answer(dialog, "rows_small_part"), DQC_WANT_READ);
  CHECK_EQ(dialog_nudge(dialog, nudges / 2), nudges / 2);
  CHECK_EQ(dialog_answer(dialog, "rows_small_middle"), DQC_WANT_READ);
  CHECK_EQ(dialog_nudge(dialog, nudges - nudges / 2), nudges - nudges / 2);
  dialog_check(dialog, 1, 1, dialog_leaders_of(nudges));
  CHECK_EQ(dialog_answer(dialog, "rows_small_last"), DQC_WANT_READ);
  dialog_check(dialog, 0, 0, dialog_leaders_of(nudges));
  CHECK_EQ(dialog_nudge(dialog, 1), 0);
}

void dialog_check_leaders(struct dialog *dialog, size_t nudges,
                          const char *behind)
{
  const char *names[8] = {"QUERY_SQL"};
  size_t n = 1;
  while (n <= dialog_leaders_of(nudges)) names[n++] = "LEADER";
  names[n] = behind;
  dialog_check_written(dialog, names);
}
