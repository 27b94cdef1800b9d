/* A string that grows; what the dumps are written to. */
#ifndef TEXT_H
#define TEXT_H

#include "core/buf.h"

struct text {
  char *s; /* ends with a NUL, once something was added */
  size_t len, size;
};

void text_init(struct text *text);
void text_free(struct text *text);

#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
void text_add(struct text *text, const char *format, ...);

void text_add_bytes(struct text *text, struct dqc_bytes bytes);

#endif
