/* The canonical text of a message, as the line `text` of a vector has it
 * (spec/vectors/README.md). Everything in the message is read. */
#ifndef DUMP_H
#define DUMP_H

#include "core/message.h"
#include "support/text.h"

/* DQC_DONE, or the status of what could not be read. `roles`: SERVERS have
 * them. */
int dump_message(const struct dqc_message *message, int roles,
                 struct text *text);

/* Finds the one frame that the bytes are, decodes it and dumps it. */
int dump_frame(struct dqc_bytes bytes, enum dqc_direction direction, int roles,
               struct text *text);

#endif
