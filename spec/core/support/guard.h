/* Memory that ends at a page nobody may touch: one byte read too much ends
 * the program. */
#ifndef GUARD_H
#define GUARD_H

#include "core/buf.h"

struct guard {
  uint8_t *map;
  size_t size; /* of what may be touched */
};

/* Room for up to max bytes. */
void guard_init(struct guard *guard, size_t max);
void guard_free(struct guard *guard);

/* A copy of the bytes that ends where the forbidden page begins; it replaces
 * the copy before. */
struct dqc_bytes guard_copy(struct guard *guard, struct dqc_bytes bytes);

#endif
