/* The body of a ROWS frame: column names, rows, and the marker that says
 * whether another frame follows (protocol.md 1.7 and 1.8). */
#ifndef DQC_ROWS_H
#define DQC_ROWS_H

#include "core/take.h"

#pragma GCC visibility push(hidden)

struct dqc_rows {
  size_t columns;
  struct dqc_bytes names; /* `columns` texts, for dqc_take_text */
  struct dqc_bytes rows; /* rows for dqc_row_begin, one behind the other */
  uint8_t more; /* another ROWS frame of this result follows */
};

/* Checks the frame's ends: the names and the marker. What is wrong inside a
 * row shows when it is read. Refuses a frame without a row that promises
 * more: such a server would repeat it for ever. */
int dqc_rows_begin(struct dqc_bytes body, struct dqc_rows *rows);

/* Takes what a finished tuple has read off the rows. */
static inline void dqc_rows_commit(struct dqc_rows *rows,
                                   const struct dqc_tuple *tuple)
{
  rows->rows = tuple->input;
}

/* The same names in the same order? */
int dqc_rows_same_names(struct dqc_bytes one, struct dqc_bytes other,
                        size_t columns);

/* Writes a body from the names (texts) and count rows of values. */
int dqc_put_rows(struct dqc_buf *out, const struct dqc_value *names,
                 size_t columns, const struct dqc_value *values, size_t count,
                 int more);

#pragma GCC visibility pop

#endif
