#define _POSIX_C_SOURCE 200809L

#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define BATCH 16 /* calls between two looks at the clock */

struct usage {
  double wall, cpu;
};

void fail(const char *what, const char *why)
{
  fprintf(stderr, "bench: %s: %s\n", what, why);
  exit(1);
}

struct task read_task(int argc, char **argv)
{
  struct task task = {0};
  if (argc < 5) fail(argv[0], "WORKLOAD ADDRESS SECONDS COUNT [timed]");
  task.workload = argv[1];
  task.address = argv[2];
  task.seconds = atof(argv[3]);
  task.count = (size_t)atol(argv[4]);
  task.timed = argc > 5;
  return task;
}

double now(void)
{
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double seconds_of(struct timeval tv)
{
  return (double)tv.tv_sec + (double)tv.tv_usec * 1e-6;
}

static struct usage used(void)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  struct usage u = {now(),
                    seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)};
  return u;
}

/* ru_maxrss would count what the process was before exec, too. */
static long peak_memory(void)
{
  char line[256];
  long kib = 0;
  FILE *status = fopen("/proc/self/status", "r");
  if (!status) fail("/proc/self/status", "cannot be opened");
  while (fgets(line, sizeof line, status)) {
    if (sscanf(line, "VmHWM: %ld", &kib) == 1) break;
  }
  fclose(status);
  return kib;
}

void add_sample(struct samples *samples, double seconds)
{
  if (samples->count == samples->room) {
    samples->room = samples->room ? samples->room * 2 : 4096;
    samples->seconds =
        realloc(samples->seconds, samples->room * sizeof *samples->seconds);
    if (!samples->seconds) fail("samples", "no memory");
  }
  samples->seconds[samples->count++] = seconds;
}

static int compare(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double percentile(const struct samples *samples, double part)
{
  return samples->seconds[(size_t)((double)(samples->count - 1) * part)] * 1e6;
}

/* operations seconds cpu_seconds peak_kib [p50_us p99_us] */
static void print_result(uint64_t operations, struct usage begin,
                         struct usage end, struct samples *samples)
{
  printf("%llu %.9f %.6f %ld", (unsigned long long)operations,
         end.wall - begin.wall, end.cpu - begin.cpu, peak_memory());
  if (samples->count) {
    qsort(samples->seconds, samples->count, sizeof *samples->seconds, compare);
    printf(" %.3f %.3f", percentile(samples, 0.50), percentile(samples, 0.99));
  }
  printf("\n");
}

static void time_each(const struct task *task, operation *fn, void *context,
                      uint64_t first, struct samples *samples)
{
  double deadline = now() + task->seconds, begin = now();
  while (begin < deadline) {
    fn(context, first++);
    double end = now();
    add_sample(samples, end - begin);
    begin = end;
  }
}

/* How many calls there were. */
static uint64_t call_for(double seconds, operation *fn, void *context,
                         uint64_t first)
{
  uint64_t calls = 0;
  double deadline = now() + seconds;
  while (now() < deadline) {
    for (int i = 0; i < BATCH; i++) fn(context, first + calls++);
  }
  return calls;
}

void measure(const struct task *task, operation *fn, void *context,
             uint64_t each)
{
  struct samples samples = {0};
  uint64_t before = call_for(task->seconds / 5, fn, context, 0); /* warm up */
  struct usage begin = used();
  uint64_t calls = call_for(task->seconds, fn, context, before);
  struct usage end = used();
  if (task->timed) time_each(task, fn, context, before + calls, &samples);
  print_result(calls * each, begin, end, &samples);
  free(samples.seconds);
}

void measure_once(operation *fn, void *context, uint64_t operations)
{
  struct samples none = {0};
  struct usage begin = used();
  fn(context, 0);
  print_result(operations, begin, used(), &none);
}

void measure_runner(const struct task *task, runner *run, void *context)
{
  struct samples samples = {0};
  struct usage begin = used();
  uint64_t operations = run(context, begin.wall + task->seconds, &samples);
  print_result(operations, begin, used(), &samples);
  free(samples.seconds);
}
