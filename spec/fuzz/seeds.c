/* seeds DIRECTORY: writes the first corpus of every target, from the golden
 * vectors and statements, to DIRECTORY/TARGET/. Run it from the top of the
 * tree. */
#define _DEFAULT_SOURCE
#define _FILE_OFFSET_BITS 64 /* qemu's directories, where long has 32 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "support/check.h"
#include "support/make.h"
#include "support/statements.h"
#include "support/text.h"
#include "support/vectors.h"

static const char *directory;

static void make_directory(const char *path)
{
  struct stat status;
  mkdir(path, 0777);
  if (stat(path, &status) || !S_ISDIR(status.st_mode)) check_fatal(path);
}

static void write_part(FILE *file, struct dqc_bytes part)
{
  if (part.len && fwrite(part.ptr, 1, part.len, file) != part.len) {
    check_fatal("a seed cannot be written");
  }
}

/* One seed: the bytes that steer the target, and the rest of its input. */
static void write_seed(const char *target, const char *name,
                       struct dqc_bytes head, struct dqc_bytes rest)
{
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, target);
  make_directory(path);
  snprintf(path, sizeof path, "%s/%s/%s", directory, target, name);
  FILE *file = fopen(path, "wb");
  if (!file) check_fatal(path);
  write_part(file, head);
  write_part(file, rest);
  if (fclose(file)) check_fatal(path);
}

/* ---- frames ---- */

static void write_frame_seed(const char *name, struct dqc_bytes stream)
{
  static const uint8_t head[] = {30, 7, 2};
  write_seed("frame", name, bytes_from(head, sizeof head), stream);
}

static void write_message_seed(const struct vector *v)
{
  uint8_t head[] = {0, v->bytes[4], v->bytes[5]};
  if (vector_direction(v) == DQC_TO_CLIENT) head[0] = 1;
  if (!vector_is(v, VECTOR_SERVERS, "0")) head[0] |= 2;
  write_seed("message", v->values[VECTOR_NAME], bytes_from(head, sizeof head),
             bytes_from(v->bytes + 8, v->len - 8));
}

/* The parameters of a request are the last words of its body: where they
 * begin depends on the text before them. */
static void write_params_seed(const struct vector *v)
{
  struct dqc_message message;
  struct dqc_frame frame;
  size_t need;
  if (dqc_frame_next(vector_bytes(v), DQC_FRAME_MAX, &frame, &need) ||
      dqc_message_decode(&frame, DQC_TO_SERVER, &message) ||
      message.layout->fields[2].kind != DQC_KIND_PARAMS) {
    return;
  }
  write_seed("rows", v->values[VECTOR_NAME], bytes_from(NULL, 0),
             message.fields[2].bytes);
}

static void write_rows_seed(const struct vector *v)
{
  if (v->bytes[4] != DQC_RESPONSE_ROWS) return;
  write_seed("rows", v->values[VECTOR_NAME], bytes_from(NULL, 0),
             bytes_from(v->bytes + 8, v->len - 8));
}

/* ---- conversations ---- */

/* What spec/fuzz/session_fuzz.c calls the request: its place in the table,
 * 255 for servers with roles. */
static uint8_t number_of(const struct dqc_message *request)
{
  if (request->layout->number == DQC_REQUEST_CLUSTER &&
      request->fields[0].word) {
    return 255;
  }
  return (uint8_t)(request->layout - dqc_layouts(DQC_TO_SERVER));
}

static void write_session_seed(const char *name, const uint8_t *requests,
                               uint8_t count, struct dqc_bytes stream)
{
  static const uint8_t tail[] = {4, 1, 9, 40, 3, 30};
  struct text head;
  text_init(&head);
  text_add_bytes(&head, bytes_from(&count, 1));
  text_add_bytes(&head, bytes_from(requests, count));
  text_add_bytes(&head, bytes_from(tail, sizeof tail));
  write_seed("session", name, bytes_from(head.s, head.len), stream);
  text_free(&head);
}

static void write_reply_seed(const struct vector *v)
{
  struct dqc_message request;
  const char *after = v->values[VECTOR_AFTER];
  if (!after) {
    request =
        make_request_for(v->bytes[4], !vector_is(v, VECTOR_SERVERS, "0"));
  } else if (strcmp(after, "nothing") == 0) {
    write_session_seed(v->values[VECTOR_NAME], NULL, 0, vector_bytes(v));
    return;
  } else {
    request = make_request(after);
    if (strcmp(after, "CLUSTER") == 0) request.fields[0].word = 1;
  }
  uint8_t number = number_of(&request);
  write_session_seed(v->values[VECTOR_NAME], &number, 1, vector_bytes(v));
}

