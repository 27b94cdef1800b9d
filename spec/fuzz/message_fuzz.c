/* Messages: whatever can be read of a frame can be written again and then
 * means the same; what was written once is written so again; a message made of
 * any fields is read as it was made.
 *
 * Input: bit 0 a response, bit 1 servers with roles; type, schema; then the
 * body, of which whole words count, which are the fields as well. */
#include "core/message.h"

#include <string.h>

#include "core/le.h"
#include "core/status.h"
#include "fuzz.h"
#include "support/dump.h"
#include "support/rebuild.h"

struct subject {
  enum dqc_direction direction;
  int roles;
};

/* Reads all of the message, twice to the same result. */
static int read_all(const struct dqc_message *message, int roles,
                    struct text *text)
{
  struct text again;
  text_init(text);
  text_init(&again);
  int rc = dump_message(message, roles, text);
  HOLDS(dump_message(message, roles, &again) == rc);
  HOLDS(rc == DQC_DONE || rc == DQC_EPROTO);
  HOLDS(fuzz_same_text(text, &again));
  text_free(&again);
  return rc;
}

/* May the encoder refuse what the decoder read? Some messages, more
 * parameters than a statement can have, and files that are not whole words,
 * which no server sends. */
static int is_refused(const struct rebuilt *rebuilt)
{
  const struct dqc_message *message = &rebuilt->message;
  if (dqc_message_refusal(message)) return 1;
  for (size_t i = 0; message->layout->fields[i].name; i++) {
    uint8_t kind = message->layout->fields[i].kind;
    if (kind == DQC_KIND_PARAMS && message->fields[i].count > DQC_PARAMS_MAX) {
      return 1;
    }
    if (kind != DQC_KIND_FILES) continue;
    for (size_t k = 1; k < rebuilt->count; k += 2) {
      if (rebuilt->values[k].as.bytes.len % DQC_WORD) return 1;
    }
  }
  return 0;
}

/* Writes the message, or nothing if the encoder refuses it, behind what the
 * buffer holds. */
static int write_again(const struct dqc_message *message, int roles,
                       struct dqc_buf *out)
{
  struct rebuilt rebuilt;
  size_t before = dqc_buf_len(out);
  HOLDS(rebuild(message, roles, &rebuilt) == DQC_DONE);
  int rc = dqc_message_encode(out, &rebuilt.message, DQC_FRAME_MAX);
  HOLDS(rc == (is_refused(&rebuilt) ? DQC_EVALUE : DQC_DONE));
  HOLDS(!rc || dqc_buf_len(out) == before);
  rebuilt_free(&rebuilt);
  return rc;
}

static void decode_written(struct dqc_bytes bytes, struct subject subject,
                           struct dqc_message *message)
{
  struct dqc_frame frame;
  size_t need;
  HOLDS(!dqc_frame_next(bytes, DQC_FRAME_MAX, &frame, &need));
  HOLDS(need == bytes.len);
  HOLDS(!dqc_message_decode(&frame, subject.direction, message));
}

static void check_written(const struct dqc_message *message,
                          struct subject subject, const struct text *meaning)
{
  struct dqc_message again;
  struct dqc_buf once, twice;
  struct text text;
  dqc_buf_init(&once, dqc_alloc_default);
  dqc_buf_init(&twice, dqc_alloc_default);
  if (write_again(message, subject.roles, &once) == DQC_DONE) {
    struct dqc_bytes copy = fuzz_copy(dqc_buf_view(&once));
    decode_written(copy, subject, &again);
    HOLDS(read_all(&again, subject.roles, &text) == DQC_DONE);
    HOLDS(fuzz_same_text(&text, meaning));
    HOLDS(write_again(&again, subject.roles, &twice) == DQC_DONE);
    HOLDS(fuzz_same(dqc_buf_view(&twice), copy));
    text_free(&text);
    fuzz_drop(copy);
  }
  dqc_buf_free(&once);
  dqc_buf_free(&twice);
}

/* A list announces no more entries than there is room for. */
static void check_counts(const struct dqc_message *message)
{
  const struct dqc_layout *layout = message->layout;
  for (size_t i = 0; layout->fields[i].name; i++) {
    struct dqc_bytes input = message->fields[i].bytes;
    uint8_t kind = layout->fields[i].kind;
    size_t count, smallest = kind == DQC_KIND_SERVERS ? 24 : 16;
    if (kind != DQC_KIND_SERVERS && kind != DQC_KIND_FILES) continue;
    int rc = dqc_take_count(&input, smallest, &count);
    HOLDS(rc ? count == 0 : count <= input.len / smallest);
  }
}

