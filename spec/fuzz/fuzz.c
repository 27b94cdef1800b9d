#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_holds(int ok, const char *what, const char *file, int line)
{
  if (ok) return;
  fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  abort();
}

uint8_t fuzz_byte(struct dqc_bytes *input)
{
  if (input->len == 0) return 0;
  input->len--;
  return *input->ptr++;
}

struct dqc_bytes fuzz_copy(struct dqc_bytes bytes)
{
  uint8_t *room = malloc(bytes.len);
  struct dqc_bytes copy = {room, bytes.len};
  HOLDS(room || bytes.len == 0);
  if (bytes.len) memcpy(room, bytes.ptr, bytes.len);
  return copy;
}

void fuzz_drop(struct dqc_bytes copy)
{
  free((void *)(uintptr_t)copy.ptr);
}

int fuzz_same(struct dqc_bytes one, struct dqc_bytes other)
{
  return one.len == other.len &&
         (one.len == 0 || memcmp(one.ptr, other.ptr, one.len) == 0);
}

int fuzz_same_text(const struct text *one, const struct text *other)
{
  struct dqc_bytes a = {(const uint8_t *)one->s, one->len};
  struct dqc_bytes b = {(const uint8_t *)other->s, other->len};
  return fuzz_same(a, b);
}

int fuzz_within(struct dqc_bytes part, struct dqc_bytes whole)
{
  return part.ptr >= whole.ptr && part.len <= whole.len &&
         (size_t)(part.ptr - whole.ptr) <= whole.len - part.len;
}
