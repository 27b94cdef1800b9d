/* The golden frames of spec/vectors; the format is in its README.md. */
#ifndef VECTORS_H
#define VECTORS_H

#include "core/message.h"

enum vector_key {
  VECTOR_NAME,
  VECTOR_ORIGIN,
  VECTOR_DIRECTION,
  VECTOR_AFTER,
  VECTOR_HEX,
  VECTOR_TEXT,
  VECTOR_REENCODE,
  VECTOR_SERVERS,
  VECTOR_ERROR,
  VECTOR_BY,
  VECTOR_WHY,
  VECTOR_KEYS
};

struct vector {
  char *values[VECTOR_KEYS]; /* NULL where the block has no such line */
  uint8_t *bytes; /* of the line `hex`: a block of memory of this size */
  size_t len;
};

struct vectors {
  struct vector *list;
  size_t count;
};

/* Reads a file, or ends the program. */
void vectors_load(struct vectors *vectors, const char *path);
void vectors_free(struct vectors *vectors);

/* The vector of this name, or the program ends. */
const struct vector *vectors_find(const struct vectors *vectors,
                                  const char *name);

struct dqc_bytes vector_bytes(const struct vector *vector);
enum dqc_direction vector_direction(const struct vector *vector);

/* Does the line have this value? */
int vector_is(const struct vector *vector, enum vector_key key,
              const char *value);

/* Bytes of hex digits and white space; the caller frees them. */
uint8_t *hex_decode(const char *digits, size_t *len);

#endif
