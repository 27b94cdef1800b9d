/* The SQL scanner with texts that mean harm, and without memory: it ends, in
 * time, in range, and holds a bounded amount. */
#include "core/sql.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/status.h"
#include "support/check.h"
#include "support/failing.h"
#include "support/guard.h"
#include "support/make.h"
#include "support/text.h"

static struct dqc_sql sql; /* used again for every text, as its users do */

/* Texts of up to three of these, at the end of memory; a NUL is in some. */
static void test_at_the_end_of_memory(void)
{
  static const struct dqc_bytes bits[] = {
#define BIT(s) {(const uint8_t *)(s), sizeof(s) - 1}
      BIT(""),        BIT("\0"),
      BIT("-"),       BIT("/"),
      BIT("/*"),      BIT("*"),
      BIT("'"),       BIT("\""),
      BIT("["),       BIT("`"),
      BIT("x'"),      BIT("0x"),
      BIT("1e"),      BIT("1."),
      BIT("1e+"),     BIT("?"),
      BIT(":"),       BIT("::"),
      BIT(":a"),      BIT("("),
      BIT("\xef"),    BIT("\v"),
      BIT("\xbb"),    BIT("<"),
      BIT("|"),       BIT("!"),
      BIT("="),       BIT(">"),
      BIT("PRAGMA "), BIT("EXPLAIN "),
      BIT("WITH "),   BIT("ROLLBACK "),
      BIT("VACUUM "), BIT("CREATE TRIGGER "),
      BIT(";"),       BIT("."),
      BIT("a"),       BIT("END"),
#undef BIT
  };
  size_t count = sizeof bits / sizeof *bits, in_range = 0;
  struct guard guard;
  guard_init(&guard, 100);
  for (size_t i = 0; i < count * count * count; i++) {
    struct text text;
    text_init(&text);
    text_add_bytes(&text, bits[i / count / count]);
    text_add_bytes(&text, bits[i / count % count]);
    text_add_bytes(&text, bits[i % count]);
    struct dqc_bytes bytes = guard_copy(&guard, bytes_from(text.s, text.len));
    int rc = dqc_sql_scan(&sql, bytes);
    in_range += rc == DQC_DONE && sql.begin <= sql.end &&
                sql.end <= sql.next && sql.next <= bytes.len &&
                (sql.next < bytes.len || !sql.more) && sql.verb;
    text_free(&text);
  }
  guard_free(&guard);
  check_about("texts at the end of memory");
  CHECK_EQ(in_range, count * count * count);
}

static void test_nul(void)
{
  struct dqc_bytes text = {(const uint8_t *)"SELECT 1\0;DROP", 14};
  check_about("a NUL");
  CHECK_EQ(dqc_sql_scan(&sql, text), DQC_DONE);
  CHECK_EQ(sql.end, 9);
  CHECK(sql.more);
  CHECK_EQ(dqc_sql_scan(&sql, bytes_from("\0", 1)), DQC_DONE);
  CHECK_EQ(sql.kind, DQC_SQL_UNKNOWN);
  CHECK_EQ(dqc_sql_scan(&sql, bytes_from(NULL, 0)), DQC_DONE);
  CHECK_EQ(sql.kind, DQC_SQL_EMPTY);
}

static void check_nothing(const struct dqc_sql *s)
{
  CHECK_EQ(s->kind, DQC_SQL_UNKNOWN);
  CHECK_TEXT(s->verb, "");
  CHECK(!s->refusal && !s->star && !s->more && !s->rollback);
  CHECK_EQ(s->begin + s->end + s->next + s->params + s->names, 0);
}

static void test_too_big(void)
{
  check_about("4 GiB");
  CHECK_EQ(dqc_sql_scan(&sql, bytes_of("SELECT *, :a; ROLLBACK")), DQC_DONE);
  if (SIZE_MAX == UINT32_MAX) return;
  CHECK_EQ(dqc_sql_scan(&sql, bytes_from("x", (size_t)UINT32_MAX + 1)),
           DQC_ETOOBIG);
  check_nothing(&sql);
}

/* ---- memory ---- */

/* count distinct names, all of them twice. */
static void add_names(struct text *text, unsigned count)
{
  text_add(text, "SELECT 0");
  for (unsigned i = 0; i < 2 * count; i++) {
    text_add(text, ",:n%u", i % count * 7919 % count);
  }
}

static void test_many_names(void)
{
  struct text text;
  text_init(&text);
  add_names(&text, 32766);
  check_about("many names");
  CHECK_EQ(dqc_sql_scan(&sql, bytes_of(text.s)), DQC_DONE);
  CHECK_EQ(sql.params, 32766);
  CHECK_EQ(sql.names, 32766);
  CHECK(!sql.misnumbered);
  int right = 1;
  for (uint32_t i = 0; i < 32766; i++) {
    struct dqc_sql_name name = dqc_sql_name_at(&sql, i);
    unsigned long n = strtoul(text.s + name.begin + 2, NULL, 10);
    right = right && name.number == i + 1 && n == i * 7919 % 32766;
  }
  CHECK(right);
  text_add(&text, ",:one_more,:n5,?");
  check_about("one name too many");
  CHECK_EQ(dqc_sql_scan(&sql, bytes_of(text.s)), DQC_DONE);
  CHECK(sql.misnumbered);
  CHECK_EQ(sql.params, 32766);
  text_free(&text);
}

