/* What src/core/sql.c says about random and collected SQL texts, compared
 * with what SQLite itself does with them.
 *
 *   sqlite_test [count [seed]]    as many random texts; the usual 50,000
 *
 * What a failed check was about is printed with the seed of its text:
 * `sqlite_test 1 <that seed>` is that text alone. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sql.h"
#include "core/status.h"
#include "support/check.h"
#include "support/failing.h"
#include "support/grammar.h"
#include "support/make.h"
#include "support/statements.h"
#include "support/talk.h"

#define NO_KIND 255
#define AGREE(condition) agree((condition) ? 1 : 0, #condition, __LINE__)

/* What the authorizer of `db` was asked about one statement. */
static struct {
  uint8_t control; /* the kind that it has for certain, or NO_KIND */
  uint8_t write, define, refuse;
} seen;

/* The same tables, with one more column in `wide`. */
static sqlite3 *db, *wide;
static size_t accepted[DQC_SQL_RELEASE + 1], widened, compared;
static unsigned disagreed;
static char subject[600];

static void agree(int ok, const char *what, int line)
{
  check_that(ok, what, __FILE__, line);
  if (!ok && ++disagreed == 10) exit(check_done());
}

static void describe(const char *origin, uint32_t seed, struct dqc_bytes text)
{
  int len = snprintf(subject, sizeof subject, "%s %lu: ", origin,
                     (unsigned long)seed);
  char *s = subject + len;
  for (size_t i = 0; i < text.len && s < subject + sizeof subject - 8; i++) {
    uint8_t c = text.ptr[i];
    s += sprintf(s, c < 0x20 || c == '\\' ? "\\x%02x" : "%c", c);
  }
  *s = '\0';
  check_about(subject);
}

/* protocol.md 2.3 */
static int is_forbidden(const char *pragma, int setter)
{
  static const char *const never[] = {"wal_checkpoint", "busy_timeout",
                                      "read_uncommitted", "locking_mode"};
  static const char *const set[] = {"journal_mode", "page_size", "synchronous",
                                    "wal_autocheckpoint"};
  for (int i = 0; i < 4; i++) {
    if (sqlite3_stricmp(pragma, never[i]) == 0) return 1;
    if (setter && sqlite3_stricmp(pragma, set[i]) == 0) return 1;
  }
  return 0;
}

static uint8_t kind_of_savepoint(const char *operation)
{
  if (*operation == 'B') return DQC_SQL_SAVEPOINT;
  return strcmp(operation, "RELEASE") ? DQC_SQL_ROLLBACK_TO : DQC_SQL_RELEASE;
}

static uint8_t kind_of_transaction(const char *operation)
{
  if (*operation == 'B') return DQC_SQL_BEGIN;
  return *operation == 'C' ? DQC_SQL_COMMIT : DQC_SQL_ROLLBACK;
}

static int note(void *ctx, int action, const char *a, const char *b,
                const char *c, const char *d)
{
  (void)ctx, (void)c, (void)d;
  switch (action) {
  case SQLITE_TRANSACTION: seen.control = kind_of_transaction(a); break;
  case SQLITE_SAVEPOINT: seen.control = kind_of_savepoint(a); break;
  case SQLITE_DETACH: seen.control = DQC_SQL_DETACH; break;
  case SQLITE_ATTACH:
    seen.control = DQC_SQL_ATTACH;
    seen.refuse = 1;
    break;
  case SQLITE_PRAGMA:
    seen.control = DQC_SQL_PRAGMA;
    if (is_forbidden(a, b != NULL)) seen.refuse = 1;
    return SQLITE_IGNORE; /* it would act now, on the next texts, too */
  case SQLITE_INSERT:
  case SQLITE_UPDATE:
  case SQLITE_DELETE: seen.write = 1; break;
  case SQLITE_SELECT:
  case SQLITE_READ:
  case SQLITE_FUNCTION:
  case SQLITE_RECURSIVE: break;
  default: seen.define = 1;
  }
  return SQLITE_OK;
}

