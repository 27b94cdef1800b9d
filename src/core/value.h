/* The values of the wire (protocol.md 1.3 to 1.5): single words and texts,
 * typed SQL values, and the two kinds of tuples that hold them. */
#ifndef DQC_VALUE_H
#define DQC_VALUE_H

#include "core/buf.h"

#pragma GCC visibility push(hidden)

enum dqc_type {
  DQC_INTEGER = 1,
  DQC_FLOAT = 2,
  DQC_TEXT = 3,
  DQC_BLOB = 4,
  DQC_NULL = 5,
  DQC_UNIXTIME = 9, /* seconds; servers send it and refuse it */
  DQC_ISO8601 = 10, /* a text as it was stored */
  DQC_BOOLEAN = 11
};

/* Markers that end a ROWS body (protocol.md 1.7). */
#define DQC_ROWS_DONE UINT64_C(0xffffffffffffffff)
#define DQC_ROWS_PART UINT64_C(0xeeeeeeeeeeeeeeee)

/* SQLite's own bounds at the servers: bytes of a text or blob (one more is
 * answered with "too big"), and parameters of a statement. */
#define DQC_VALUE_MAX ((size_t)1000000000)
#define DQC_PARAMS_MAX ((size_t)32766)

struct dqc_value {
  uint8_t type;
  union {
    int64_t integer; /* INTEGER, UNIXTIME; BOOLEAN: 0 or not */
    double real; /* FLOAT */
    struct dqc_bytes bytes; /* TEXT, ISO8601 (without the NUL), BLOB */
  } as;
};

/* The name of a type as it is spelled in Lua, or NULL. */
const char *dqc_type_name(uint8_t type);

/* Writing: DQC_DONE, DQC_ENOMEM, DQC_EVALUE for a text with a NUL in it, or
 * DQC_ETOOBIG.
 * What was appended before the error stays: the frame takes it back. */
int dqc_put_u64(struct dqc_buf *out, uint64_t v);
int dqc_put_u32(struct dqc_buf *out, uint32_t v);
int dqc_put_text(struct dqc_buf *out, struct dqc_bytes text);
int dqc_put_blob(struct dqc_buf *out, struct dqc_bytes blob);
int dqc_put_value(struct dqc_buf *out, const struct dqc_value *value);

/* DQC_EVALUE when schema 0 cannot count them. */
int dqc_put_params(struct dqc_buf *out, const struct dqc_value *values,
                   size_t count, uint8_t schema);
int dqc_put_row(struct dqc_buf *out, const struct dqc_value *values,
                size_t count);

#pragma GCC visibility pop

#endif
