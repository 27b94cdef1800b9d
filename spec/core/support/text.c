#include "support/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/check.h"

void text_init(struct text *text)
{
  memset(text, 0, sizeof *text);
}

void text_free(struct text *text)
{
  free(text->s);
  text_init(text);
}

static void make_room(struct text *text, size_t n)
{
  if (text->size - text->len > n) return;
  text->size = text->size * 2 + n + 64;
  text->s = realloc(text->s, text->size);
  if (!text->s) check_fatal("out of memory");
}

void text_add(struct text *text, const char *format, ...)
{
  char piece[128];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(piece, sizeof piece, format, args);
  va_end(args);
  if (n < 0 || (size_t)n >= sizeof piece) check_fatal("a piece too long");
  struct dqc_bytes bytes = {(const uint8_t *)piece, (size_t)n};
  text_add_bytes(text, bytes);
}

void text_add_bytes(struct text *text, struct dqc_bytes bytes)
{
  make_room(text, bytes.len);
  if (bytes.len) memcpy(text->s + text->len, bytes.ptr, bytes.len);
  text->len += bytes.len;
  text->s[text->len] = '\0';
}