/* Several replies behind one another. */
static void write_conversations(const struct vectors *vectors)
{
  const size_t most = 7;
  for (size_t i = 0; i + most <= vectors->count; i += most) {
    uint8_t requests[8];
    struct text stream;
    char name[40];
    text_init(&stream);
    for (size_t k = 0; k < most; k++) {
      const struct vector *v = &vectors->list[i + k];
      struct dqc_message request =
          make_request_for(v->bytes[4], !vector_is(v, VECTOR_SERVERS, "0"));
      requests[k] = number_of(&request);
      text_add_bytes(&stream, vector_bytes(v));
    }
    snprintf(name, sizeof name, "conversation_%zu", i / most);
    struct dqc_bytes bytes = bytes_from(stream.s, stream.len);
    write_session_seed(name, requests, (uint8_t)most, bytes);
    write_frame_seed(name, bytes);
    text_free(&stream);
  }
}

/* A result of three frames whose columns change with the n-th frame, and do
 * not change with n 0. */
static void write_result(const struct vectors *vectors, size_t n)
{
  static const char *const frames[] = {"rows_small_part", "rows_small_middle",
                                       "rows_small_last"};
  struct dqc_message query = make_request("QUERY_SQL");
  uint8_t number = number_of(&query);
  struct text stream;
  char name[40];
  text_init(&stream);
  for (size_t i = 0; i < 3; i++) {
    size_t begin = stream.len;
    text_add_bytes(&stream, vector_bytes(vectors_find(vectors, frames[i])));
    if (i + 1 == n) stream.s[begin + 16] ^= 1; /* behind header and count */
  }
  snprintf(name, sizeof name, "result_%zu", n);
  write_session_seed(name, &number, 1, bytes_from(stream.s, stream.len));
  text_free(&stream);
}

/* A result with nudges in it, and what follows: another request or the end of
 * what was nudged out. The numbers are those of spec/fuzz/session_fuzz.c. */
static void write_nudges(const struct vectors *vectors)
{
  static const char *const frames[] = {"rows_small_part", "rows_small_last",
                                       "server", "failure_syntax", "server"};
  struct dqc_message query = make_request("QUERY_SQL");
  struct dqc_message leader = make_request("LEADER");
  uint8_t requests[] = {number_of(&query), 239, 226, number_of(&leader)};
  struct text stream;
  text_init(&stream);
  for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
    text_add_bytes(&stream, vector_bytes(vectors_find(vectors, frames[i])));
  }
  struct dqc_bytes bytes = bytes_from(stream.s, stream.len);
  write_session_seed("nudges_part", requests, 3, bytes);
  write_session_seed("nudges_request", requests, 4, bytes);
  requests[3] = 240;
  write_session_seed("nudges_settled", requests, 4, bytes);
  text_free(&stream);
}

/* ---- the files ---- */

static void write_vectors(const char *path, int hostile)
{
  struct vectors vectors;
  vectors_load(&vectors, path);
  for (size_t i = 0; i < vectors.count; i++) {
    const struct vector *v = &vectors.list[i];
    write_frame_seed(v->values[VECTOR_NAME], vector_bytes(v));
    if (v->len >= 8) write_message_seed(v);
    if (vector_direction(v) == DQC_TO_CLIENT) {
      write_rows_seed(v);
      write_reply_seed(v);
    } else {
      write_params_seed(v);
    }
  }
  if (!hostile && vector_direction(vectors.list) == DQC_TO_CLIENT) {
    write_conversations(&vectors);
    for (size_t n = 0; n <= 3; n++) write_result(&vectors, n);
    write_nudges(&vectors);
  }
  vectors_free(&vectors);
}

static void write_statements(void)
{
  struct statements statements;
  statements_load(&statements);
  for (size_t i = 0; i < statements.count; i++) {
    char name[40];
    snprintf(name, sizeof name, "statement_%03zu", i);
    write_seed("sql", name, bytes_from(NULL, 0), statements.list[i]);
  }
  statements_free(&statements);
}

static void write_addresses(void)
{
  static const char *const texts[] = {"127.0.0.1:9001",
                                      "localhost:0",
                                      "[::1]:9001",
                                      "[fe80::1%eth0]:65535",
                                      "/run/dqlite.sock",
                                      "@dqlite",
                                      "a:",
                                      ":1",
                                      "[::1]",
                                      "[a]:1",
                                      "::1:9001",
                                      "h:65536",
                                      "h:00001",
                                      "@",
                                      "/",
                                      "h h:80",
                                      "h:8o",
                                      "[::1:9001"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char name[40];
    snprintf(name, sizeof name, "address_%02zu", i);
    write_seed("addr", name, bytes_from(NULL, 0), bytes_of(texts[i]));
  }
}

int main(int argc, char **argv)
{
  if (argc != 2) check_fatal("usage: seeds DIRECTORY");
  directory = argv[1];
  make_directory(directory);
  write_vectors("spec/vectors/requests.txt", 0);
  write_vectors("spec/vectors/responses.txt", 0);
  write_vectors("spec/vectors/hostile.txt", 1);
  write_statements();
  write_addresses();
  return 0;
}
