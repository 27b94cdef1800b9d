#include "core/sql.h"

#include <string.h>

#include "core/param.h"
#include "core/status.h"
#include "core/token.h"

/* It would run ANALYZE, a write, inside of a query: 1.11.1's next write aborts
 * the node, 1.18.6 never answers and keeps the write lock. */
#define WRITES_UNASKED                                                        \
  "PRAGMA optimize cannot be used: it would write inside of a query; run "    \
  "ANALYZE instead"

struct scan {
  struct dqc_sql *sql;
  struct dqc_bytes text;
  struct dqc_token token; /* kind END: of the statement */
  size_t begin; /* of the token */
  size_t depth; /* of brackets, behind the token */
  uint8_t trigger; /* enum trigger */
  uint8_t virtual_table;
  uint8_t returning;
  uint8_t raises; /* 1 behind RAISE, 2 behind its bracket */
  uint8_t optimizes; /* calls optimize(), which FTS3 has for writing */
  int rc;
};

/* A trigger has statements of its own; it ends with `; END ;`. */
enum trigger { NO_TRIGGER, IN_TRIGGER, AT_SEMI, AT_END };

/* ---- from token to token ---- */

static int is(const struct scan *scan, const char *word)
{
  return dqc_token_is(scan->token, word);
}

static struct dqc_token token_at(const struct scan *scan, size_t i)
{
  struct dqc_bytes rest = {scan->text.len ? scan->text.ptr + i : NULL,
                           scan->text.len - i};
  return dqc_token_first(rest);
}

/* Skips what is no part of a statement; the offset of what follows. */
static size_t skip(const struct scan *scan, size_t i, int semicolons)
{
  struct dqc_token token = token_at(scan, i);
  while (token.kind == DQC_TOKEN_SPACE ||
         (semicolons && token.kind == DQC_TOKEN_SEMI)) {
    i += token.bytes.len;
    token = token_at(scan, i);
  }
  return i;
}

/* Does the semicolon end the statement? */
static int ends(const struct scan *scan)
{
  if (scan->virtual_table) return scan->depth == 0;
  return scan->trigger == NO_TRIGGER || scan->trigger == AT_END;
}

static void follow_trigger(struct scan *scan)
{
  if (scan->trigger == NO_TRIGGER) return;
  if (scan->token.kind == DQC_TOKEN_SEMI) {
    scan->trigger = AT_SEMI;
  } else if (scan->trigger == AT_SEMI && is(scan, "END")) {
    scan->trigger = AT_END;
  } else {
    scan->trigger = IN_TRIGGER;
  }
}

/* May a `*` behind this token stand for columns? */
static int precedes_star(struct dqc_token token)
{
  return token.kind == DQC_TOKEN_COMMA || token.kind == DQC_TOKEN_DOT ||
         dqc_token_is(token, "SELECT") || dqc_token_is(token, "DISTINCT") ||
         dqc_token_is(token, "ALL") || dqc_token_is(token, "RETURNING");
}

/* Is the token a table that is PRAGMA optimize? A '..' is that only where no
 * value can stand. */
static int is_optimize_table(struct dqc_token token, struct dqc_token before)
{
  if (!dqc_token_names(token, "pragma_optimize")) return 0;
  if (token.bytes.ptr[0] != '\'') return 1;
  return before.kind == DQC_TOKEN_DOT || dqc_token_is(before, "FROM") ||
         dqc_token_is(before, "JOIN") || dqc_token_is(before, "IN");
}

/* FAIL is a word that columns may have for a name. */
static void note_fail(struct scan *scan, struct dqc_token before)
{
  uint8_t raises = scan->raises;
  scan->raises = 0;
  if (is(scan, "RAISE")) scan->raises = 1;
  if (raises == 1 && scan->token.kind == DQC_TOKEN_OPEN) scan->raises = 2;
  if (!is(scan, "FAIL")) return;
  if (raises == 2 || dqc_token_is(before, "OR") ||
      dqc_token_is(before, "CONFLICT")) {
    scan->sql->fails = 1;
  }
}

static void note(struct scan *scan, struct dqc_token before)
{
  struct dqc_sql *sql = scan->sql;
  uint8_t kind = scan->token.kind;
  if (kind == DQC_TOKEN_OPEN) scan->depth++;
  if (kind == DQC_TOKEN_OPEN && dqc_token_names(before, "optimize")) {
    scan->optimizes = 1;
  }
  if (kind == DQC_TOKEN_CLOSE && scan->depth > 0) scan->depth--;
  if (kind == DQC_TOKEN_STAR && precedes_star(before)) sql->star = 1;
  if (is_optimize_table(scan->token, before)) sql->refusal = WRITES_UNASKED;
  if (is(scan, "ROLLBACK")) sql->rollback = 1;
  note_fail(scan, before);
  if (is(scan, "RETURNING")) scan->returning = 1;
  if (kind == DQC_TOKEN_PARAM && !scan->virtual_table) {
    scan->rc = dqc_param_count(sql, scan->text, scan->token.bytes);
  }
}

