/* Every golden frame: decoded, encoded again, byte by byte, at the end of
 * memory, cut short, and with bytes changed. */
#include <stdlib.h>
#include <string.h>

#include "core/le.h"
#include "core/status.h"
#include "support/check.h"
#include "support/dump.h"
#include "support/guard.h"
#include "support/make.h"
#include "support/rebuild.h"
#include "support/talk.h"
#include "support/vectors.h"

#define NOWHERE SIZE_MAX

static int has_roles(const struct vector *v)
{
  return vector_is(v, VECTOR_SERVERS, "1");
}

static void check_whole(const struct vector *v)
{
  struct text text;
  text_init(&text);
  int rc =
      dump_frame(vector_bytes(v), vector_direction(v), has_roles(v), &text);
  CHECK_EQ(rc, DQC_DONE);
  CHECK_TEXT(text.s, v->values[VECTOR_TEXT]);
  text_free(&text);
}

static int encode_again(const struct vector *v, struct dqc_buf *out)
{
  struct dqc_frame frame;
  struct dqc_message message;
  struct rebuilt rebuilt;
  size_t need;
  int rc = dqc_frame_next(vector_bytes(v), DQC_FRAME_MAX, &frame, &need);
  if (!rc) rc = dqc_message_decode(&frame, vector_direction(v), &message);
  if (rc) return rc;
  rc = rebuild(&message, has_roles(v), &rebuilt);
  if (!rc) rc = dqc_message_encode(out, &rebuilt.message, DQC_FRAME_MAX);
  rebuilt_free(&rebuilt);
  return rc;
}

/* Where other bytes must come out, they still must mean the same. */
static void check_other_bytes(const struct vector *v,
                              const struct dqc_buf *out)
{
  struct text text;
  struct dqc_bytes bytes = dqc_buf_view(out);
  text_init(&text);
  CHECK(bytes.len != v->len || memcmp(bytes.ptr, v->bytes, v->len) != 0);
  CHECK_EQ(dump_frame(bytes, vector_direction(v), has_roles(v), &text), 0);
  CHECK_TEXT(text.s, v->values[VECTOR_TEXT]);
  text_free(&text);
}

static void check_encoded(const struct vector *v)
{
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  int rc = encode_again(v, &out);
  if (vector_is(v, VECTOR_REENCODE, "refused")) {
    CHECK_EQ(rc, DQC_EVALUE);
    CHECK_EQ(dqc_buf_len(&out), 0);
  } else if (vector_is(v, VECTOR_REENCODE, "no")) {
    CHECK_EQ(rc, DQC_DONE);
    check_other_bytes(v, &out);
  } else {
    CHECK_EQ(rc, DQC_DONE);
    CHECK_BYTES(dqc_buf_view(&out), vector_bytes(v));
  }
  dqc_buf_free(&out);
}

/* The first length at which the frame is not asked for rightly. */
static size_t first_wrong_need(struct dqc_bytes whole, struct guard *guard)
{
  struct dqc_frame frame;
  size_t need;
  for (size_t n = 0; n <= whole.len; n++) {
    struct dqc_bytes start = guard_copy(guard, bytes_from(whole.ptr, n));
    int rc = dqc_frame_next(start, DQC_FRAME_MAX, &frame, &need);
    int right = n < whole.len ? DQC_WANT_READ : DQC_DONE;
    if (rc != right || need != (n < DQC_HEADER ? DQC_HEADER : whole.len)) {
      return n;
    }
  }
  return NOWHERE;
}

/* The first byte after which the session does not say what it should. */
static size_t first_wrong_byte(const struct vector *v,
                               struct dqc_session *session, struct text *log)
{
  for (size_t i = 0; i < v->len; i++) {
    int rc = dqc_session_feed(session, bytes_from(v->bytes + i, 1));
    if (!rc) rc = talk_next(session, log);
    if (rc != (i + 1 < v->len ? DQC_WANT_READ : DQC_DONE)) return i;
  }
  return NOWHERE;
}

