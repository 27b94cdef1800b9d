/* Numbers that differ each time: jitter, an order, a name. Not for secrets. */
#ifndef DQC_RANDOM_H
#define DQC_RANDOM_H

#include <stdint.h>

#pragma GCC visibility push(hidden)

/* The next 64 random bits. Seeded from the system at first, and again in a
 * process that was forked. Each thread has a sequence of its own. */
uint64_t dqc_random(void);

#pragma GCC visibility pop

#endif
