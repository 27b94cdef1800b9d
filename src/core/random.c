#define _POSIX_C_SOURCE 200809L

#include "core/random.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define GAMMA 0x9e3779b97f4a7c15u

/* splitmix64: a counter, and a mixture of its bits */
static __thread uint64_t counter;
static __thread pid_t owner; /* 0: not seeded yet */

static uint64_t mix(uint64_t x)
{
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/* What differs between processes and moments: for a system without a device,
 * or with no descriptor left. */
static uint64_t makeshift(void)
{
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  uint64_t seed = mix((uint64_t)ts.tv_sec ^ ((uint64_t)ts.tv_nsec << 32));
  return mix(seed ^ (uint64_t)getpid()) ^ (uint64_t)(uintptr_t)&ts;
}

static void seed(pid_t pid)
{
  uint64_t bits = 0;
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, &bits, sizeof bits);
  if (fd >= 0) close(fd);
  counter = n == (ssize_t)sizeof bits ? bits : makeshift();
  owner = pid;
}

uint64_t dqc_random(void)
{
  pid_t pid = getpid();
  if (owner != pid) seed(pid);
  counter += GAMMA;
  return mix(counter);
}
