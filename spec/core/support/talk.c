#include "support/talk.h"

#include <string.h>

#include "core/status.h"
#include "support/check.h"
#include "support/dump.h"

void talk_init(struct dqc_session *session)
{
  dqc_session_init(session, dqc_alloc_default, DQC_FRAME_MAX);
}

int talk_send(struct dqc_session *session, const struct dqc_message *message)
{
  int rc = dqc_session_send(session, message);
  dqc_session_sent(session, dqc_session_pending(session).len);
  return rc;
}

int talk_next(struct dqc_session *session, struct text *log)
{
  struct dqc_reply reply;
  int rc = dqc_session_next(session, &reply);
  if (rc) return rc;
  rc = dump_message(&reply.message, reply.roles, log);
  text_add(log, "\n");
  if (rc) dqc_session_fail(session, rc, "a list that cannot be read");
  return rc;
}

int talk_replies(struct dqc_session *session, struct text *log)
{
  int rc;
  do {
    rc = talk_next(session, log);
  } while (rc == DQC_DONE);
  return rc;
}

int talk_read(struct dqc_session *session, struct dqc_bytes *from, size_t most)
{
  uint8_t *room;
  size_t size;
  int rc = dqc_session_room(session, &room, &size);
  if (rc) CHECK(room == NULL && size == 0);
  if (rc) return rc;
  if (size == 0) check_fatal("no room");
  if (size > most) size = most;
  if (size > from->len) size = from->len;
  memcpy(room, from->ptr, size);
  dqc_session_received(session, size);
  from->ptr += size;
  from->len -= size;
  return DQC_DONE;
}

uint32_t talk_random(uint32_t *state)
{
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

int talk_feed(struct dqc_session *session, struct dqc_bytes bytes, size_t most,
              uint32_t seed, struct text *log)
{
  int rc = DQC_WANT_READ;
  while (bytes.len && rc == DQC_WANT_READ) {
    struct dqc_bytes piece = {bytes.ptr, bytes.len};
    if (most) piece.len = 1 + talk_random(&seed) % most;
    if (piece.len > bytes.len) piece.len = bytes.len;
    rc = dqc_session_feed(session, piece);
    if (!rc) rc = talk_replies(session, log);
    bytes.ptr += piece.len;
    bytes.len -= piece.len;
  }
  return rc;
}
