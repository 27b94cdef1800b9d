#include "core/frame.h"

#include "core/le.h"
#include "core/status.h"

int dqc_frame_next(struct dqc_bytes input, size_t max, struct dqc_frame *frame,
                   size_t *need)
{
  memset(frame, 0, sizeof *frame);
  *need = DQC_HEADER;
  if (input.len < DQC_HEADER) return DQC_WANT_READ;
  size_t words = dqc_load32(input.ptr);
  if (words == 0) return DQC_EPROTO;
  if (words > DQC_FRAME_MAX / DQC_WORD) return DQC_ETOOBIG;
  size_t len = words * DQC_WORD;
  *need = DQC_HEADER + len;
  if (len > max) return DQC_ETOOBIG;
  if (input.len < *need) return DQC_WANT_READ;
  frame->type = input.ptr[4];
  frame->schema = input.ptr[5];
  frame->extra = dqc_load16(input.ptr + 6);
  frame->body.ptr = input.ptr + DQC_HEADER;
  frame->body.len = len;
  return DQC_DONE;
}

int dqc_frame_begin(struct dqc_buf *out, uint8_t type, uint8_t schema,
                    size_t *mark)
{
  uint8_t header[8] = {0, 0, 0, 0, type, schema, 0, 0};
  *mark = dqc_buf_len(out);
  return dqc_buf_append(out, header, sizeof header);
}

int dqc_frame_end(struct dqc_buf *out, size_t mark, size_t max)
{
  size_t len = dqc_buf_len(out) - mark - DQC_HEADER;
  int rc = DQC_DONE;
  if (len > max || len > DQC_FRAME_MAX) rc = DQC_ETOOBIG;
  if (len == 0 || len % DQC_WORD != 0) rc = DQC_EVALUE;
  if (rc) {
    dqc_buf_truncate(out, mark);
    return rc;
  }
  dqc_store32(out->data + out->begin + mark, (uint32_t)(len / DQC_WORD));
  return DQC_DONE;
}