static void check_byte_by_byte(const struct vector *v)
{
  struct dqc_session session;
  struct text log;
  struct dqc_message request = make_request_for(v->bytes[4], has_roles(v));
  int more = v->bytes[4] == DQC_RESPONSE_ROWS && v->bytes[v->len - 1] == 0xee;
  talk_init(&session);
  text_init(&log);
  CHECK_EQ(talk_send(&session, &request), DQC_DONE);
  CHECK_EQ(first_wrong_byte(v, &session, &log), NOWHERE);
  CHECK(log.len && log.s[log.len - 1] == '\n');
  if (log.len) log.s[log.len - 1] = '\0';
  CHECK_TEXT(log.s, v->values[VECTOR_TEXT]);
  CHECK_EQ(dqc_session_outstanding(&session), more ? 1 : 0);
  CHECK_EQ(talk_next(&session, &log), DQC_WANT_READ);
  dqc_session_free(&session);
  text_free(&log);
}

static void check_at_guard(const struct vector *v, struct guard *guard)
{
  struct text text;
  text_init(&text);
  struct dqc_bytes copy = guard_copy(guard, vector_bytes(v));
  CHECK_EQ(dump_frame(copy, vector_direction(v), has_roles(v), &text), 0);
  CHECK_TEXT(text.s, v->values[VECTOR_TEXT]);
  text_free(&text);
  CHECK_EQ(first_wrong_need(vector_bytes(v), guard), NOWHERE);
}

/* Anything but "done" and "not the protocol" is wrong, and so is a crash. */
static int is_sound(const struct vector *v, struct dqc_bytes bytes)
{
  struct text text;
  text_init(&text);
  int rc = dump_frame(bytes, vector_direction(v), has_roles(v), &text);
  text_free(&text);
  return rc == DQC_DONE || rc == DQC_EPROTO;
}

static size_t first_wrong_cut(const struct vector *v, struct guard *guard)
{
  for (uint32_t words = 1; words < v->len / 8 - 1; words++) {
    struct dqc_bytes cut =
        guard_copy(guard, bytes_from(v->bytes, 8 + 8 * (size_t)words));
    dqc_store32((uint8_t *)cut.ptr, words);
    if (!is_sound(v, cut)) return words;
  }
  return NOWHERE;
}

/* Every byte of the start, and the last word. */
static size_t first_wrong_change(const struct vector *v, struct guard *guard)
{
  static const uint8_t values[] = {0x00, 0x01, 0x0f, 0x7f, 0x80, 0xee, 0xff};
  for (size_t i = 4; i < v->len; i++) {
    if (i == 512 && v->len > 520) i = v->len - 8;
    for (size_t k = 0; k < sizeof values; k++) {
      struct dqc_bytes copy = guard_copy(guard, vector_bytes(v));
      ((uint8_t *)copy.ptr)[i] = values[k];
      if (!is_sound(v, copy)) return i;
    }
  }
  return NOWHERE;
}

static void check_vector(const struct vector *v, struct guard *guard)
{
  check_about(v->values[VECTOR_NAME]);
  check_whole(v);
  check_encoded(v);
  if (vector_direction(v) == DQC_TO_CLIENT) check_byte_by_byte(v);
  check_at_guard(v, guard);
  CHECK_EQ(first_wrong_cut(v, guard), NOWHERE);
  CHECK_EQ(first_wrong_change(v, guard), NOWHERE);
}

/* Is there a vector of this layout? */
static int has_layout(const struct vectors *vectors,
                      const struct dqc_layout *layout)
{
  for (size_t i = 0; i < vectors->count; i++) {
    const uint8_t *bytes = vectors->list[i].bytes;
    if (bytes[4] == layout->number && bytes[5] == layout->schema) return 1;
  }
  return 0;
}

static void check_complete(const struct vectors *vectors,
                           enum dqc_direction direction)
{
  const struct dqc_layout *layout = dqc_layouts(direction);
  for (; layout->name; layout++) {
    check_about(layout->name);
    CHECK(has_layout(vectors, layout));
  }
}

static void check_file(const char *path, enum dqc_direction direction)
{
  struct vectors vectors;
  struct guard guard;
  vectors_load(&vectors, path);
  guard_init(&guard, (size_t)64 * 1024);
  for (size_t i = 0; i < vectors.count; i++) {
    CHECK_EQ(vector_direction(&vectors.list[i]), direction);
    check_vector(&vectors.list[i], &guard);
  }
  check_complete(&vectors, direction);
  check_about(NULL);
  guard_free(&guard);
  vectors_free(&vectors);
}

int main(void)
{
  check_file("spec/vectors/requests.txt", DQC_TO_SERVER);
  check_file("spec/vectors/responses.txt", DQC_TO_CLIENT);
  return check_done();
}
