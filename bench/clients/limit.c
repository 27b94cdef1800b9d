/* The limit: what a blocking socket and hand-made frames take, for each
 * workload of the bench. */
#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "measure.h"
#include "workloads.h"

#define DEPTH 64
#define CONNECTIONS 8
#define WORKERS 64

struct client {
  struct wire *wire;
  struct request request;
  size_t count;
};

static int64_t key(uint64_t i)
{
  return (int64_t)(i % POINTS + 1);
}

/* ---- one call, one operation ---- */

static void connect_and_close(void *context, uint64_t i)
{
  (void)i;
  wire_close(wire_open(context));
}

static void ask(void *context, uint64_t i)
{
  struct client *c = context;
  (void)i;
  wire_ask(c->wire, &c->request);
}

static void ask_by_key(void *context, uint64_t i)
{
  struct client *c = context;
  set_param(&c->request, 1, key(i));
  wire_ask(c->wire, &c->request);
}

static void insert(void *context, uint64_t i)
{
  struct client *c = context;
  set_param(&c->request, 2, (int64_t)i);
  set_param(&c->request, 1, (int64_t)i * 3);
  wire_ask(c->wire, &c->request);
}

/* ---- one call, many ---- */

static void insert_all(void *context, uint64_t i)
{
  struct client *c = context;
  wire_ask_sql(c->wire, EXEC_SQL, "BEGIN IMMEDIATE");
  for (i = 0; i < c->count; i++) insert(c, i);
  wire_ask_sql(c->wire, EXEC_SQL, "COMMIT");
}

static void ask_pipelined(void *context, uint64_t i)
{
  struct client *c = context;
  uint8_t all[DEPTH * 64];
  size_t len = c->request.len;
  if (len > 64) fail("pipeline", "requests are too long");
  for (i = 0; i < DEPTH; i++) memcpy(all + i * len, c->request.bytes, len);
  wire_send(c->wire, all, DEPTH * len);
  for (i = 0; i < DEPTH; i++) wire_answer(c->wire);
}

/* ---- 64 workers share 8 connections ---- */

struct crowd {
  struct client clients[CONNECTIONS];
  double since[WORKERS]; /* who waits for a connection, since when: a ring */
  size_t first;
  double begun[CONNECTIONS]; /* when the one that has it began to wait */
};

/* The worker at the head of the queue gets the connection. */
static void begin_next(struct crowd *crowd, size_t at, uint64_t i)
{
  struct client *c = &crowd->clients[at];
  crowd->begun[at] = crowd->since[crowd->first];
  set_param(&c->request, 1, key(i));
  wire_send(c->wire, c->request.bytes, c->request.len);
}

/* The one that is done begins to wait again, in the place that it has left. */
static void end_one(struct crowd *crowd, size_t at, struct samples *samples)
{
  wire_answer(crowd->clients[at].wire);
  double end = now();
  add_sample(samples, end - crowd->begun[at]);
  crowd->since[(crowd->first + WORKERS - CONNECTIONS) % WORKERS] = end;
}

static uint64_t run_crowd(void *context, double deadline,
                          struct samples *samples)
{
  struct crowd *crowd = context;
  struct pollfd polls[CONNECTIONS];
  uint64_t done = 0;
  for (size_t i = 0; i < WORKERS; i++) crowd->since[i] = now();
  for (size_t i = 0; i < CONNECTIONS; i++) {
    polls[i] = (struct pollfd){crowd->clients[i].wire->fd, POLLIN, 0};
    begin_next(crowd, i, i);
    crowd->first++;
  }
  while (now() < deadline) {
    poll(polls, CONNECTIONS, -1);
    for (size_t i = 0; i < CONNECTIONS; i++) {
      if (!polls[i].revents) continue;
      end_one(crowd, i, samples);
      begin_next(crowd, i, ++done);
      crowd->first = (crowd->first + 1) % WORKERS;
    }
  }
  return done;
}

