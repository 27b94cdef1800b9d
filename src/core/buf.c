#include "core/buf.h"

#include <stdlib.h>
#include <string.h>

#include "core/status.h"

/* A buffer that is empty again gives back what a large message made it grow
 * to: an idle connection stays small. */
#define KEPT ((size_t)64 * 1024)
#define SMALLEST ((size_t)256)

static void *resize_default(void *ctx, void *ptr, size_t old, size_t size)
{
  (void)ctx;
  (void)old;
  if (size == 0) {
    free(ptr);
    return NULL;
  }
  return realloc(ptr, size);
}

const struct dqc_alloc dqc_alloc_default = {resize_default, NULL};

void dqc_buf_init(struct dqc_buf *buf, struct dqc_alloc alloc)
{
  memset(buf, 0, sizeof *buf);
  buf->alloc = alloc;
}

void dqc_buf_free(struct dqc_buf *buf)
{
  if (buf->data) {
    buf->alloc.resize(buf->alloc.ctx, buf->data, buf->size, 0);
  }
  dqc_buf_init(buf, buf->alloc);
}

static void move_to_front(struct dqc_buf *buf)
{
  size_t len = dqc_buf_len(buf);
  if (len && buf->begin) memmove(buf->data, buf->data + buf->begin, len);
  buf->begin = 0;
  buf->end = len;
}

static int grow(struct dqc_buf *buf, size_t need)
{
  size_t size = buf->size < SMALLEST ? SMALLEST : buf->size;
  while (size < need) {
    if (size > SIZE_MAX / 2) return DQC_ENOMEM;
    size *= 2;
  }
  uint8_t *data =
      buf->alloc.resize(buf->alloc.ctx, buf->data, buf->size, size);
  if (!data) return DQC_ENOMEM;
  buf->data = data;
  buf->size = size;
  return DQC_DONE;
}

int dqc_buf_reserve(struct dqc_buf *buf, size_t n, uint8_t **room)
{
  *room = NULL;
  if (n > SIZE_MAX - buf->end) return DQC_ENOMEM;
  if (n > dqc_buf_room(buf)) {
    move_to_front(buf);
    if (n > dqc_buf_room(buf)) {
      int rc = grow(buf, buf->end + n);
      if (rc) return rc;
    }
  }
  if (buf->data) *room = buf->data + buf->end;
  return DQC_DONE;
}

int dqc_buf_append(struct dqc_buf *buf, const void *bytes, size_t n)
{
  uint8_t *room;
  if (n == 0) return DQC_DONE;
  int rc = dqc_buf_reserve(buf, n, &room);
  if (rc) return rc;
  memcpy(room, bytes, n);
  dqc_buf_commit(buf, n);
  return DQC_DONE;
}

void dqc_buf_consume(struct dqc_buf *buf, size_t n)
{
  buf->begin += n;
  if (buf->begin < buf->end) return;
  buf->begin = buf->end = 0;
  if (buf->size > KEPT) dqc_buf_free(buf);
}

void dqc_buf_truncate(struct dqc_buf *buf, size_t len)
{
  buf->end = buf->begin + len;
}