static void run(sqlite3 *on, const char *sql)
{
  if (sqlite3_exec(on, sql, NULL, NULL, NULL)) {
    check_fatal(sqlite3_errmsg(on));
  }
}

static sqlite3 *open_with(const char *more_columns)
{
  static const char *const tables[] = {"t", "u", "[we ird]", "\"q\"\"q\"",
                                       "replace"};
  sqlite3 *opened;
  if (sqlite3_open(":memory:", &opened)) check_fatal("no memory database");
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    char sql[200];
    snprintf(sql, sizeof sql,
             "CREATE TABLE %s (a UNIQUE, b, c, rollback, \"x;y\", é%s)",
             tables[i], more_columns);
    run(opened, sql);
  }
  run(opened, "CREATE VIEW v AS SELECT * FROM t");
  run(opened, "CREATE TRIGGER vi INSTEAD OF INSERT ON v BEGIN SELECT 1; END");
  run(opened, "CREATE TRIGGER vu INSTEAD OF UPDATE ON v BEGIN SELECT 1; END");
  run(opened, "CREATE TRIGGER vd INSTEAD OF DELETE ON v BEGIN SELECT 1; END");
  run(opened, "SELECT * FROM pragma_table_info('t'), pragma_journal_mode");
  sqlite3_limit(opened, SQLITE_LIMIT_VARIABLE_NUMBER, 32766);
  return opened;
}

/* Scans a block of memory that has just the text's size. */
static int scan_exactly(struct dqc_sql *sql, struct dqc_bytes text)
{
  uint8_t *copy = malloc(text.len ? text.len : 1);
  if (!copy) check_fatal("out of memory");
  if (text.len) memcpy(copy, text.ptr, text.len);
  int rc = dqc_sql_scan(sql, bytes_from(copy, text.len));
  free(copy);
  return rc;
}

static void scan_without_memory(struct dqc_bytes text)
{
  struct failing failing;
  struct dqc_sql sql;
  size_t n = 0;
  do {
    failing_init(&failing, ++n);
    dqc_sql_init(&sql, failing.alloc);
    int rc = dqc_sql_scan(&sql, text);
    AGREE(rc == (failing.failed ? DQC_ENOMEM : DQC_DONE));
    AGREE(!failing.failed || (sql.params == 0 && sql.names == 0));
    dqc_sql_free(&sql);
    AGREE(failing.held == 0);
  } while (failing.failed);
}

/* What is sent is text[begin..end): alone it must be the same. */
static void check_part(const struct dqc_sql *sql, struct dqc_bytes text)
{
  struct dqc_sql again;
  dqc_sql_init(&again, dqc_alloc_default);
  struct dqc_bytes part = bytes_from(text.ptr ? text.ptr + sql->begin : NULL,
                                     sql->end - sql->begin);
  AGREE(scan_exactly(&again, part) == DQC_DONE);
  AGREE(again.kind == sql->kind && again.explain == sql->explain);
  AGREE(again.verb == sql->verb || strcmp(again.verb, sql->verb) == 0);
  AGREE(again.refusal == sql->refusal && again.returning == sql->returning);
  AGREE(again.star == sql->star && again.rollback == sql->rollback);
  AGREE(again.params == sql->params && again.names == sql->names);
  AGREE(again.begin == 0 && again.end == part.len && again.next == part.len);
  AGREE(!again.more);
  dqc_sql_free(&again);
}

static int is_control(uint8_t kind)
{
  return kind >= DQC_SQL_PRAGMA;
}

static int yields_rows(const struct dqc_sql *sql)
{
  return sql->explain || sql->kind == DQC_SQL_READ || sql->returning;
}

