/* How the clients in C measure: an operation again and again until the time is
 * over, once more with each call timed, and the line that the bench reads. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* What a client is asked to do: WORKLOAD ADDRESS SECONDS COUNT. */
struct task {
  const char *workload;
  const char *address; /* of sqlite: its directory */
  double seconds; /* that one measurement takes */
  size_t count; /* rows of one large statement */
  int timed; /* each call as well: p50 and p99 are wanted */
};

struct task read_task(int argc, char **argv);

double now(void);

/* Calls fn(context, i) with i = 0, 1, ... for the task's time; each call is
 * `each` operations. Then prints the result. */
typedef void operation(void *context, uint64_t i);
void measure(const struct task *task, operation *fn, void *context,
             uint64_t each);

/* The same for one single call. */
void measure_once(operation *fn, void *context, uint64_t operations);

/* The same for a call that runs until the deadline by itself, counts its
 * operations and collects their times. */
struct samples {
  double *seconds;
  size_t count, room;
};
void add_sample(struct samples *samples, double seconds);
typedef uint64_t runner(void *context, double deadline,
                        struct samples *samples);
void measure_runner(const struct task *task, runner *run, void *context);

void fail(const char *what, const char *why);

#endif