static int scan_names(struct dqc_alloc alloc)
{
  struct text text;
  struct dqc_sql names;
  text_init(&text);
  add_names(&text, 300);
  dqc_sql_init(&names, alloc);
  int rc = dqc_sql_scan(&names, bytes_of(text.s));
  if (rc) check_nothing(&names);
  if (!rc) CHECK_EQ(names.names, 300);
  dqc_sql_free(&names);
  check_nothing(&names);
  dqc_sql_free(&names);
  text_free(&text);
  return rc;
}

/* A text without names takes no memory; a huge one takes a bounded amount. */
static void test_memory(void)
{
  struct failing failing;
  struct text text;
  struct dqc_sql names;
  failing_run("names without memory", 8, scan_names);
  check_about("memory for names");
  failing_init(&failing, 0);
  dqc_sql_init(&names, failing.alloc);
  CHECK_EQ(dqc_sql_scan(&names, bytes_of("SELECT ?, ?5; SELECT :a")), 0);
  CHECK_EQ(failing.calls, 0);
  text_init(&text);
  add_names(&text, 200000);
  CHECK_EQ(dqc_sql_scan(&names, bytes_of(text.s)), DQC_DONE);
  CHECK(failing.held > 0 && failing.held < 2 * 1024 * 1024);
  dqc_sql_free(&names);
  CHECK_EQ(failing.held, 0);
  text_free(&text);
}

/* ---- time ---- */

/* Seconds for all statements of a text of that size made of the piece, in
 * which a # is a number that grows. */
static double time_of(const char *piece, size_t size)
{
  struct text text;
  text_init(&text);
  const char *hash = strchr(piece, '#');
  size_t before = hash ? (size_t)(hash - piece) : strlen(piece);
  for (unsigned i = 0; text.len < size; i++) {
    text_add_bytes(&text, bytes_from(piece, before));
    if (hash) text_add(&text, "%u%s", i, hash + 1);
  }
  struct dqc_bytes rest = bytes_from(text.s, text.len);
  clock_t begin = clock();
  do {
    if (dqc_sql_scan(&sql, rest)) check_fatal("a scan failed");
    rest.ptr += sql.next;
    rest.len -= sql.next;
  } while (sql.more);
  clock_t end = clock();
  text_free(&text);
  return (double)(end - begin) / CLOCKS_PER_SEC;
}

static double shortest_time(const char *piece, size_t size, int tries)
{
  double best = time_of(piece, size);
  while (--tries > 0) {
    double another = time_of(piece, size);
    if (another < best) best = another;
  }
  return best;
}

/* 16 times the text may take 64 times as long, never 256 times. */
static void test_linear_time(void)
{
  static const char *const pieces[] = {"?",
                                       "?,",
                                       ":a#,",
                                       ":a,",
                                       "(",
                                       ")",
                                       "'",
                                       "''",
                                       "\"",
                                       "`",
                                       "[",
                                       "[]",
                                       ";",
                                       "a;",
                                       "--\n",
                                       "--",
                                       "/*",
                                       "/**/",
                                       "/",
                                       "*",
                                       "-",
                                       "x'",
                                       "x'0'",
                                       "$a(",
                                       "$a::",
                                       ":",
                                       ".",
                                       "1",
                                       "1e+",
                                       "0x",
                                       " ",
                                       "\v",
                                       "\xff",
                                       "\xef\xbb\xbf",
                                       "a ",
                                       "SELECT 1;",
                                       "WITH ",
                                       "WITH a AS (",
                                       "PRAGMA ",
                                       "EXPLAIN ",
                                       "VACUUM ",
                                       "ROLLBACK ",
                                       "CREATE TRIGGER ;",
                                       "; END",
                                       "a;/*",
                                       "a;'",
                                       "CREATE VIRTUAL (;",
                                       "?#,",
                                       ", *",
                                       "@\xc3\xa9#"};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    double small = shortest_time(pieces[i], 64 * 1024, 2);
    double large = shortest_time(pieces[i], 1024 * 1024, 1);
    check_about(pieces[i]);
    if (large > 64 * small + 0.01) {
      large = shortest_time(pieces[i], 1024 * 1024, 3);
    }
    CHECK(large <= 64 * small + 0.01);
  }
  check_about(NULL);
}

int main(void)
{
  dqc_sql_init(&sql, dqc_alloc_default);
  test_at_the_end_of_memory();
  test_nul();
  test_too_big();
  test_many_names();
  test_memory();
  test_linear_time();
  dqc_sql_free(&sql);
  return check_done();
}
