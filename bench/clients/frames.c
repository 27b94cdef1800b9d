#define _DEFAULT_SOURCE

#include "frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

#define DONE UINT64_MAX
#define FAILURE 0
#define ROWS 7

static const int on = 1;

/* ---- requests: little-endian machines only ---- */

static void put(struct request *r, const void *bytes, size_t len)
{
  if (len > sizeof r->bytes - r->len) fail("request", "too long");
  memcpy(r->bytes + r->len, bytes, len);
  r->len += len;
}

static void put_text(struct request *r, const char *text)
{
  static const uint8_t zeros[8];
  size_t len = strlen(text) + 1;
  put(r, text, len);
  put(r, zeros, (8 - len % 8) % 8);
}

static void begin(struct request *r, uint8_t type)
{
  uint8_t header[8] = {0, 0, 0, 0, type, 0, 0, 0};
  put(r, header, sizeof header);
}

static void finish(struct request *r, size_t start)
{
  uint32_t words = (uint32_t)((r->len - start) / 8 - 1);
  memcpy(r->bytes + start, &words, sizeof words);
}

static void put_params(struct request *r, size_t params)
{
  uint8_t head[8] = {(uint8_t)params}; /* protocol.md 1.5; up to seven */
  int64_t value = 0;
  if (params == 0) return;
  memset(head + 1, 1, params);
  put(r, head, sizeof head);
  for (size_t i = 0; i < params; i++) put(r, &value, sizeof value);
}

void make_text(struct request *r, uint8_t type, const char *sql, size_t params)
{
  uint64_t db = 0;
  r->len = 0;
  begin(r, type);
  put(r, &db, sizeof db);
  put_text(r, sql);
  put_params(r, params);
  finish(r, 0);
}

void make_id(struct request *r, uint8_t type, uint32_t id, size_t params)
{
  uint32_t ids[2] = {0, id};
  r->len = 0;
  begin(r, type);
  put(r, ids, sizeof ids);
  put_params(r, params);
  finish(r, 0);
}

void set_param(struct request *r, size_t from_the_end, int64_t value)
{
  memcpy(r->bytes + r->len - 8 * from_the_end, &value, sizeof value);
}

/* ---- the socket ---- */

static struct sockaddr_in parse(const char *address)
{
  struct sockaddr_in sa = {0};
  char host[64] = {0};
  const char *colon = strrchr(address, ':');
  if (!colon || (size_t)(colon - address) >= sizeof host) {
    fail(address, "is no address");
  }
  memcpy(host, address, (size_t)(colon - address));
  sa.sin_family = AF_INET;
  sa.sin_port = htons((uint16_t)atoi(colon + 1));
  if (inet_pton(AF_INET, host, &sa.sin_addr) != 1) {
    fail(host, "is no IPv4 address");
  }
  return sa;
}

void wire_send(struct wire *wire, const uint8_t *bytes, size_t len)
{
  wire->received = 0;
  while (len) {
    ssize_t n = send(wire->fd, bytes, len, MSG_NOSIGNAL);
    if (n < 0) fail("send", strerror(errno));
    bytes += n;
    len -= (size_t)n;
  }
}

/* The server leaves Nagle's algorithm on (protocol.md 5). */
static void receive(struct wire *wire)
{
  size_t left = wire->end - wire->begin;
  if (wire->begin) memmove(wire->in, wire->in + wire->begin, left);
  wire->begin = 0;
  wire->end = left;
  if (wire->received) {
    setsockopt(wire->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
  }
  ssize_t n = recv(wire->fd, wire->in + left, sizeof wire->in - left, 0);
  if (n <= 0) fail("recv", n ? strerror(errno) : "the server has closed");
  wire->received = 1;
  wire->end += (size_t)n;
}

/* The next frame: its first byte, which stays until the next receive. */
static const uint8_t *next_frame(struct wire *wire, size_t *len)
{
  uint32_t words;
  for (;;) {
    size_t left = wire->end - wire->begin;
    const uint8_t *frame = wire->in + wire->begin;
    if (left >= 8) {
      memcpy(&words, frame, sizeof words);
      *len = 8 + (size_t)words * 8;
      if (*len > sizeof wire->in) fail("frame", "too long");
      if (left >= *len) {
        wire->begin += *len;
        return frame;
      }
    }
    receive(wire);
  }
}

const uint8_t *wire_answer(struct wire *wire)
{
  size_t len;
  uint64_t marker = DONE;
  const uint8_t *frame;
  do {
    frame = next_frame(wire, &len);
    if (frame[4] == FAILURE) fail("FAILURE", (const char *)frame + 16);
    if (frame[4] == ROWS) memcpy(&marker, frame + len - 8, sizeof marker);
  } while (frame[4] == ROWS && marker != DONE);
  return frame + 8;
}

/* ---- conversations ---- */

const uint8_t *wire_ask(struct wire *wire, const struct request *request)
{
  wire_send(wire, request->bytes, request->len);
  return wire_answer(wire);
}

const uint8_t *wire_ask_sql(struct wire *wire, uint8_t type, const char *sql)
{
  struct request request;
  make_text(&request, type, sql, 0);
  return wire_ask(wire, &request);
}

uint32_t wire_prepare(struct wire *wire, const char *sql)
{
  uint32_t id;
  memcpy(&id, wire_ask_sql(wire, PREPARE, sql) + 4, sizeof id);
  return id;
}

/* The version, LEADER, CLIENT and OPEN in one write. */
static void make_opening(struct request *r)
{
  uint64_t version = 1, zero = 0;
  r->len = 0;
  put(r, &version, sizeof version);
  for (uint8_t type = 0; type < 2; type++) {
    size_t start = r->len;
    begin(r, type);
    put(r, &zero, sizeof zero);
    finish(r, start);
  }
  size_t start = r->len;
  begin(r, OPEN);
  put_text(r, "bench");
  put(r, &zero, sizeof zero);
  put_text(r, "");
  finish(r, start);
}

struct wire *wire_open(const char *address)
{
  struct request opening;
  struct sockaddr_in sa = parse(address);
  struct wire *wire = malloc(sizeof *wire);
  if (!wire) fail("wire", "no memory");
  wire->begin = wire->end = 0;
  wire->received = 0;
  wire->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(wire->fd, (const void *)&sa, sizeof sa)) {
    fail(address, strerror(errno));
  }
  setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  make_opening(&opening);
  wire_send(wire, opening.bytes, opening.len);
  for (int i = 0; i < 3; i++) wire_answer(wire);
  return wire;
}

void wire_close(struct wire *wire)
{
  close(wire->fd);
  free(wire);
}