static void check_message(const struct dqc_frame *frame,
                          struct subject subject)
{
  struct dqc_message message;
  struct text meaning;
  int rc = dqc_message_decode(frame, subject.direction, &message);
  HOLDS(rc == DQC_DONE || rc == DQC_EPROTO);
  if (rc) return;
  HOLDS(message.layout ==
        dqc_layout_of(subject.direction, frame->type, frame->schema));
  check_counts(&message);
  if (read_all(&message, subject.roles, &meaning) == DQC_DONE) {
    check_written(&message, subject, &meaning);
  }
  text_free(&meaning);
}

/* ---- a message made of the input ---- */

static struct dqc_bytes take(struct dqc_bytes *input, size_t most)
{
  struct dqc_bytes part = {input->ptr, most < input->len ? most : input->len};
  input->ptr += part.len;
  input->len -= part.len;
  return part;
}

/* Lists stay empty. */
static void make_field(struct dqc_bytes *input, uint8_t kind,
                       struct dqc_field *field)
{
  uint8_t word[DQC_WORD] = {0};
  if (kind == DQC_KIND_TEXT) {
    struct dqc_bytes part = take(input, fuzz_byte(input));
    const uint8_t *nul = part.len ? memchr(part.ptr, 0, part.len) : NULL;
    if (nul) part.len = (size_t)(nul - part.ptr);
    field->bytes = part;
  } else if (kind <= DQC_KIND_ROLE) {
    struct dqc_bytes part = take(input, kind == DQC_KIND_U32 ? 4 : 8);
    if (part.len) memcpy(word, part.ptr, part.len);
    field->word = dqc_load64(word);
  }
}

static void check_fields(const struct dqc_message *one,
                         const struct dqc_message *other)
{
  HOLDS(one->layout == other->layout);
  for (size_t i = 0; one->layout->fields[i].name; i++) {
    uint8_t kind = one->layout->fields[i].kind;
    const struct dqc_field *a = &one->fields[i], *b = &other->fields[i];
    HOLDS(a->word == b->word && a->absent == b->absent);
    if (kind == DQC_KIND_TEXT) HOLDS(fuzz_same(a->bytes, b->bytes));
  }
}

/* A FAILURE is found behind whatever whole words, if its code has a byte of
 * zero, as all codes have. */
static void check_polluted(const struct dqc_message *made,
                           struct dqc_bytes body, struct dqc_bytes junk)
{
  struct dqc_buf buf;
  struct dqc_message read;
  if (!memchr(body.ptr, 0, DQC_WORD)) return;
  junk.len -= junk.len % DQC_WORD;
  dqc_buf_init(&buf, dqc_alloc_default);
  HOLDS(!dqc_buf_append(&buf, junk.ptr, junk.len));
  HOLDS(!dqc_buf_append(&buf, body.ptr, body.len));
  struct dqc_frame frame = {DQC_RESPONSE_FAILURE, 0, 0, dqc_buf_view(&buf)};
  HOLDS(!dqc_message_decode(&frame, DQC_TO_CLIENT, &read));
  check_fields(made, &read);
  dqc_buf_free(&buf);
}

static void check_made(struct dqc_bytes input, const struct dqc_layout *layout,
                       struct subject subject)
{
  struct dqc_message made, read;
  struct dqc_buf out;
  memset(&made, 0, sizeof made);
  made.layout = layout;
  for (size_t i = 0; layout->fields[i].name; i++) {
    make_field(&input, layout->fields[i].kind, &made.fields[i]);
  }
  dqc_buf_init(&out, dqc_alloc_default);
  int rc = dqc_message_encode(&out, &made, DQC_FRAME_MAX);
  HOLDS(rc == (dqc_message_refusal(&made) ? DQC_EVALUE : DQC_DONE));
  if (!rc) {
    struct dqc_bytes copy = fuzz_copy(dqc_buf_view(&out));
    decode_written(copy, subject, &read);
    check_fields(&made, &read);
    dqc_buf_consume(&out, DQC_HEADER);
    if (subject.direction == DQC_TO_CLIENT &&
        layout->number == DQC_RESPONSE_FAILURE) {
      check_polluted(&made, dqc_buf_view(&out), input);
    }
    fuzz_drop(copy);
  }
  dqc_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct dqc_bytes input = {data, size};
  struct subject subject;
  struct dqc_frame frame;
  uint8_t bits = fuzz_byte(&input);
  subject.direction = bits & 1 ? DQC_TO_CLIENT : DQC_TO_SERVER;
  subject.roles = bits >> 1 & 1;
  memset(&frame, 0, sizeof frame);
  frame.type = fuzz_byte(&input);
  frame.schema = fuzz_byte(&input);
  input.len -= input.len % DQC_WORD;
  if (input.len == 0) return 0;
  frame.body = fuzz_copy(input);
  const struct dqc_layout *layout =
      dqc_layout_of(subject.direction, frame.type, frame.schema);
  check_message(&frame, subject);
  if (layout) check_made(frame.body, layout, subject);
  fuzz_drop(frame.body);
  return 0;
}