static void compare_kind(const struct dqc_sql *sql, sqlite3_stmt *stmt)
{
  int readonly = sqlite3_stmt_readonly(stmt);
  uint8_t kind = sql->kind;
  accepted[kind]++;
  AGREE(kind != DQC_SQL_EMPTY && kind != DQC_SQL_UNKNOWN);
  AGREE((is_control(kind) ? kind : NO_KIND) == seen.control);
  AGREE(sql->explain == (sqlite3_stmt_isexplain(stmt) != 0));
  AGREE(!seen.define || kind == DQC_SQL_DEFINE);
  if (kind == DQC_SQL_READ) AGREE(readonly && !seen.write);
  if (kind == DQC_SQL_CHANGE) AGREE(!readonly && seen.write);
  if (kind == DQC_SQL_PRAGMA && !sql->explain) return;
  AGREE(yields_rows(sql) == (sqlite3_column_count(stmt) > 0));
}

static void compare_params(const struct dqc_sql *sql, struct dqc_bytes text,
                           sqlite3_stmt *stmt)
{
  size_t named = 0;
  AGREE(!sql->misnumbered);
  AGREE(sql->params == (size_t)sqlite3_bind_parameter_count(stmt));
  for (size_t i = 1; i <= sql->params; i++) {
    const char *name = sqlite3_bind_parameter_name(stmt, (int)i);
    if (!name || name[0] == '?') continue;
    AGREE(named < sql->names);
    struct dqc_sql_name ours = dqc_sql_name_at(sql, named++);
    AGREE(ours.number == i && ours.len == strlen(name));
    AGREE(memcmp(text.ptr + ours.begin, name, ours.len) == 0);
  }
  AGREE(named == sql->names);
}

/* Without a star the columns do not depend on the table's. */
static void compare_star(const struct dqc_sql *sql, const char *text,
                         sqlite3_stmt *stmt)
{
  sqlite3_stmt *other;
  if (sql->explain || !yields_rows(sql)) return;
  if (sqlite3_prepare_v2(wide, text, -1, &other, NULL)) return;
  int same = sqlite3_column_count(stmt) == sqlite3_column_count(other);
  AGREE(same || sql->star);
  if (!same) widened++;
  sqlite3_finalize(other);
}

static void compare_more(const struct dqc_sql *sql, const char *tail)
{
  sqlite3_stmt *stmt;
  int rc = sqlite3_prepare_v2(db, tail, -1, &stmt, NULL);
  AGREE(sql->more == (rc || stmt));
  sqlite3_finalize(stmt);
}

/* SQLite, too, takes text[begin..end) alone for the same. */
static void compare_part(const struct dqc_sql *sql, const char *text,
                         sqlite3_stmt *stmt)
{
  sqlite3_stmt *part;
  int rc = sqlite3_prepare_v2(db, text + sql->begin,
                              (int)(sql->end - sql->begin), &part, NULL);
  AGREE(rc == SQLITE_OK && part);
  AGREE(sqlite3_column_count(part) == sqlite3_column_count(stmt));
  AGREE(sqlite3_bind_parameter_count(part) == (int)sql->params);
  sqlite3_finalize(part);
}

static void compare_accepted(const struct dqc_sql *sql, struct dqc_bytes text,
                             sqlite3_stmt *stmt, const char *tail)
{
  const char *s = (const char *)text.ptr;
  AGREE(sql->next == (size_t)(tail - s));
  AGREE((sql->kind == DQC_SQL_EMPTY) == !stmt);
  if (stmt) {
    compare_kind(sql, stmt);
    compare_params(sql, text, stmt);
    compare_star(sql, s, stmt);
    compare_part(sql, s, stmt);
  }
  compare_more(sql, tail);
}

