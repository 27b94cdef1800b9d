/* Rows of a ROWS frame as Lua values, straight from the frame. */
#ifndef DQL_RESULT_H
#define DQL_RESULT_H

#include "core/rows.h"
#include "lua/value.h"

#pragma GCC visibility push(hidden)

enum dql_shape { DQL_BY_NAME, DQL_BY_POSITION, DQL_FIRST_VALUE };

/* What becomes of a row. The numbers are places on the stack. */
struct dql_row_form {
  enum dql_shape shape;
  int null; /* what a NULL becomes */
  int columns; /* by name: the names, from dql_push_columns */
  int into; /* the table to fill; 0 makes a new one for each row */
  const struct dql_reading *how;
};

/* Is the value at index this text? */
int dql_is_text(lua_State *L, int index, struct dqc_bytes text);

void dql_push_columns(lua_State *L, const struct dqc_rows *rows);

/* Does the list at index hold these names and no others? */
int dql_same_columns(lua_State *L, int index, const struct dqc_rows *rows);

/* The types of the next row, nil without one, or DQC_EPROTO and nothing. */
int dql_push_types(lua_State *L, const struct dqc_rows *rows);

/* Takes all rows off and counts them: DQC_DONE, or DQC_EPROTO. */
int dql_count_rows(struct dqc_rows *rows, size_t *count);

/* Pushes the next row and takes it off: DQC_DONE, or DQC_EPROTO and nothing.
 * When pushing raises, the row is still there. By name a NULL is absent where
 * nil stands for it. */
int dql_push_row(lua_State *L, struct dqc_rows *rows,
                 const struct dql_row_form *form);

#pragma GCC visibility pop

#endif
