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
  size_t owed; /* answers on their way, to be dropped */
  uint8_t nudged; /* bytes of a LEADER that is not complete, which have left */
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

/* For a connection that an earlier session has greeted the server on: this one
 * writes no protocol version. Before the first request. */
void dqc_session_resume(struct dqc_session *session);

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

/* A byte to write at once, so that it carries our kernel's acknowledgement.
 * The server never sets TCP_NODELAY: a small write of its waits until the one
 * before is acknowledged, which our kernel delays by 40 ms unless it has
 * something to send. Where TCP_QUICKACK cannot be set this byte is that.
 *
 * One byte, or none: unless an answer is awaited and nothing is pending, or
 * for want of memory. Nothing has changed before dqc_session_nudged says, as
 * the next call, that the byte has left. */
struct dqc_bytes dqc_session_nudge(struct dqc_session *session);
void dqc_session_nudged(struct dqc_session *session);

/* Such bytes are the beginning of a LEADER. The next request completes it;
 * this does so without one. On DQC_ENOMEM the session is as it was. */
int dqc_session_settle(struct dqc_session *session);

/* Answers to LEADERs that were begun so: they will be dropped. Where none is
 * owed, the connection can be left to another session. */
size_t dqc_session_owed(const struct dqc_session *session);

/* Where to read to, and how many bytes were read there. */
int dqc_session_room(struct dqc_session *session, uint8_t **room,
                     size_t *size);
void dqc_session_received(struct dqc_session *session, size_t n);
int dqc_session_feed(struct dqc_session *session, struct dqc_bytes bytes);

/* The next reply: DQC_DONE, DQC_WANT_READ, or the error that ended the
 * session. The reply before it is gone. */
int dqc_session_next(struct dqc_session *session, struct dqc_reply *reply);

/* Is the next reply here, whole and of that type? */
int dqc_session_has(const struct dqc_session *session, uint8_t type);

/* Ends the session. The first cause stays. */
void dqc_session_fail(struct dqc_session *session, int status,
                      const char *reason);

/* Requests that are not yet answered to their end, sent or pending; not what
 * is owed. */
size_t dqc_session_outstanding(const struct dqc_session *session);

/* Is an answer due? Not for a request of which a part is pending still. */
int dqc_session_awaits(const struct dqc_session *session);

/* Why a database of this name must not be opened (hazards.md), or NULL. */
const char *dqc_database_refusal(struct dqc_bytes name);

#pragma GCC visibility pop

#endif
