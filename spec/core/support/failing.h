/* An allocator that can be told to fail, and that counts what it gave. */
#ifndef FAILING_H
#define FAILING_H

#include "core/buf.h"

struct failing {
  struct dqc_alloc alloc; /* to hand to the core */
  size_t calls; /* that asked for memory */
  size_t fail_at; /* the call that fails, counted from 1; 0: none */
  size_t held; /* bytes that were not given back */
  uint8_t failed; /* it has failed */
};

/* The struct must stay where it is. */
void failing_init(struct failing *failing, size_t fail_at);

/* Runs the scenario with an allocator that fails at its first call, then at
 * the second, and so on, until it gets through without a failure; at least
 * `least` calls must have failed. Checks that it leaves nothing allocated.
 * The scenario answers 0 when it got through, else what stopped it, which
 * must be DQC_ENOMEM. */
void failing_run(const char *subject, size_t least,
                 int (*scenario)(struct dqc_alloc alloc));

#endif
