/* Several threads at once, as in a program with a Lua state in each of them: what
 * src/core keeps for the whole process. */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cause.h"
#include "core/fork.h"
#include "core/random.h"
#include "core/status.h"
#include "support/check.h"

#define THREADS 4
#define TIMES 2000

struct worker {
  pthread_t thread;
  int number; /* an errno that nobody has */
  int wrong;
  uint64_t numbers[TIMES];
};

static pthread_barrier_t all_there;

static void *work(void *data)
{
  struct worker *worker = data;
  struct dqc_cause own, cause;
  dqc_cause_text(&own, worker->number);
  pthread_barrier_wait(&all_there);
  worker->wrong += dqc_fork_watch() != DQC_DONE;
  for (int i = 0; i < TIMES; i++) {
    worker->wrong += dqc_fork_count() != 0;
    worker->numbers[i] = dqc_random();
    worker->wrong +=
        strcmp(dqc_cause_text(&cause, worker->number), own.text) != 0;
  }
  return NULL;
}

static int compare(const void *a, const void *b)
{
  const uint64_t *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

static void check_numbers(const struct worker *workers)
{
  static uint64_t all[THREADS * TIMES];
  int same = 0;
  for (int i = 0; i < THREADS; i++) {
    memcpy(all + (size_t)i * TIMES, workers[i].numbers,
           sizeof workers[i].numbers);
  }
  qsort(all, THREADS * TIMES, sizeof *all, compare);
  for (int i = 1; i < THREADS * TIMES; i++) same += all[i] == all[i - 1];
  CHECK_EQ(same, 0);
}

static void check_child(void)
{
  int status = -1;
  pid_t child = fork();
  if (child == 0) exit(dqc_fork_count() == 0);
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

int main(void)
{
  static struct worker workers[THREADS];
  struct dqc_cause first, last;
  pthread_barrier_init(&all_there, NULL, THREADS);
  for (int i = 0; i < THREADS; i++) {
    workers[i].number = 10001 + i;
    CHECK_EQ(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    CHECK_EQ(workers[i].wrong, 0);
  }
  check_numbers(workers);
  check_child();
  CHECK(strcmp(dqc_cause_text(&first, 10001), dqc_cause_text(&last, 10002)));
  CHECK_TEXT(dqc_cause_text(&first, 2), "No such file or directory");
  return check_done();
}