static void finish(struct scan *scan, size_t next)
{
  scan->sql->next = next;
  scan->token.kind = DQC_TOKEN_END;
}

/* Goes to the statement's next token, and stays at its end. */
static void advance(struct scan *scan)
{
  struct dqc_token before = scan->token;
  if (before.kind == DQC_TOKEN_END) return;
  size_t end = scan->begin + before.bytes.len;
  scan->begin = skip(scan, end, 0);
  scan->token = token_at(scan, scan->begin);
  end = scan->begin + scan->token.bytes.len;
  if (scan->token.kind == DQC_TOKEN_END ||
      (scan->token.kind == DQC_TOKEN_SEMI && ends(scan))) {
    finish(scan, end);
    return;
  }
  follow_trigger(scan);
  if (scan->token.kind != DQC_TOKEN_SEMI) scan->sql->end = end;
  note(scan, before);
  if (scan->rc) finish(scan, end);
}

/* ---- what the statement is ---- */

static const struct {
  const char *word;
  uint8_t kind;
} verbs[] = {
    {"SELECT", DQC_SQL_READ},       {"VALUES", DQC_SQL_READ},
    {"INSERT", DQC_SQL_CHANGE},     {"REPLACE", DQC_SQL_CHANGE},
    {"UPDATE", DQC_SQL_CHANGE},     {"DELETE", DQC_SQL_CHANGE},
    {"CREATE", DQC_SQL_DEFINE},     {"ALTER", DQC_SQL_DEFINE},
    {"DROP", DQC_SQL_DEFINE},       {"REINDEX", DQC_SQL_DEFINE},
    {"ANALYZE", DQC_SQL_DEFINE},    {"VACUUM", DQC_SQL_DEFINE},
    {"PRAGMA", DQC_SQL_PRAGMA},     {"ATTACH", DQC_SQL_ATTACH},
    {"DETACH", DQC_SQL_DETACH},     {"BEGIN", DQC_SQL_BEGIN},
    {"COMMIT", DQC_SQL_COMMIT},     {"END", DQC_SQL_COMMIT},
    {"ROLLBACK", DQC_SQL_ROLLBACK}, {"SAVEPOINT", DQC_SQL_SAVEPOINT},
    {"RELEASE", DQC_SQL_RELEASE},
};

static void read_verb(struct scan *scan)
{
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
    if (is(scan, verbs[i].word)) {
      scan->sql->kind = verbs[i].kind;
      scan->sql->verb = verbs[i].word;
    }
  }
  if (scan->sql->with && scan->sql->kind > DQC_SQL_CHANGE) {
    scan->sql->kind = DQC_SQL_UNKNOWN;
    scan->sql->verb = "";
  }
}

static void read_explain(struct scan *scan)
{
  if (!is(scan, "EXPLAIN")) return;
  scan->sql->explain = 1;
  advance(scan);
  if (!is(scan, "QUERY")) return;
  advance(scan);
  if (is(scan, "PLAN")) advance(scan);
}

/* Goes past the tables of WITH, whose names may look like verbs: the verb is
 * what follows an outermost `)` and is neither AS nor a comma. */
static void read_with(struct scan *scan)
{
  int closed = 0;
  if (!is(scan, "WITH")) return;
  scan->sql->with = 1;
  while (scan->token.kind != DQC_TOKEN_END) {
    advance(scan);
    uint8_t kind = scan->token.kind;
    if (closed && kind != DQC_TOKEN_COMMA && !is(scan, "AS")) return;
    closed = kind == DQC_TOKEN_CLOSE && scan->depth == 0;
  }
}

/* A trigger has semicolons in it. So may the arguments of a virtual table,
 * any tokens in balanced brackets; what looks like a parameter there is
 * none. */
static void read_create(struct scan *scan)
{
  advance(scan);
  if (is(scan, "TEMP") || is(scan, "TEMPORARY")) advance(scan);
  if (is(scan, "TRIGGER")) scan->trigger = IN_TRIGGER;
  if (is(scan, "VIRTUAL")) scan->virtual_table = 1;
}

static void read_rollback(struct scan *scan)
{
  while (scan->token.kind != DQC_TOKEN_END && !is(scan, "TO")) advance(scan);
  if (is(scan, "TO")) scan->sql->kind = DQC_SQL_ROLLBACK_TO;
}

static void read_vacuum(struct scan *scan)
{
  while (scan->token.kind != DQC_TOKEN_END && !is(scan, "INTO")) advance(scan);
  if (is(scan, "INTO")) {
    scan->sql->refusal = "VACUUM INTO would write a file on the server: "
                         "dump the database instead";
  }
}

