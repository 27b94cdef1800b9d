/* The SQL scanner: what statements are, where they end, what parameters they
 * have. Mostly what SQLite cannot be asked about; sqlite_test.c does the
 * rest. */
#include "core/sql.h"

#include "core/status.h"
#include "support/check.h"
#include "support/make.h"
#include "support/text.h"

struct expected {
  const char *sql, *result;
};

static struct dqc_sql sql; /* used again for every text, as its users do */

static void scan(const char *s)
{
  check_about(s);
  CHECK_EQ(dqc_sql_scan(&sql, bytes_of(s)), DQC_DONE);
}

static const char *kind_name(uint8_t kind)
{
  static const char *const names[] = {
      "EMPTY",    "UNKNOWN",     "READ",      "CHANGE", "DEFINE",
      "PRAGMA",   "ATTACH",      "DETACH",    "BEGIN",  "COMMIT",
      "ROLLBACK", "ROLLBACK_TO", "SAVEPOINT", "RELEASE"};
  return names[kind];
}

/* Kind, verb and flags. */
static void dump_kind(struct text *text)
{
  text_add(text, "%s", kind_name(sql.kind));
  if (sql.verb[0]) text_add(text, " %s", sql.verb);
  if (sql.explain) text_add(text, " explain");
  if (sql.with) text_add(text, " with");
  if (sql.returning) text_add(text, " returning");
  if (sql.star) text_add(text, " star");
  if (sql.rollback) text_add(text, " rollback");
  if (sql.setter) text_add(text, " setter");
  if (sql.refusal) text_add(text, " refused");
  if (sql.more) text_add(text, " more");
}

static void check_kinds(const struct expected *list, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    struct text text;
    scan(list[i].sql);
    text_init(&text);
    dump_kind(&text);
    CHECK_TEXT(text.s, list[i].result);
    text_free(&text);
  }
}

#define CHECK_KINDS(list) check_kinds(list, sizeof(list) / sizeof *(list))

static void test_kinds(void)
{
  static const struct expected list[] = {
      {"", "EMPTY"},
      {" ;; -- x\n /* y */", "EMPTY"},
      {"select 1", "READ SELECT"},
      {"VALUES (1)", "READ VALUES"},
      {"INSERT INTO t VALUES (1)", "CHANGE INSERT"},
      {"Replace INTO t VALUES (1)", "CHANGE REPLACE"},
      {"UPDATE t SET a=1", "CHANGE UPDATE"},
      {"DELETE FROM t", "CHANGE DELETE"},
      {"CREATE TABLE t(a)", "DEFINE CREATE"},
      {"ALTER TABLE t RENAME TO u", "DEFINE ALTER"},
      {"DROP TABLE t", "DEFINE DROP"},
      {"REINDEX", "DEFINE REINDEX"},
      {"ANALYZE", "DEFINE ANALYZE"},
      {"VACUUM", "DEFINE VACUUM"},
      {"PRAGMA user_version", "PRAGMA PRAGMA"},
      {"PRAGMA user_version=1", "PRAGMA PRAGMA setter"},
      {"PRAGMA main.user_version(1)", "PRAGMA PRAGMA setter"},
      {"PRAGMA table_info(t)", "PRAGMA PRAGMA setter"},
      {"ATTACH 'f' AS f", "ATTACH ATTACH refused"},
      {"DETACH f", "DETACH DETACH"},
      {"BEGIN", "BEGIN BEGIN"},
      {"COMMIT", "COMMIT COMMIT"},
      {"END", "COMMIT END"},
      {"ROLLBACK", "ROLLBACK ROLLBACK rollback"},
      {"ROLLBACK TRANSACTION", "ROLLBACK ROLLBACK rollback"},
      {"ROLLBACK TRANSACTION \"to\"", "ROLLBACK ROLLBACK rollback"},
      {"ROLLBACK /* TO */ -- TO x", "ROLLBACK ROLLBACK rollback"},
      {"ROLLBACK;TO x", "ROLLBACK ROLLBACK rollback more"},
      {"ROLLBACK/**/TO/**/x", "ROLLBACK_TO ROLLBACK rollback"},
      {"ROLLBACK TRANSACTION\nto x", "ROLLBACK_TO ROLLBACK rollback"},
      {"ROLLBACK TRANSACTION x TO y", "ROLLBACK_TO ROLLBACK rollback"},
      {"SAVEPOINT s", "SAVEPOINT SAVEPOINT"},
      {"RELEASE s", "RELEASE RELEASE"},
      {"SELEC 1", "UNKNOWN"},
      {"\"SELECT\" 1", "UNKNOWN"},
      {"(SELECT 1)", "UNKNOWN"},
      {"\xff", "UNKNOWN"},
      {"'; SELECT 1", "UNKNOWN"},
      {"SELECT 1; )", "READ SELECT more"},
  };
  CHECK_KINDS(list);
}

