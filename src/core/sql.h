/* What can be told from an SQL text without parsing it: where its first
 * statement begins and ends, of which kind that is, how SQLite will number
 * its parameters, and what must not be sent at all. Tokens are SQLite's own
 * (3.40, tokenize.c); a text that SQLite would reject may be told anything
 * but that it is harmless. */
#ifndef DQC_SQL_H
#define DQC_SQL_H

#include "core/buf.h"

#pragma GCC visibility push(hidden)

/* What a statement does. EXPLAIN is a flag: `kind` is that of the statement
 * explained. WITH has the kind of what follows its tables. */
enum dqc_sql_kind {
  DQC_SQL_EMPTY, /* blanks, comments and semicolons only */
  DQC_SQL_UNKNOWN, /* no statement of SQLite begins so */
  DQC_SQL_READ, /* SELECT, VALUES */
  DQC_SQL_CHANGE, /* INSERT, REPLACE, UPDATE, DELETE */
  DQC_SQL_DEFINE, /* CREATE, ALTER, DROP, REINDEX, ANALYZE, VACUUM */
  DQC_SQL_PRAGMA,
  DQC_SQL_ATTACH,
  DQC_SQL_DETACH,
  DQC_SQL_BEGIN,
  DQC_SQL_COMMIT, /* and END */
  DQC_SQL_ROLLBACK, /* the whole transaction */
  DQC_SQL_ROLLBACK_TO, /* a savepoint */
  DQC_SQL_SAVEPOINT,
  DQC_SQL_RELEASE
};

/* A parameter that has a name; `?` and `?5` have none. */
struct dqc_sql_name {
  uint32_t number; /* counted from 1 */
  uint32_t begin, len; /* in the text, with its first byte: ":a" */
};

struct dqc_sql {
  uint8_t kind;
  const char *verb; /* in capitals: the word that gave the kind, "" without */
  uint8_t explain; /* EXPLAIN or EXPLAIN QUERY PLAN precedes */
  uint8_t with; /* WITH precedes the verb */
  uint8_t returning; /* a CHANGE with RETURNING: yields rows */
  uint8_t star; /* a column list has a bare * or t.* */
  uint8_t rollback; /* the keyword ROLLBACK is somewhere: OR ROLLBACK */
  uint8_t fails; /* OR FAIL, ON CONFLICT FAIL, RAISE(FAIL): keeps some rows */
  uint8_t setter; /* PRAGMA with a value: = or ( behind its name */

  /* Why no server may get it (hazards.md; protocol.md 2.3: what 1.18.2's
   * authorizer denies), or NULL. A constant: the same reason is the same
   * pointer. It does not depend on what follows: a PRAGMA may act while the
   * text is parsed, before it is rejected for what is behind. */
  const char *refusal;

  /* The statement, without blanks, comments and `;`; where there is none,
   * the end of the text. */
  size_t begin, end;
  size_t next; /* behind its `;`; the length of the text without one */
  uint8_t more; /* behind `next` is another statement */

  size_t params; /* how many values it takes: the highest number */
  uint8_t misnumbered; /* some like ?0 or above 32766: not counted, an error */
  size_t names; /* parameters with a name, in the order of their numbers */
  struct dqc_buf name_list; /* that many struct dqc_sql_name */
  struct dqc_buf name_index; /* finds a name again in constant time */
};

void dqc_sql_init(struct dqc_sql *sql, struct dqc_alloc alloc);
void dqc_sql_free(struct dqc_sql *sql);

/* Scans the first statement of the text, in linear time. Offsets count from
 * the start of the text. The struct can be used for one scan after the other.
 * DQC_DONE; or, with a result that says UNKNOWN and nothing else, DQC_ENOMEM,
 * or DQC_ETOOBIG for a text of 4 GiB. */
int dqc_sql_scan(struct dqc_sql *sql, struct dqc_bytes text);

/* The i-th name, counted from 0. */
struct dqc_sql_name dqc_sql_name_at(const struct dqc_sql *sql, size_t i);

#pragma GCC visibility pop

#endif
