/* Waiting for descriptors, by poll(2). */
#ifndef DQC_POLL_H
#define DQC_POLL_H

#include <stddef.h>

#pragma GCC visibility push(hidden)

/* One of several descriptors to wait for. */
struct dqc_poll {
  int fd; /* -1: closed, and ready for anything */
  int wanted; /* a set of bits: DQC_WANT_READ, DQC_WANT_WRITE */
  int ready; /* of these */
};

#define DQC_POLL_MAX 64

/* Waits for up to DQC_POLL_MAX of them, until one is ready, up to timeout
 * milliseconds; sets `ready` of each. DQC_DONE, DQC_ETIMEOUT (also early, after a
 * signal), DQC_EOS. */
int dqc_poll_wait(struct dqc_poll *list, size_t n, int timeout);

/* Any number of descriptors, in memory of the caller's: dqc_fds_size(n) bytes,
 * each put there before dqc_fds_poll. `events` are bits of poll(2), as
 * dqc_fds_events makes them of what is wanted. */
struct pollfd;
size_t dqc_fds_size(size_t n);
int dqc_fds_events(int wanted);
void dqc_fds_put(struct pollfd *fds, size_t i, int fd, int events);

/* Waits until one of them is ready, or of no use. As dqc_poll_wait. */
int dqc_fds_poll(struct pollfd *fds, size_t n, int timeout);
int dqc_fds_is_ready(const struct pollfd *fds, size_t i);

#pragma GCC visibility pop

#endif