static void test_prefixes(void)
{
  static const struct expected list[] = {
      {"EXPLAIN SELECT 1", "READ SELECT explain"},
      {"EXPLAIN QUERY PLAN DELETE FROM t", "CHANGE DELETE explain"},
      {"EXPLAIN/**/QUERY\nPLAN--\nROLLBACK",
       "ROLLBACK ROLLBACK explain rollback"},
      {"EXPLAIN", "UNKNOWN explain"},
      {"EXPLAIN EXPLAIN SELECT 1", "UNKNOWN explain"},
      {"EXPLAIN QUERY SELECT 1", "READ SELECT explain"},
      {"EXPLAIN ATTACH 'f' AS f", "ATTACH ATTACH explain refused"},
      {"EXPLAIN VACUUM INTO 'f'", "DEFINE VACUUM explain refused"},
      {"WITH x AS (SELECT 1) SELECT 1", "READ SELECT with"},
      {"WITH x(a) AS NOT MATERIALIZED (SELECT 1), y AS (VALUES(1)) DELETE "
       "FROM t",
       "CHANGE DELETE with"},
      {"EXPLAIN WITH x AS (SELECT (1)) REPLACE INTO t SELECT 1",
       "CHANGE REPLACE explain with"},
      {"WITH replace AS (SELECT 1) SELECT 1", "READ SELECT with"},
      {"WITH RECURSIVE delete(update) AS (SELECT 1) VALUES(1)",
       "READ VALUES with"},
      {"WITH select AS (SELECT 1), insert AS (SELECT 2) UPDATE t SET a=1",
       "CHANGE UPDATE with"},
      {"WITH \"x)\" AS (SELECT ')') INSERT INTO t SELECT 1",
       "CHANGE INSERT with"},
      {"WITH x AS (SELECT 1) CREATE TABLE t(a)", "UNKNOWN with"},
      {"WITH x AS (SELECT 1) PRAGMA journal_mode=x", "UNKNOWN with"},
      {"WITH x AS (SELECT 1)", "UNKNOWN with"},
      {"WITH", "UNKNOWN with"},
      {"WITH x AS (((", "UNKNOWN with"},
      {"WITH x )) SELECT 1", "UNKNOWN with"},
  };
  CHECK_KINDS(list);
}

