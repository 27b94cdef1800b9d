/* Random numbers: all bits vary, and no two processes have the same. */
#define _DEFAULT_SOURCE

#include "core/random.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"

#define MANY 1000

static void test_bits(void)
{
  uint64_t ones = 0, zeros = 0;
  long set = 0;
  for (int i = 0; i < MANY; i++) {
    uint64_t bits = dqc_random();
    ones |= bits;
    zeros |= ~bits;
    for (; bits; bits &= bits - 1) set++;
  }
  CHECK(ones == UINT64_MAX);
  CHECK(zeros == UINT64_MAX);
  CHECK(labs(set - 32L * MANY) < MANY); /* some eight deviations */
}

/* Without a descriptor it makes a seed of its own. */
static uint64_t next_without_descriptor(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) check_fatal("no limit");
  rlim_t before = limit.rlim_cur;
  limit.rlim_cur = 0;
  if (setrlimit(RLIMIT_NOFILE, &limit)) check_fatal("no limit");
  uint64_t bits = dqc_random();
  limit.rlim_cur = before;
  if (setrlimit(RLIMIT_NOFILE, &limit)) check_fatal("no limit");
  return bits;
}

/* What a forked process has next. */
static uint64_t next_of_child(int has_descriptors)
{
  int ends[2], status = -1;
  uint64_t bits = 0;
  if (pipe(ends)) check_fatal("no pipe");
  pid_t child = fork();
  if (child == 0) {
    bits = has_descriptors ? dqc_random() : next_without_descriptor();
    exit(write(ends[1], &bits, sizeof bits) != sizeof bits);
  }
  CHECK_EQ(read(ends[0], &bits, sizeof bits), sizeof bits);
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  close(ends[0]);
  close(ends[1]);
  return bits;
}

static void test_processes(void)
{
  uint64_t found[5];
  size_t n = sizeof found / sizeof *found;
  for (size_t i = 0; i + 1 < n; i++) found[i] = next_of_child(i < 2);
  found[n - 1] = dqc_random();
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < i; k++) CHECK(found[i] != found[k]);
  }
}

int main(void)
{
  test_bits();
  test_processes();
  return check_done();
}
