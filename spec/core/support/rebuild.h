/* From a decoded message to one that can be encoded: the lists, which a
 * decoded message holds as raw bytes, become values. */
#ifndef REBUILD_H
#define REBUILD_H

#include "core/message.h"

struct rebuilt {
  struct dqc_message message; /* points into the decoded one's bytes */
  struct dqc_value *values;
  size_t count, size;
};

/* DQC_DONE, or the status of what could not be read. Free it in any case. */
int rebuild(const struct dqc_message *decoded, int roles,
            struct rebuilt *rebuilt);
void rebuilt_free(struct rebuilt *rebuilt);

#endif
