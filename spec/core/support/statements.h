/* The SQL texts of spec/vectors/statements.txt; its first lines tell the
 * format. */
#ifndef STATEMENTS_H
#define STATEMENTS_H

#include "core/buf.h"

struct statements {
  struct dqc_bytes *list;
  size_t count;
};

/* Reads the file, or ends the program. */
void statements_load(struct statements *statements);
void statements_free(struct statements *statements);

#endif
