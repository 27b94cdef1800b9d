/* Hand-made frames over a raw blocking socket: no more than what the wire
 * asks for (goals.md: the physical limit). */
#ifndef BENCH_FRAMES_H
#define BENCH_FRAMES_H

#include <stddef.h>
#include <stdint.h>

struct wire {
  int fd;
  int received; /* something was received since the last send */
  size_t begin, end; /* of what is unread in `in` */
  uint8_t in[64 * 1024];
};

/* A request, made once and sent many times. */
struct request {
  uint8_t bytes[512];
  size_t len;
};

enum { OPEN = 3, PREPARE, EXEC, QUERY, EXEC_SQL = 8, QUERY_SQL };

struct wire *wire_open(const char *address);
void wire_close(struct wire *wire);

/* A request with a text (EXEC_SQL, QUERY_SQL, PREPARE) or a statement's id
 * (EXEC, QUERY), and `params` integers that set_param fills in. */
void make_text(struct request *request, uint8_t type, const char *sql,
               size_t params);
void make_id(struct request *request, uint8_t type, uint32_t id,
             size_t params);
void set_param(struct request *request, size_t from_the_end, int64_t value);

void wire_send(struct wire *wire, const uint8_t *bytes, size_t len);

/* Reads one whole answer: one frame, or all frames of a result. A FAILURE ends
 * the program. Returns the body of the last one. */
const uint8_t *wire_answer(struct wire *wire);

const uint8_t *wire_ask(struct wire *wire, const struct request *request);
const uint8_t *wire_ask_sql(struct wire *wire, uint8_t type, const char *sql);
uint32_t wire_prepare(struct wire *wire, const char *sql);

#endif
