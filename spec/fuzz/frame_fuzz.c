/* Frames: the input's frames are the same whether it comes in one piece or in
 * chunks through a buffer, and written again they are the same bytes.
 *
 * Input: the exponent of the limit, the seed of the chunks, their largest
 * size; then the stream. */
#include "core/frame.h"

#include "core/le.h"
#include "core/status.h"
#include "fuzz.h"
#include "support/talk.h"

struct feed {
  struct dqc_bytes rest; /* of the stream */
  uint32_t seed;
  uint32_t largest;
  size_t max;
};

/* What holds of any look at the start of any input. */
static int look(struct dqc_bytes input, size_t max, struct dqc_frame *frame,
                size_t *need)
{
  int rc = dqc_frame_next(input, max, frame, need);
  switch (rc) {
  case DQC_DONE:
    HOLDS(*need <= input.len && *need == DQC_HEADER + frame->body.len);
    HOLDS(frame->body.len > 0 && frame->body.len % DQC_WORD == 0);
    HOLDS(frame->body.len <= max && fuzz_within(frame->body, input));
    break;
  case DQC_WANT_READ:
    HOLDS(*need > input.len && *need - DQC_HEADER <= max);
    break;
  default:
    HOLDS(rc == DQC_EPROTO || rc == DQC_ETOOBIG);
    HOLDS(input.len >= DQC_HEADER);
  }
  return rc;
}

/* Less than what is needed is never enough, and wants no more than before. */
static void check_shorter(struct dqc_bytes input, size_t max, size_t len)
{
  struct dqc_frame frame;
  size_t need, less;
  int rc = look(input, max, &frame, &need);
  if (rc < 0 || len >= need || len > input.len) return;
  struct dqc_bytes copy = fuzz_copy((struct dqc_bytes){input.ptr, len});
  HOLDS(look(copy, max, &frame, &less) == DQC_WANT_READ);
  HOLDS(less == (len < DQC_HEADER ? DQC_HEADER : need));
  fuzz_drop(copy);
}

/* The header's last two bytes are not kept: they mean nothing. */
static void check_written(const struct dqc_frame *frame,
                          struct dqc_bytes bytes)
{
  struct dqc_buf out;
  size_t mark;
  dqc_buf_init(&out, dqc_alloc_default);
  HOLDS(!dqc_buf_append(&out, "before", 6));
  HOLDS(!dqc_frame_begin(&out, frame->type, frame->schema, &mark));
  HOLDS(mark == 6);
  HOLDS(!dqc_buf_append(&out, frame->body.ptr, frame->body.len));
  HOLDS(!dqc_frame_end(&out, mark, frame->body.len));
  dqc_buf_consume(&out, 6);
  dqc_store16(out.data + out.begin + 6, frame->extra);
  HOLDS(fuzz_same(dqc_buf_view(&out), bytes));
  HOLDS(dqc_frame_end(&out, 0, frame->body.len - 1) == DQC_ETOOBIG);
  HOLDS(dqc_buf_len(&out) == 0);
  dqc_buf_free(&out);
}

/* Moves the next chunk from the stream into the buffer, by one or the other
 * of the ways in. */
static void feed_chunk(struct feed *feed, struct dqc_buf *in)
{
  size_t n = 1 + talk_random(&feed->seed) % feed->largest;
  uint8_t *room;
  if (n > feed->rest.len) n = feed->rest.len;
  if (n % 2) {
    HOLDS(!dqc_buf_append(in, feed->rest.ptr, n));
  } else {
    HOLDS(!dqc_buf_reserve(in, n, &room) && dqc_buf_room(in) >= n);
    if (n) memcpy(room, feed->rest.ptr, n);
    dqc_buf_commit(in, n);
  }
  feed->rest.ptr += n;
  feed->rest.len -= n;
}

/* The next frame by way of the buffer, which is fed until it knows. */
static int next_of_chunks(struct feed *feed, struct dqc_buf *in,
                          struct dqc_frame *frame, size_t *need)
{
  int rc = look(dqc_buf_view(in), feed->max, frame, need);
  while (rc == DQC_WANT_READ && feed->rest.len) {
    feed_chunk(feed, in);
    rc = look(dqc_buf_view(in), feed->max, frame, need);
  }
  return rc;
}

static void check_stream(struct feed feed)
{
  struct dqc_bytes whole = feed.rest;
  struct dqc_frame one, other;
  struct dqc_buf in;
  size_t need, need_other;
  int rc;
  dqc_buf_init(&in, dqc_alloc_default);
  do {
    rc = look(whole, feed.max, &one, &need);
    HOLDS(next_of_chunks(&feed, &in, &other, &need_other) == rc);
    HOLDS(need_other == need && dqc_buf_len(&in) + feed.rest.len == whole.len);
    if (rc) break;
    HOLDS(one.type == other.type && one.schema == other.schema);
    HOLDS(one.extra == other.extra && fuzz_same(one.body, other.body));
    check_shorter(whole, feed.max, talk_random(&feed.seed) % need);
    check_written(&one, (struct dqc_bytes){whole.ptr, need});
    dqc_buf_consume(&in, need);
    whole.ptr += need;
    whole.len -= need;
  } while (rc == DQC_DONE);
  check_shorter(whole, feed.max, whole.len / 2);
  dqc_buf_free(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct dqc_bytes input = {data, size};
  struct feed feed;
  feed.max = ((size_t)1 << fuzz_byte(&input) % 40) - 1;
  feed.seed = fuzz_byte(&input);
  feed.largest = 1 + (uint32_t)fuzz_byte(&input) * 4;
  struct dqc_bytes copy = fuzz_copy(input);
  feed.rest = copy;
  check_stream(feed);
  fuzz_drop(copy);
  return 0;
}