static void test_star(void)
{
  static const struct expected list[] = {
      {"SELECT * FROM t", "READ SELECT star"},
      {"SELECT*FROM t", "READ SELECT star"},
      {"SELECT/*a*/-- b\n*FROM t", "READ SELECT star"},
      {"SELECT DISTINCT * FROM t", "READ SELECT star"},
      {"select all * FROM t", "READ SELECT star"},
      {"SELECT a, * FROM t", "READ SELECT star"},
      {"SELECT t.* FROM t", "READ SELECT star"},
      {"SELECT main . t . * FROM t", "READ SELECT star"},
      {"SELECT a FROM (SELECT * FROM t)", "READ SELECT star"},
      {"INSERT INTO t SELECT * FROM u", "CHANGE INSERT star"},
      {"DELETE FROM t RETURNING *", "CHANGE DELETE returning star"},
      {"DELETE FROM t RETURNING a, *", "CHANGE DELETE returning star"},
      {"CREATE VIEW v AS SELECT * FROM t", "DEFINE CREATE star"},
      {"SELECT count(*) FROM t", "READ SELECT"},
      {"SELECT count( /* , */ * ) FROM t", "READ SELECT"},
      {"SELECT a*b, 2 * 3, (a)*b, ?*?, 'a'*'b', 1.*2 FROM t", "READ SELECT"},
      {"SELECT \"all\"*2, [select]*2, `distinct` * 2 FROM t", "READ SELECT"},
      {"SELECT '*', \"*\", [*] FROM t -- *", "READ SELECT"},
      {"UPDATE t SET a=a*2 RETURNING (a)*2", "CHANGE UPDATE returning"},
  };
  CHECK_KINDS(list);
}

static void test_returning_and_rollback(void)
{
  static const struct expected list[] = {
      {"INSERT INTO t VALUES (1) RETURNING a", "CHANGE INSERT returning"},
      {"UPDATE t SET a=?1RETURNING a", "CHANGE UPDATE returning"},
      {"DELETE FROM t returning\"a\"", "CHANGE DELETE returning"},
      {"UPDATE t SET a=0x1RETURNING b", "CHANGE UPDATE returning"},
      {"UPDATE t SET a=1RETURNING b", "CHANGE UPDATE"},
      {"WITH x AS (SELECT 1) DELETE FROM t RETURNING a",
       "CHANGE DELETE with returning"},
      {"INSERT INTO t VALUES ('RETURNING') -- RETURNING", "CHANGE INSERT"},
      {"INSERT INTO t SELECT 1 AS \"RETURNING\"", "CHANGE INSERT"},
      {"SELECT RETURNING", "READ SELECT"},
      {"DELETE FROM t; RETURNING", "CHANGE DELETE more"},
      {"INSERT OR ROLLBACK INTO t VALUES (1)", "CHANGE INSERT rollback"},
      {"UPDATE OR rollback t SET a=1", "CHANGE UPDATE rollback"},
      {"UPDATE t SET a='ROLLBACK', \"rollback\"=1 /* ROLLBACK */",
       "CHANGE UPDATE"},
      {"CREATE TABLE t(a UNIQUE ON CONFLICT ROLLBACK)",
       "DEFINE CREATE rollback"},
      {"CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT RAISE(ROLLBACK, 'a');"
       " END",
       "DEFINE CREATE rollback"},
  };
  CHECK_KINDS(list);
}

/* ---- parameters ---- */

static void test_params(void)
{
  static const struct expected list[] = {
      {"SELECT 1", "0"},
      {"SELECT ?, ?", "2"},
      {"SELECT ?5, ?", "6"},
      {"SELECT ?2, ?1, ?2", "2"},
      {"SELECT :a, @a, $a, :a", "3 1:a 2@a 3$a"},
      {"SELECT ?3, :a, ?, :b, ?4", "6 4:a 6:b"},
      {"SELECT :a, :A", "2 1:a 2:A"},
      {"SELECT :1, ?1", "1 1:1"},
      {"SELECT $a::b(c), :\xc3\xa9", "2 1$a::b(c) 2:\xc3\xa9"},
      {"SELECT :a; SELECT :b", "1 1:a"},
      {"SELECT ':a', \":b\", [:c], `:d` -- :e\n /* :f */", "0"},
      {"SELECT $a(b c), $a(b), :, ::, @, $(a), #", "1 1$a(b)"},
      {"SELECT ?, $a(b", "1"},
      {"SELECT ?0", "0!"},
      {"SELECT ?32766", "32766"},
      {"SELECT ?32767", "0!"},
      {"SELECT ?32766, ?, :a", "32766!"},
      {"SELECT ?99999999999999999999999999999999999, ?2", "2!"},
      {"SELECT ?000000000000000000000000000000003", "3"},
      {"CREATE VIRTUAL TABLE x USING y(?, :a)", "0"},
      {"CREATE TABLE x AS SELECT ?, :a", "2 2:a"},
  };
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    struct text text;
    const char *s = list[i].sql;
    scan(s);
    text_init(&text);
    text_add(&text, "%lu%s", (unsigned long)sql.params,
             sql.misnumbered ? "!" : "");
    for (size_t k = 0; k < sql.names; k++) {
      struct dqc_sql_name name = dqc_sql_name_at(&sql, k);
      text_add(&text, " %lu", (unsigned long)name.number);
      text_add_bytes(&text, bytes_from(s + name.begin, name.len));
    }
    CHECK_TEXT(text.s, list[i].result);
    text_free(&text);
  }
}

