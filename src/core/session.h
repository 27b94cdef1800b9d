/* One connection's conversation without its socket: requests in, bytes out;
 * bytes in, replies out. Several requests may be on their way; replies come
 * in their order. A session that failed stays failed.
 *
 * To drive it: write what is pending; ask for the next reply; when it wants
 * more, put what was read into it and ask again. */
#ifndef DQC_SESSION_H
#define DQC_SESSION_H

#include "core/message.h"

#pragma GCC visibility push(hidden)

#define DQC_VERSION UINT64_C(1)

struct dqc_session {
  struct dqc_buf in; /* received, from the current reply on */
  struct dqc_buf out; /* encoded, not yet sent */
  struct dqc_buf queue; /* a struct expected for each request on its way */
  struct dqc_buf names; /* column names of a result of several frames */
  size_t columns; /* of that result */
  size_t current; /* bytes of `in` that the current reply covers */
  uint64_t encoded; /* bytes of requests that there were, pending or sent */
  size_t max_message; /* body of one frame, both directions, bytes */
  uint8_t greeted; /* the version word was written */
  uint8_t in_result; /* frames of the first request's result have come */
  int status; /* 0, or the error that ended it */
  const char *reason; /* in words, when status is set */
};

struct dqc_reply {
  uint8_t request; /* number of the request it answers */
  uint8_t roles; /* SERVERS: the entries have roles */
  uint8_t last; /* the request is finished; else more ROWS follow */
  struct dqc_message message; /* valid until the session is fed or asked */
};

void dqc_session_init(struct dqc_session *session, struct dqc_alloc alloc,
                      size_t max_message);
void dqc_session_free(struct dqc_session *session);

/* Encodes a request. DQC_EVALUE and DQC_ETOOBIG (and DQC_ENOMEM): nothing was
 * written and the session is as it was. HEARTBEAT and CONNECT are DQC_EVALUE:
 * a server never answers them. The first request is preceded by the protocol
 * version. */
int dqc_session_send(struct dqc_session *session,
                     const struct dqc_message *message);

/* Why dqc_session_send would answer DQC_EVALUE to the message as a whole (not
 * to one of its values), or NULL. */
const char *dqc_session_refusal(const struct dqc_message *message);

/* Bytes that wait to be written, and how many of them were. */
struct dqc_bytes dqc_session_pending(const struct dqc_session *session);
void dqc_session_sent(struct dqc_session *session, size_t n);

/* Where to read to, and how many bytes were read there. */
int dqc_session_room(struct dqc_session *session, uint8_t **room,
                     size_t *size);
void dqc_session_received(struct dqc_session *session, size_t n);
int dqc_session_feed(struct dqc_session *session, struct dqc_bytes bytes);

/* The next reply: DQC_DONE, DQC_WANT_READ, or the error that ended the
 * session. The reply before it is gone. */
int dqc_session_next(struct dqc_session *session, struct dqc_reply *reply);

/* Ends the session. The first cause stays. */
void dqc_session_fail(struct dqc_session *session, int status,
                      const char *reason);

/* Requests that are not yet answered to their end, sent or pending. */
size_t dqc_session_outstanding(const struct dqc_session *session);

/* Is an answer due? Not for a request of which a part is pending still. */
int dqc_session_awaits(const struct dqc_session *session);

/* Why a database of this name must not be opened (hazards.md), or NULL. */
const char *dqc_database_refusal(struct dqc_bytes name);

#pragma GCC visibility pop

#endif
