/* SQLite itself in this process, on a file: what a server could not be faster
 * than. For context. The address is a directory. */
#define _POSIX_C_SOURCE 200809L

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "measure.h"
#include "workloads.h"

struct client {
  sqlite3 *db;
  sqlite3_stmt *statement;
  int64_t limit;
};

static void check(sqlite3 *db, int rc)
{
  if (rc != SQLITE_OK) fail("sqlite", sqlite3_errmsg(db));
}

static sqlite3 *open_database(const char *dir)
{
  char path[512];
  sqlite3 *db;
  snprintf(path, sizeof path, "%s/bench.db", dir);
  check(NULL, sqlite3_open(path, &db));
  check(db, sqlite3_exec(db, "PRAGMA journal_mode = WAL", 0, 0, 0));
  check(db, sqlite3_exec(db, "PRAGMA synchronous = OFF", 0, 0, 0));
  return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
  sqlite3_stmt *statement;
  check(db, sqlite3_prepare_v2(db, sql, -1, &statement, NULL));
  return statement;
}

/* Runs it and looks at every value. */
static void step_all(sqlite3_stmt *statement)
{
  int rc;
  while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
      switch (sqlite3_column_type(statement, i)) {
      case SQLITE_INTEGER: sqlite3_column_int64(statement, i); break;
      case SQLITE_FLOAT: sqlite3_column_double(statement, i); break;
      default: sqlite3_column_blob(statement, i); break;
      }
    }
  }
  if (rc != SQLITE_DONE) fail("sqlite3_step", sqlite3_errstr(rc));
  sqlite3_reset(statement);
}

static void open_and_close(void *context, uint64_t i)
{
  (void)i;
  sqlite3_close(open_database(context));
}

static void step(void *context, uint64_t i)
{
  struct client *c = context;
  (void)i;
  step_all(c->statement);
}

static void step_by_key(void *context, uint64_t i)
{
  struct client *c = context;
  sqlite3_bind_int64(c->statement, 1, (int64_t)(i % POINTS + 1));
  step_all(c->statement);
}

static void step_text_by_key(void *context, uint64_t i)
{
  struct client *c = context;
  c->statement = prepare(c->db, POINT);
  step_by_key(c, i);
  sqlite3_finalize(c->statement);
}

static void insert(void *context, uint64_t i)
{
  struct client *c = context;
  sqlite3_bind_int64(c->statement, 1, (int64_t)i);
  sqlite3_bind_int64(c->statement, 2, (int64_t)i * 3);
  step_all(c->statement);
}

static void insert_all(void *context, uint64_t i)
{
  struct client *c = context;
  check(c->db, sqlite3_exec(c->db, "BEGIN IMMEDIATE", 0, 0, 0));
  for (i = 0; i < (uint64_t)c->limit; i++) insert(c, i);
  check(c->db, sqlite3_exec(c->db, "COMMIT", 0, 0, 0));
}

/* Runs the statements on standard input: how the bench makes its tables. */
static void run_input(sqlite3 *db)
{
  static char text[65536];
  size_t n = fread(text, 1, sizeof text - 1, stdin);
  text[n] = 0;
  check(db, sqlite3_exec(db, text, 0, 0, 0));
}

static void measure_on_one(const struct task *task, struct client *c)
{
  switch (task->workload[0]) {
  case 'b':
    c->statement = prepare(c->db, "SELECT 1");
    measure(task, step, c, 1);
    break;
  case 'c':
    if (strcmp(task->workload, "c") == 0) {
      measure(task, step_text_by_key, c, 1);
    } else {
      c->statement = prepare(c->db, POINT);
      measure(task, step_by_key, c, 1);
    }
    break;
  case 'd':
    c->statement = prepare(c->db, INSERT);
    measure(task, insert, c, 1);
    break;
  case 'e':
    c->statement = prepare(c->db, INSERT);
    c->limit = (int64_t)task->count;
    measure_once(insert_all, c, task->count);
    break;
  case 'f':
    c->statement = prepare(c->db, WIDE);
    sqlite3_bind_int64(c->statement, 1, (int64_t)task->count);
    step(c, 0); /* to warm up */
    measure_once(step, c, task->count);
    break;
  case 'm':
    c->statement = prepare(c->db, WIDE);
    sqlite3_bind_int64(c->statement, 1, 100);
    measure(task, step, c, 1);
    break;
  default: fail(task->workload, "is no workload");
  }
}

int main(int argc, char **argv)
{
  struct task task = read_task(argc, argv);
  struct client c = {0};
  if (task.workload[0] == 'a') {
    measure(&task, open_and_close, (void *)task.address, 1);
    return 0;
  }
  c.db = open_database(task.address);
  if (strcmp(task.workload, "input") == 0) {
    run_input(c.db);
  } else {
    check(c.db, sqlite3_exec(c.db, "DELETE FROM sink", 0, 0, 0));
    measure_on_one(&task, &c);
  }
  return 0;
}
