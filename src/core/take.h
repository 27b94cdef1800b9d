/* Reading values off an input. Inline: what a large result costs is what a value
 * costs.
 *
 * Each takes its bytes off the input and answers DQC_DONE, or DQC_EPROTO and
 * leaves the input as it was. */
#ifndef DQC_TAKE_H
#define DQC_TAKE_H

#include "core/le.h"
#include "core/status.h"
#include "core/value.h"

#pragma GCC visibility push(hidden)

/* For what compilers find too large to be inlined more than once. */
#if defined(__GNUC__)
#define DQC_INLINE static inline __attribute__((always_inline))
#else
#define DQC_INLINE static inline
#endif

static inline int dqc_take_u64(struct dqc_bytes *input, uint64_t *v)
{
  *v = 0;
  if (input->len < DQC_WORD) return DQC_EPROTO;
  *v = dqc_load64(input->ptr);
  input->ptr += DQC_WORD;
  input->len -= DQC_WORD;
  return DQC_DONE;
}

static inline int dqc_take_u32(struct dqc_bytes *input, uint32_t *v)
{
  *v = 0;
  if (input->len < sizeof *v) return DQC_EPROTO;
  *v = dqc_load32(input->ptr);
  input->ptr += sizeof *v;
  input->len -= sizeof *v;
  return DQC_DONE;
}

/* Takes len bytes and their padding, both of which must be there. */
static inline int dqc_take_padded(struct dqc_bytes *input, size_t len,
                                  struct dqc_bytes *bytes)
{
  if (len > input->len || dqc_padding(len) > input->len - len) {
    return DQC_EPROTO;
  }
  bytes->ptr = input->ptr;
  bytes->len = len;
  input->ptr += dqc_pad8(len);
  input->len -= dqc_pad8(len);
  return DQC_DONE;
}

/* Without the NUL that ends it. */
static inline int dqc_take_text(struct dqc_bytes *input,
                                struct dqc_bytes *text)
{
  *text = (struct dqc_bytes){NULL, 0};
  const uint8_t *nul = input->len ? memchr(input->ptr, 0, input->len) : NULL;
  if (!nul) return DQC_EPROTO;
  int rc = dqc_take_padded(input, (size_t)(nul - input->ptr) + 1, text);
  if (rc) return rc;
  text->len--;
  return DQC_DONE;
}

static inline int dqc_take_blob(struct dqc_bytes *input,
                                struct dqc_bytes *blob)
{
  struct dqc_bytes rest = *input;
  uint64_t len;
  *blob = (struct dqc_bytes){NULL, 0};
  if (dqc_take_u64(&rest, &len) || len > rest.len) return DQC_EPROTO;
  int rc = dqc_take_padded(&rest, (size_t)len, blob);
  if (rc) return rc;
  *input = rest;
  return DQC_DONE;
}

DQC_INLINE int dqc_take_value(struct dqc_bytes *input, uint8_t type,
                              struct dqc_value *value)
{
  uint64_t word;
  int rc;
  *value = (struct dqc_value){.type = type};
  switch (type) {
  case DQC_INTEGER:
  case DQC_UNIXTIME:
  case DQC_BOOLEAN:
    rc = dqc_take_u64(input, &word);
    value->as.integer = (int64_t)word;
    return rc;
  case DQC_FLOAT:
    rc = dqc_take_u64(input, &word);
    value->as.real = dqc_real_of(word);
    return rc;
  case DQC_NULL: return dqc_take_u64(input, &word);
  case DQC_TEXT:
  case DQC_ISO8601: return dqc_take_text(input, &value->as.bytes);
  case DQC_BLOB: return dqc_take_blob(input, &value->as.bytes);
  default: return DQC_EPROTO;
  }
}

/* ---- tuples ---- */

/* A tuple that is being read: types first, then values in the same order. */
struct dqc_tuple {
  const uint8_t *types;
  size_t count, next;
  uint8_t packed; /* two types a byte, as in rows */
  struct dqc_bytes input;
};

/* Parameters, schema 0 (a byte of count) or 1 (32 bits). No bytes at all is
 * a tuple of none. */
int dqc_params_begin(struct dqc_tuple *tuple, struct dqc_bytes input,
                     uint8_t schema);

static inline int dqc_row_begin(struct dqc_tuple *tuple,
                                struct dqc_bytes input, size_t columns)
{
  struct dqc_bytes head;
  *tuple = (struct dqc_tuple){.input = input};
  int rc = dqc_take_padded(&tuple->input, columns / 2 + columns % 2, &head);
  if (rc) return rc;
  tuple->packed = 1;
  tuple->count = columns;
  tuple->types = head.ptr;
  return DQC_DONE;
}

/* The next value: at most count times. */
DQC_INLINE int dqc_tuple_next(struct dqc_tuple *tuple, struct dqc_value *value)
{
  size_t i = tuple->next;
  uint8_t type;
  if (tuple->packed) {
    type = (tuple->types[i / 2] >> (i % 2 ? 4 : 0)) & 15;
  } else {
    type = tuple->types[i];
  }
  int rc = dqc_take_value(&tuple->input, type, value);
  if (rc) return rc;
  tuple->next++;
  return DQC_DONE;
}

#pragma GCC visibility pop

#endif
