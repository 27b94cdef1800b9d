/* A growable queue of bytes: append at the end, consume at the start.
 * The only user of an allocator in the core. */
#ifndef DQC_BUF_H
#define DQC_BUF_H

#include <stddef.h>
#include <stdint.h>

/* All headers do this: a shared object exports luaopen_* alone, however it is
 * compiled (LuaRocks passes no -fvisibility). */
#pragma GCC visibility push(hidden)

/* One function for all, in the shape of a lua_Alloc: moves ptr from `old` to
 * `size` bytes; ptr NULL allocates; size 0 frees and returns NULL. A NULL for
 * size > 0 means "no memory": ptr stays valid. It must not jump out of the
 * core. */
struct dqc_alloc {
  void *(*resize)(void *ctx, void *ptr, size_t old, size_t size);
  void *ctx;
};

extern const struct dqc_alloc dqc_alloc_default; /* realloc and free */

struct dqc_bytes {
  const uint8_t *ptr;
  size_t len;
};

struct dqc_buf {
  struct dqc_alloc alloc;
  uint8_t *data;
  size_t begin, end, size; /* bytes in use: data[begin..end) */
};

void dqc_buf_init(struct dqc_buf *buf, struct dqc_alloc alloc);
void dqc_buf_free(struct dqc_buf *buf);

static inline size_t dqc_buf_len(const struct dqc_buf *buf)
{
  return buf->end - buf->begin;
}

/* The bytes in use; valid until the next reserve, append or free. */
static inline struct dqc_bytes dqc_buf_view(const struct dqc_buf *buf)
{
  struct dqc_bytes view = {buf->data ? buf->data + buf->begin : NULL,
                           dqc_buf_len(buf)};
  return view;
}

/* Makes room for at least n more bytes and points at it. */
int dqc_buf_reserve(struct dqc_buf *buf, size_t n, uint8_t **room);

/* How many bytes can be written where reserve pointed. */
static inline size_t dqc_buf_room(const struct dqc_buf *buf)
{
  return buf->size - buf->end;
}

/* Takes over n bytes that were written where reserve pointed. */
static inline void dqc_buf_commit(struct dqc_buf *buf, size_t n)
{
  buf->end += n;
}

int dqc_buf_append(struct dqc_buf *buf, const void *bytes, size_t n);

/* Drops n bytes from the start. */
void dqc_buf_consume(struct dqc_buf *buf, size_t n);

/* Drops bytes from the end until len are left: takes back what was appended. */
void dqc_buf_truncate(struct dqc_buf *buf, size_t len);

#pragma GCC visibility pop

#endif