/* Compares the first statement of the text, behind which a NUL must be. */
static void compare(struct dqc_sql *sql, struct dqc_bytes text)
{
  sqlite3_stmt *stmt;
  const char *tail;
  compared++;
  AGREE(scan_exactly(sql, text) == DQC_DONE);
  AGREE(sql->begin <= sql->end && sql->end <= sql->next);
  AGREE(sql->next <= text.len);
  memset(&seen, 0, sizeof seen);
  seen.control = NO_KIND;
  const char *s = (const char *)text.ptr;
  int rc = sqlite3_prepare_v2(db, s, -1, &stmt, &tail);
  /* it may have acted although it was rejected in the end */
  AGREE(!seen.refuse || sql->refusal);
  if (rc == SQLITE_OK) compare_accepted(sql, text, stmt, tail);
  sqlite3_finalize(stmt);
}

/* All statements of a text; those behind one that SQLite rejects too, as
 * texts of their own. */
static void compare_all(const char *origin, uint32_t seed,
                        struct dqc_bytes text)
{
  struct dqc_sql sql;
  dqc_sql_init(&sql, dqc_alloc_default);
  describe(origin, seed, text);
  scan_without_memory(text);
  do {
    compare(&sql, text);
    check_part(&sql, text);
    text.ptr += sql.next;
    text.len -= sql.next;
  } while (sql.more);
  dqc_sql_free(&sql);
}

/* SQLite's texts end at a NUL. */
static struct dqc_bytes c_string(const struct text *text)
{
  return bytes_of(text->s ? text->s : "");
}

static void compare_random(uint32_t count, uint32_t seed)
{
  for (uint32_t i = 0; i < count; i++) {
    struct text text;
    text_init(&text);
    grammar_text(&text, seed + i);
    compare_all("seed", seed + i, c_string(&text));
    text_free(&text);
  }
}

/* Whole; cut at every place; and with something put in at every place. */
static void compare_collected(const struct statements *statements, size_t i)
{
  static const char *const put_in[] = {"/**/", " ", ";", "-- ;\n", "'", "\"",
                                       "(",    ")", "?", "\v",     "/*"};
  struct dqc_bytes whole = statements->list[i];
  uint32_t state = (uint32_t)i;
  for (size_t at = 0; at <= whole.len; at++) {
    struct text text;
    text_init(&text);
    text_add_bytes(&text, bytes_from(whole.ptr, at));
    compare_all("collected, cut", (uint32_t)at, c_string(&text));
    text_add(&text, "%s",
             put_in[talk_random(&state) % (sizeof put_in / sizeof *put_in)]);
    text_add_bytes(&text, bytes_from(whole.ptr + at, whole.len - at));
    compare_all("collected, put in", (uint32_t)at, c_string(&text));
    text_free(&text);
  }
}

/* That the texts were worth it. */
static void check_counts(size_t count)
{
  check_about("statements that SQLite accepted");
  for (uint8_t kind = DQC_SQL_READ; kind <= DQC_SQL_RELEASE; kind++) {
    CHECK(accepted[kind] >= count / 1000);
  }
  CHECK(accepted[DQC_SQL_READ] >= count / 20);
  CHECK(accepted[DQC_SQL_CHANGE] >= count / 20);
  CHECK(widened >= count / 100);
}

static void print_counts(void)
{
  size_t sum = 0;
  for (size_t i = 0; i <= DQC_SQL_RELEASE; i++) sum += accepted[i];
  printf("%lu statements compared, %lu of them accepted by SQLite:",
         (unsigned long)compared, (unsigned long)sum);
  for (size_t i = 0; i <= DQC_SQL_RELEASE; i++) {
    printf(" %lu", (unsigned long)accepted[i]);
  }
  printf("\n");
}

int main(int argc, char **argv)
{
  uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 50000;
  uint32_t seed = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
  struct statements statements;
  db = open_with("");
  wide = open_with(", z");
  sqlite3_set_authorizer(db, note, NULL);
  compare_random(count, seed);
  if (count >= 50000) check_counts(count);
  statements_load(&statements);
  if (argc <= 2) {
    for (size_t i = 0; i < statements.count; i++) {
      compare_collected(&statements, i);
    }
  }
  statements_free(&statements);
  sqlite3_close(db);
  sqlite3_close(wide);
  print_counts();
  return check_done();
}
