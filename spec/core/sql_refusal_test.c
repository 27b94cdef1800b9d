/* What the SQL scanner says must not be sent. sqlite_test.c asks SQLite's
 * authorizer about the same. */
#include "core/sql.h"

#include <string.h>

#include "core/status.h"
#include "support/check.h"
#include "support/make.h"

struct reason {
  const char *sql, *begin;
};

static struct dqc_sql sql;

static void scan(const char *s)
{
  check_about(s);
  CHECK_EQ(dqc_sql_scan(&sql, bytes_of(s)), DQC_DONE);
}

static void test_refused(void)
{
  static const char *const list[] = {
      "ATTACH 'f' AS f",
      "/**/attach--\ndatabase ? AS f",
      ";ATTACH '' AS f",
      "attach",
      "EXPLAIN QUERY PLAN ATTACH 'f' AS f",
      "VACUUM INTO 'f'",
      "VACUUM main INTO ?",
      "vacuum/**/into:f",
      "VACUUM x y INTO z",
      "PRAGMA journal_mode=DELETE",
      "PRAGMA main.journal_mode=x",
      "pragma\"journal_mode\"(x)",
      "pragma[main].'journal_mode'(x)",
      "PRAGMA `main`.`journal_mode`==x",
      "PRAGMA/**/temp--\n./**/JOURNAL_mode/**/=/**/x",
      "EXPLAIN PRAGMA journal_mode=x",
      "PRAGMA journal_mode=",
      "EXPLAIN QUERY PLAN PRAGMA journal_mode(x",
      "PRAGMA journal_mode = x )",
      "PRAGMA page_size=512",
      "PRAGMA page_size(512)",
      "PRAGMA synchronous=1",
      "PRAGMA wal_autocheckpoint=1",
      "PRAGMA wal_checkpoint",
      "PRAGMA main.wal_checkpoint",
      "PRAGMA wal_checkpoint(FULL)",
      "PRAGMA busy_timeout",
      "PRAGMA busy_timeout=1",
      "PRAGMA read_uncommitted",
      "PRAGMA 'read_uncommitted'=1",
      "PRAGMA optimize",
      "CREATE TABLE t (a UNIQUE ON CONFLICT FAIL)",
      "CREATE TRIGGER g INSERT ON t BEGIN INSERT OR/**/fail INTO u SELECT 1;",
      "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT raise(Fail, 'no'); END",
      "PRAGMA incremental_vacuum",
      "PRAGMA main.incremental_vacuum(5)",
      "PRAGMA main.'OPTIMIZE'(0xfffe)",
      "EXPLAIN PRAGMA optimize=1",
      "SELECT * FROM pragma_optimize",
      "SELECT * FROM main.\"pragma_optimize\"(3)",
      "SELECT a FROM t JOIN 'pragma_OPTIMIZE' ON 1",
      "SELECT * FROM t JOIN u, main . 'pragma_optimize'",
      "SELECT 1 IN 'pragma_optimize'",
      "CREATE VIEW v AS SELECT * FROM [pragma_optimize]",
      "SELECT optimize(t) FROM t",
      "WITH w AS (SELECT \"optimize\" (t) FROM t) SELECT * FROM w",
      "PRAGMA locking_mode",
      "PRAGMA Locking_Mode=EXCLUSIVE",
      "PRAGMA",
      "PRAGMA;",
      "PRAGMA 5",
      "PRAGMA ?",
      "PRAGMA .x",
      "PRAGMA main.",
      "PRAGMA \"journal_mode",
      "PRAGMA (x)"};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    scan(list[i]);
    CHECK(sql.refusal != NULL);
  }
}

static void test_allowed(void)
{
  static const char *const list[] = {
      "",
      "SELECT 'ATTACH'",
      "SELECT attach FROM t",
      "DETACH f",
      "VACUUM",
      "VACUUM main",
      "VACUUM \"into\"",
      "PRAGMA journal_mode",
      "PRAGMA main.journal_mode",
      "EXPLAIN PRAGMA journal_mode",
      "PRAGMA page_size",
      "PRAGMA synchronous",
      "PRAGMA wal_autocheckpoint",
      "PRAGMA user_version=1",
      "PRAGMA table_info(journal_mode)",
      "PRAGMA journal_mode.user_version=1",
      "PRAGMA journal_mod=1",
      "PRAGMA journal_modes=1",
      "PRAGMA \"journal_\"\"mode\"=1",
      "PRAGMA \"journal_mode\"\"\"=1",
      "PRAGMA wal_checkpoint_=1",
      "PRAGMA \"wal_checkpoint\"\"x\"",
      "PRAGMA 'wal_checkpoint'''",
      "PRAGMA foreign_keys",
      "INSERT INTO t VALUES ('pragma_optimize')",
      "SELECT * FROM t WHERE a = 'pragma_optimize'",
      "INSERT INTO t(t) VALUES ('optimize')",
      "UPDATE t SET a = optimize(t)",
      "CREATE TABLE optimize (a)",
      "CREATE TABLE t (fail, raise, a DEFAULT (fail))",
      "INSERT OR FAIL INTO t VALUES (1)",
      "SELECT * FROM pragma_journal_mode",
      "SELECT 1; ATTACH 'f' AS f",
      "journal_mode=1"};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    scan(list[i]);
    CHECK_TEXT(sql.refusal ? sql.refusal : "", "");
  }
}

/* Every reason names what it is about, in one line. */
static void test_reasons(void)
{
  static const struct reason list[] = {
      {"ATTACH 'f' AS f", "ATTACH "},
      {"VACUUM INTO 'f'", "VACUUM INTO "},
      {"PRAGMA journal_mode=1", "PRAGMA journal_mode "},
      {"PRAGMA page_size=1", "PRAGMA page_size "},
      {"PRAGMA synchronous=1", "PRAGMA synchronous "},
      {"PRAGMA wal_autocheckpoint=1", "PRAGMA wal_autocheckpoint "},
      {"PRAGMA wal_checkpoint", "PRAGMA wal_checkpoint "},
      {"PRAGMA busy_timeout", "PRAGMA busy_timeout "},
      {"PRAGMA read_uncommitted", "PRAGMA read_uncommitted "},
      {"PRAGMA locking_mode", "PRAGMA locking_mode "},
      {"PRAGMA optimize", "PRAGMA optimize "},
      {"SELECT optimize(t) FROM t", "optimize() "},
      {"PRAGMA 1", "PRAGMA without a name"},
  };
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    scan(list[i].sql);
    const char *reason = sql.refusal ? sql.refusal : "";
    const char *begin = list[i].begin;
    CHECK(strncmp(reason, begin, strlen(begin)) == 0);
    CHECK(strlen(reason) < 120 && !strchr(reason, '\n'));
  }
}

int main(void)
{
  dqc_sql_init(&sql, dqc_alloc_default);
  test_refused();
  test_allowed();
  test_reasons();
  dqc_sql_free(&sql);
  return check_done();
}
