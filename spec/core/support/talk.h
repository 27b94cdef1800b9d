/* A session in a test: requests sent without a socket, replies dumped. */
#ifndef TALK_H
#define TALK_H

#include "core/session.h"
#include "support/text.h"

/* A session with the largest max_message and the usual allocator. */
void talk_init(struct dqc_session *session);

/* Sends a request and takes its bytes off, as if they were written. */
int talk_send(struct dqc_session *session, const struct dqc_message *message);

/* The next reply, dumped and followed by a newline; one that cannot be read
 * ends the session, as a caller of the core does it. */
int talk_next(struct dqc_session *session, struct text *log);

/* All replies there are: DQC_WANT_READ, or what ended the session. */
int talk_replies(struct dqc_session *session, struct text *log);

/* Feeds the bytes in pieces of 1 to `most`, or in one piece if that is 0, and
 * reads the replies after each. */
int talk_feed(struct dqc_session *session, struct dqc_bytes bytes, size_t most,
              uint32_t seed, struct text *log);

/* Takes up to `most` bytes off `from`, as a socket is read: into the room that
 * the session gives. */
int talk_read(struct dqc_session *session, struct dqc_bytes *from,
              size_t most);

/* A random number that depends on nothing but the state. */
uint32_t talk_random(uint32_t *state);

#endif
