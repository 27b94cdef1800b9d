#define _POSIX_C_SOURCE 200809L

#include "core/fork.h"

#include <pthread.h>

#include "core/status.h"

static unsigned forks;
static int watched; /* several threads may have Lua states of their own */

/* A child begins with one thread, so nobody reads this meanwhile. */
static void count(void)
{
  forks++;
}

int dqc_fork_watch(void)
{
  if (__atomic_exchange_n(&watched, 1, __ATOMIC_ACQ_REL)) return DQC_DONE;
  if (pthread_atfork(NULL, NULL, count) == 0) return DQC_DONE;
  __atomic_store_n(&watched, 0, __ATOMIC_RELEASE);
  return DQC_ENOMEM;
}

unsigned dqc_fork_count(void)
{
  return forks;
}
