/* Messages: frames by name, with named fields, in both directions. */
#ifndef DQC_MESSAGE_H
#define DQC_MESSAGE_H

#include "core/frame.h"
#include "core/rows.h"
#include "core/schema.h"
#include "core/take.h"

#pragma GCC visibility push(hidden)

#define X(name, number, answer, fields) DQC_REQUEST_##name = number,
#define V(name, schema, answer, fields)
enum dqc_request { DQC_REQUESTS(X, V) };
#undef X
#define X(name, number, answer, fields) DQC_RESPONSE_##name = number,
enum dqc_response { DQC_RESPONSES(X, V) DQC_RESPONSE_NONE = 255 };
#undef X
#undef V

enum dqc_direction { DQC_TO_SERVER, DQC_TO_CLIENT };

/* What a field is on the wire. */
enum dqc_kind {
  DQC_KIND_END, /* no field: the layout is over */
  DQC_KIND_U64,
  DQC_KIND_I64,
  DQC_KIND_U32,
  DQC_KIND_ID, /* a node id: all 64 bits count */
  DQC_KIND_ROLE, /* 0 voter, 1 standby, 2 spare; may be absent */
  DQC_KIND_TEXT,
  DQC_KIND_PARAMS, /* may be absent: no parameters */
  DQC_KIND_ROWS,
  DQC_KIND_SERVERS,
  DQC_KIND_FILES
};

#define DQC_FIELDS_MAX 4

struct dqc_layout {
  const char *name;
  uint8_t number, schema;
  uint8_t answer; /* of a request: the response that belongs to it */
  struct {
    const char *name;
    uint8_t kind;
  } fields[DQC_FIELDS_MAX + 1];
};

/* All layouts of a direction, ended by one without a name. */
const struct dqc_layout *dqc_layouts(enum dqc_direction direction);
const struct dqc_layout *dqc_layout_of(enum dqc_direction direction,
                                       uint8_t number, uint8_t schema);
const struct dqc_layout *dqc_layout_named(const char *name, uint8_t schema);

/* The content of one field. */
struct dqc_field {
  uint8_t absent; /* ROLE only */
  uint64_t word; /* U64, I64, U32, ID, ROLE */
  struct dqc_bytes bytes; /* TEXT; decoded PARAMS, SERVERS, FILES: raw */
  struct dqc_rows rows; /* decoded ROWS */

  /* To encode a list: PARAMS as they are; SERVERS as id, address[, role];
   * FILES as name, content; ROWS as names and then count rows of values. */
  const struct dqc_value *values;
  size_t count; /* parameters, servers, files, rows */
  size_t columns; /* ROWS; SERVERS: 2 without roles, 3 with them */
  uint8_t more; /* ROWS */
};

struct dqc_message {
  const struct dqc_layout *layout;
  struct dqc_field fields[DQC_FIELDS_MAX];
};

/* DQC_DONE, or DQC_EPROTO for an unknown type or schema or a body that does
 * not fit. A FAILURE is found behind the rows that it may follow (protocol.md
 * 2.6). A response must end where its frame ends. */
int dqc_message_decode(const struct dqc_frame *frame,
                       enum dqc_direction direction,
                       struct dqc_message *message);

/* Appends the whole frame. On any error nothing is appended. */
int dqc_message_encode(struct dqc_buf *out, const struct dqc_message *message,
                       size_t max);

/* Why this message must never reach a server (hazards.md), or NULL. The
 * encoder answers DQC_EVALUE to it. */
const char *dqc_message_refusal(const struct dqc_message *message);

/* Reading the lists of a decoded message. With or without roles is known
 * only from the request (CLUSTER format 1 or 0). */
struct dqc_server {
  uint64_t id, role;
  struct dqc_bytes address;
};
int dqc_take_count(struct dqc_bytes *input, size_t smallest, size_t *count);
int dqc_take_server(struct dqc_bytes *input, int roles,
                    struct dqc_server *server);
int dqc_take_file(struct dqc_bytes *input, struct dqc_bytes *name,
                  struct dqc_bytes *content);

#pragma GCC visibility pop

#endif