static void measure_crowd(const struct task *task)
{
  struct crowd crowd = {.first = 0};
  for (size_t i = 0; i < CONNECTIONS; i++) {
    struct client *c = &crowd.clients[i];
    c->wire = wire_open(task->address);
    make_id(&c->request, QUERY, wire_prepare(c->wire, POINT), 1);
  }
  measure_runner(task, run_crowd, &crowd);
}

/* ---- many connections ---- */

struct many {
  const char *address;
  struct client *clients;
  size_t count;
};

static void open_all(void *context, uint64_t i)
{
  struct many *many = context;
  (void)i;
  for (size_t n = 0; n < many->count; n++) {
    many->clients[n].wire = wire_open(many->address);
    make_text(&many->clients[n].request, QUERY_SQL, "SELECT 1", 0);
  }
}

static void open_and_close_all(void *context, uint64_t i)
{
  struct many *many = context;
  open_all(many, i);
  for (size_t n = 0; n < many->count; n++) wire_close(many->clients[n].wire);
}

/* All wait at the same time. */
static void ask_all(void *context, uint64_t i)
{
  struct many *many = context;
  (void)i;
  for (size_t n = 0; n < many->count; n++) {
    struct client *c = &many->clients[n];
    wire_send(c->wire, c->request.bytes, c->request.len);
  }
  for (size_t n = 0; n < many->count; n++) wire_answer(many->clients[n].wire);
}

static void measure_many(const struct task *task)
{
  struct many many = {task->address, NULL, task->count};
  many.clients = calloc(many.count, sizeof *many.clients);
  if (!many.clients) fail(task->workload, "no memory");
  if (strcmp(task->workload, "selects") == 0) {
    open_all(&many, 0);
    measure(task, ask_all, &many, many.count);
  } else {
    measure_once(open_and_close_all, &many, many.count);
  }
}

/* ---- the workloads ---- */

static void measure_rows(const struct task *task, struct client *c)
{
  make_text(&c->request, QUERY_SQL, WIDE, 1);
  set_param(&c->request, 1, (int64_t)task->count);
  ask(c, 0); /* to warm up */
  measure_once(ask, c, task->count);
}

static void measure_inserts(const struct task *task, struct client *c)
{
  make_id(&c->request, EXEC, wire_prepare(c->wire, INSERT), 2);
  c->count = task->count;
  measure_once(insert_all, c, task->count);
}

static int is(const struct task *task, const char *workload)
{
  return strcmp(task->workload, workload) == 0;
}

static void measure_on_one(const struct task *task, struct client *c)
{
  if (is(task, "b")) {
    make_text(&c->request, QUERY_SQL, "SELECT 1", 0);
    measure(task, ask, c, 1);
  } else if (is(task, "b_pipe64")) {
    make_text(&c->request, QUERY_SQL, "SELECT 1", 0);
    measure(task, ask_pipelined, c, DEPTH);
  } else if (is(task, "c")) {
    make_text(&c->request, QUERY_SQL, POINT, 1);
    measure(task, ask_by_key, c, 1);
  } else if (is(task, "c_prep")) {
    make_id(&c->request, QUERY, wire_prepare(c->wire, POINT), 1);
    measure(task, ask_by_key, c, 1);
  } else if (is(task, "d")) {
    make_text(&c->request, EXEC_SQL, INSERT, 2);
    measure(task, insert, c, 1);
  } else if (is(task, "m")) {
    make_text(&c->request, QUERY_SQL, WIDE, 1);
    set_param(&c->request, 1, 100);
    measure(task, ask, c, 1);
  } else if (task->workload[0] == 'e') {
    measure_inserts(task, c);
  } else if (task->workload[0] == 'f') {
    measure_rows(task, c);
  } else {
    fail(task->workload, "is no workload");
  }
}

int main(int argc, char **argv)
{
  struct task task = read_task(argc, argv);
  struct client c = {0};
  if (is(&task, "a")) {
    measure(&task, connect_and_close, (void *)task.address, 1);
  } else if (task.workload[0] == 'g') {
    measure_crowd(&task);
  } else if (is(&task, "selects") || is(&task, "idle")) {
    measure_many(&task);
  } else {
    c.wire = wire_open(task.address);
    measure_on_one(&task, &c);
  }
  return 0;
}
