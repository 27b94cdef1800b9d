/* Rows of a ROWS frame as Lua values, straight from the frame. */
#ifndef DQL_RESULT_H
#define DQL_RESULT_H

#include "core/rows.h"
#include "lua/value.h"

#pragma GCC visibility push(hidden)

enum dql_shape { DQL_BY_NAME, DQL_BY_POSITION, DQL_FIRST_VALUE };

/* Where the arguments of a read stand on the stack. */
#define DQL_NULL_AT 5 /* what a NULL becomes */
#define DQL_COLUMNS_AT 6 /* by name: the names, from dql_push_columns */

void dql_push_columns(lua_State *L, const struct dqc_rows *rows);

/* The types of the next row, nil without one, or DQC_EPROTO and nothing. */
int dql_push_types(lua_State *L, const struct dqc_rows *rows);

/* Pushes the next row and takes it off: DQC_DONE, or DQC_EPROTO and nothing.
 * When pushing raises, the row is still there. By name a NULL is absent where
 * nil stands for it. */
int dql_push_row(lua_State *L, struct dqc_rows *rows, enum dql_shape shape,
                 const struct dql_reading *how);

#pragma GCC visibility pop

#endif
