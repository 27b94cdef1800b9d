/* The numbers and names that SQLite gives to a statement's parameters
 * (3.40, sqlite3ExprAssignVarNumber). */
#ifndef DQC_PARAM_H
#define DQC_PARAM_H

#include "core/sql.h"

#pragma GCC visibility push(hidden)

/* Counts one more parameter of the statement: `token` is part of the text.
 * DQC_DONE or DQC_ENOMEM. */
int dqc_param_count(struct dqc_sql *sql, struct dqc_bytes text,
                    struct dqc_bytes token);

/* There are none yet. */
void dqc_param_clear(struct dqc_sql *sql);

#pragma GCC visibility pop

#endif
