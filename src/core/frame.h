/* Frames: an 8-byte header (words, type, schema, extra) and a body of whole
 * words (protocol.md 1.2). The only file that knows "more". */
#ifndef DQC_FRAME_H
#define DQC_FRAME_H

#include "core/buf.h"

#pragma GCC visibility push(hidden)

#define DQC_HEADER ((size_t)8)

/* No frame is larger, in either direction, whatever limit is set: requests
 * above 2 GiB crash a server or make it spin for ever (protocol.md 2.1). */
#define DQC_FRAME_MAX ((size_t)1 << 30)

struct dqc_frame {
  uint8_t type;
  uint8_t schema;
  uint16_t extra;
  struct dqc_bytes body; /* points into the input */
};

/* Looks for one frame at the start of the input.
 *   DQC_DONE       *frame is set; *need is its whole length in bytes
 *   DQC_WANT_READ  *need bytes of input are wanted before the next look
 *   DQC_EPROTO     a body of no words
 *   DQC_ETOOBIG    a body above max bytes */
int dqc_frame_next(struct dqc_bytes input, size_t max, struct dqc_frame *frame,
                   size_t *need);

/* Appends a header whose length is not known yet; *mark finds it again. */
int dqc_frame_begin(struct dqc_buf *out, uint8_t type, uint8_t schema,
                    size_t *mark);

/* Writes the length of what was appended since begin. On an error everything
 * back to the header is taken away. */
int dqc_frame_end(struct dqc_buf *out, size_t mark, size_t max);

#pragma GCC visibility pop

#endif
