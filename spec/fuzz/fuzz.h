/* What the fuzz targets share. Each target is one file NAME_fuzz.c around the
 * function that libFuzzer calls. It returns where everything held that must
 * hold of this input, and else ends the program. */
#ifndef FUZZ_H
#define FUZZ_H

#include "core/buf.h"
#include "support/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Prints what does not hold and aborts, with NDEBUG as well. */
#define HOLDS(condition)                                                      \
  fuzz_holds((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

void fuzz_holds(int ok, const char *what, const char *file, int line);

/* The first byte of the input, which is taken off it; behind its end, 0. */
uint8_t fuzz_byte(struct dqc_bytes *input);

/* A copy on the heap of exactly this size, so that ASan sees every byte read
 * past it. */
struct dqc_bytes fuzz_copy(struct dqc_bytes bytes);
void fuzz_drop(struct dqc_bytes copy);

int fuzz_same(struct dqc_bytes one, struct dqc_bytes other);
int fuzz_same_text(const struct text *one, const struct text *other);

/* Does the part lie within the whole? */
int fuzz_within(struct dqc_bytes part, struct dqc_bytes whole);

#endif
