/* A session that nudges, on a connection that was greeted before: all that it
 * writes is kept, and all its replies are dumped. */
#ifndef DIALOG_H
#define DIALOG_H

#include "core/session.h"
#include "support/text.h"
#include "support/vectors.h"

#define DIALOG_LEADER ((size_t)16) /* bytes of a LEADER */
#define DIALOG_QUERY ((size_t)24) /* and of a QUERY_SQL without a text */

/* Names of requests or vectors. */
#define DIALOG_NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

struct dialog {
  const struct vectors *vectors; /* of responses */
  struct dqc_session session;
  struct text written, log;
};

void dialog_begin(struct dialog *dialog, const struct vectors *vectors);
void dialog_begin_with(struct dialog *dialog, const struct vectors *vectors,
                       struct dqc_alloc alloc);
void dialog_end(struct dialog *dialog);

/* Sends a request, or the rest of one that was begun. */
int dialog_ask(struct dialog *dialog, const char *name);
int dialog_settle(struct dialog *dialog);

/* How many of n bytes there were. */
size_t dialog_nudge(struct dialog *dialog, size_t n);

/* How many LEADERs so many bytes begin. */
size_t dialog_leaders_of(size_t nudges);

/* Feeds a frame and reads all replies. */
int dialog_answer(struct dialog *dialog, const char *name);

/* Asks for the result of three frames and reads it, with nudges behind the
 * first two. There is no byte where it is over. */
void dialog_result(struct dialog *dialog, size_t nudges);

void dialog_check(struct dialog *dialog, size_t outstanding, int awaits,
                  size_t owed);

/* Those replies, and no others, were read. */
void dialog_check_log(struct dialog *dialog, const char *const *names);

/* Those requests, each of them whole, and nothing else were written. */
void dialog_check_written(struct dialog *dialog, const char *const *names);

/* The same of a result, the LEADERs of so many nudges and what is `behind`
 * them, or NULL. */
void dialog_check_leaders(struct dialog *dialog, size_t nudges,
                          const char *behind);

#endif
