#define _POSIX_C_SOURCE 200809L

#include "core/fork.h"

#include <pthread.h>

#include "core/status.h"

static unsigned forks;
static int watched;

/* A child begins with one thread, so nobody reads this meanwhile. */
static void count(void)
{
  forks++;
}

/* Threads that come here at once count a fork more than once, which does no harm.
 * A lock might be held for ever in a child. */
int dqc_fork_watch(void)
{
  if (__atomic_load_n(&watched, __ATOMIC_ACQUIRE)) return DQC_DONE;
  if (pthread_atfork(NULL, NULL, count)) return DQC_ENOMEM;
  __atomic_store_n(&watched, 1, __ATOMIC_RELEASE);
  return DQC_DONE;
}

unsigned dqc_fork_count(void)
{
  return forks;
}
