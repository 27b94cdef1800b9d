/* The count of forks: each child has one more than its parent, which keeps its
 * own. */
#define _POSIX_C_SOURCE 200809L

#include "core/fork.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/status.h"
#include "support/check.h"

/* What the child answers, 0 to 255. */
static int in_child(int (*answer)(void))
{
  int status = -1;
  pid_t child = fork();
  if (child == 0) exit(answer());
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int count(void)
{
  return (int)dqc_fork_count();
}

static int count_of_child(void)
{
  return in_child(count);
}

int main(void)
{
  CHECK_EQ(in_child(count), 0); /* not watched yet */
  for (int i = 0; i < 2; i++) CHECK_EQ(dqc_fork_watch(), DQC_DONE);
  CHECK_EQ(dqc_fork_count(), 0);
  CHECK_EQ(in_child(count), 1);
  CHECK_EQ(in_child(count_of_child), 2);
  CHECK_EQ(dqc_fork_count(), 0);
  return check_done();
}