/* What dqlite 1.18.2's authorizer denies, and two that write unasked. */
static const struct {
  const char *name;
  uint8_t setter; /* reading it does no harm */
  const char *refusal;
} pragmas[] = {
    {"journal_mode", 1,
     "PRAGMA journal_mode cannot be set: servers need their own mode"},
    {"page_size", 1,
     "PRAGMA page_size cannot be set: servers need pages of 4096 bytes"},
    {"synchronous", 1,
     "PRAGMA synchronous cannot be set: servers write through their own log"},
    {"wal_autocheckpoint", 1,
     "PRAGMA wal_autocheckpoint cannot be set: servers checkpoint by "
     "themselves"},
    {"wal_checkpoint", 0,
     "PRAGMA wal_checkpoint cannot be used: servers checkpoint by themselves"},
    {"busy_timeout", 0,
     "PRAGMA busy_timeout cannot be used: set the option busy_timeout "
     "instead"},
    {"read_uncommitted", 0,
     "PRAGMA read_uncommitted cannot be used: connections share no cache"},
    {"locking_mode", 0,
     "PRAGMA locking_mode cannot be used: use BEGIN EXCLUSIVE instead"},
    {"optimize", 0, WRITES_UNASKED},
    {"incremental_vacuum", 0,
     "PRAGMA incremental_vacuum cannot be used: it would write inside of a "
     "query; run VACUUM instead"},
};

static const char *refuse_pragma(struct dqc_token name, int setter)
{
  if (!dqc_token_is_name(name)) {
    return "PRAGMA without a name that can be read";
  }
  for (size_t i = 0; i < sizeof pragmas / sizeof *pragmas; i++) {
    if (dqc_token_names(name, pragmas[i].name) &&
        (setter || !pragmas[i].setter)) {
      return pragmas[i].refusal;
    }
  }
  return NULL;
}

static void read_pragma(struct scan *scan)
{
  advance(scan);
  struct dqc_token name = scan->token;
  if (name.kind != DQC_TOKEN_END) advance(scan);
  if (scan->token.kind == DQC_TOKEN_DOT) {
    advance(scan);
    name = scan->token;
    advance(scan);
  }
  uint8_t kind = scan->token.kind;
  scan->sql->setter = kind == DQC_TOKEN_EQ || kind == DQC_TOKEN_OPEN;
  scan->sql->refusal = refuse_pragma(name, scan->sql->setter);
}

static void read_head(struct scan *scan)
{
  struct dqc_sql *sql = scan->sql;
  read_explain(scan);
  read_with(scan);
  read_verb(scan);
  if (sql->kind == DQC_SQL_PRAGMA) read_pragma(scan);
  if (sql->kind == DQC_SQL_ROLLBACK) read_rollback(scan);
  if (is(scan, "CREATE")) read_create(scan);
  if (is(scan, "VACUUM")) read_vacuum(scan);
  if (sql->kind == DQC_SQL_ATTACH) {
    sql->refusal = "ATTACH cannot be used: a connection has one database, "
                   "open another connection for another one";
  }
}

/* ---- the whole ---- */

/* As if nothing was scanned; both buffers keep their memory. */
static void reset(struct dqc_sql *sql)
{
  struct dqc_buf list = sql->name_list, index = sql->name_index;
  memset(sql, 0, sizeof *sql);
  sql->name_list = list;
  sql->name_index = index;
  dqc_param_clear(sql);
  sql->kind = DQC_SQL_UNKNOWN;
  sql->verb = "";
}

void dqc_sql_init(struct dqc_sql *sql, struct dqc_alloc alloc)
{
  dqc_buf_init(&sql->name_list, alloc);
  dqc_buf_init(&sql->name_index, alloc);
  reset(sql);
}

void dqc_sql_free(struct dqc_sql *sql)
{
  dqc_buf_free(&sql->name_list);
  dqc_buf_free(&sql->name_index);
  reset(sql);
}

static int scan_statement(struct scan *scan)
{
  struct dqc_sql *sql = scan->sql;
  read_head(scan);
  while (scan->token.kind != DQC_TOKEN_END) advance(scan);
  sql->returning = scan->returning && sql->kind == DQC_SQL_CHANGE;
  if (sql->fails && sql->kind == DQC_SQL_DEFINE) {
    sql->refusal = "FAIL as a conflict clause cannot be used: a write that "
                   "fails and keeps rows takes a server down; use ABORT";
  }
  if (scan->optimizes && sql->kind == DQC_SQL_READ) {
    sql->refusal = "optimize() cannot be used: it would write inside of a "
                   "query; INSERT INTO t(t) VALUES ('optimize') instead";
  }
  sql->more = skip(scan, sql->next, 1) < scan->text.len;
  return scan->rc;
}

int dqc_sql_scan(struct dqc_sql *sql, struct dqc_bytes text)
{
  struct scan scan = {.sql = sql, .text = text};
  reset(sql);
  if ((uint32_t)text.len != text.len) return DQC_ETOOBIG;
  sql->begin = sql->end = scan.begin = skip(&scan, 0, 1);
  if (sql->begin == text.len) {
    sql->kind = DQC_SQL_EMPTY;
    sql->next = text.len;
    return DQC_DONE;
  }
  scan.token.kind = DQC_TOKEN_SPACE; /* before the first */
  advance(&scan);
  int rc = scan_statement(&scan);
  if (rc) reset(sql);
  return rc;
}