/* ---- where statements begin and end ---- */

/* All statements of a text, set off by |. */
static void test_split(void)
{
  static const struct expected list[] = {
      {"", ""},
      {" ; ;", ""},
      {"a", "a"},
      {"a;", "a"},
      {" a b ; ; /* c */ d -- e\n;f", "a b|d|f"},
      {"a';'b;c\";\"d;[;]e;`;`f", "a';'b|c\";\"d|[;]e|`;`f"},
      {"a--;\nb;c/*;*/d", "a--;\nb|c/*;*/d"},
      {"a';", "a';"},
      {"a/*;b", "a"},
      {"a/*", "a/*"},
      {"[];a;[b]];c];d", "[]|a|[b]]|c]|d"},
      {"a $b(;)c;d", "a $b(;)c|d"},
      {"(;)", "(|)"},
      {"CREATE TRIGGER x BEGIN a; b CASE c END; END; d",
       "CREATE TRIGGER x BEGIN a; b CASE c END; END|d"},
      {"EXPLAIN CREATE TEMP TRIGGER x BEGIN a;END/**/ ;d",
       "EXPLAIN CREATE TEMP TRIGGER x BEGIN a;END|d"},
      {"CREATE TRIGGER x BEGIN a; END b; c; END; d",
       "CREATE TRIGGER x BEGIN a; END b; c; END|d"},
      {"CREATE TRIGGER x; a;", "CREATE TRIGGER x; a"},
      {"CREATE TABLE trigger(a); b; END; c",
       "CREATE TABLE trigger(a)|b|END|c"},
      {"CREATE VIRTUAL TABLE x USING y(a;b, (;)c); d",
       "CREATE VIRTUAL TABLE x USING y(a;b, (;)c)|d"},
      {"CREATE VIRTUAL );a", "CREATE VIRTUAL )|a"},
      {"\xef\xbb\xbf a \xef\xbb\xbf; b", "a|b"},
  };
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    struct text text;
    const char *s = list[i].sql;
    text_init(&text);
    text_add(&text, "%s", "");
    do {
      scan(s);
      if (text.len && sql.kind != DQC_SQL_EMPTY) text_add(&text, "|");
      text_add_bytes(&text, bytes_from(s + sql.begin, sql.end - sql.begin));
      s += sql.next;
    } while (sql.more);
    CHECK_TEXT(text.s, list[i].result);
    text_free(&text);
  }
}

static void check_places(const char *s, size_t begin, size_t end, size_t next)
{
  scan(s);
  CHECK_EQ(sql.begin, begin);
  CHECK_EQ(sql.end, end);
  CHECK_EQ(sql.next, next);
}

static void test_places(void)
{
  check_places("", 0, 0, 0);
  check_places(" ; -- a", 7, 7, 7);
  check_places("a", 0, 1, 1);
  check_places("a;", 0, 1, 2);
  check_places(";; a b /**/ ; c", 3, 6, 13);
  check_places("a -- b", 0, 1, 6);
  check_places("a;;", 0, 1, 2);
}

int main(void)
{
  dqc_sql_init(&sql, dqc_alloc_default);
  test_kinds();
  test_prefixes();
  test_star();
  test_returning_and_rollback();
  test_params();
  test_split();
  test_places();
  dqc_sql_free(&sql);
  return check_done();
}
