/* How fast a server answers what was sent ahead, and how long to leave it alone
 * with it.
 *
 * The servers leave Nagle's algorithm on: as long as an answer is on its way
 * that was not acknowledged, the answers behind it gather in the server's
 * kernel. The acknowledgement lets all of them go at once. One for each answer
 * costs the server, which is what a pipeline waits for, a packet and a wake-up
 * each; that is half of its work for a small one. */
#ifndef DQC_PACE_H
#define DQC_PACE_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

struct dqc_pace {
  int64_t each; /* nanoseconds for an answer; 0: not known yet */
  int64_t at; /* when `due` was so, in nanoseconds of the caller's clock */
  size_t due;
  unsigned left_out; /* how many pauses still, since the machine is busy */
};

/* With fewer answers due than that there is nothing to gather. */
#define DQC_PACE_LEAST 8

/* How many nanoseconds to let the answers gather that are due, before what has
 * come is acknowledged: half of the time that they take at the pace of those
 * before, so that the server has always something left to do. */
int64_t dqc_pace_pause(struct dqc_pace *pace, size_t due, int64_t now);

/* A pause has taken so long: where that is much more, the processor has more to do
 * than wait for us, and the next ones are left out. */
void dqc_pace_paused(struct dqc_pace *pace, int64_t pause, int64_t took);

/* What was measured so far says nothing about what comes: more was sent. */
void dqc_pace_restart(struct dqc_pace *pace);

#pragma GCC visibility pop

#endif
