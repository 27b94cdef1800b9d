#include "support/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/check.h"

static const char *const keys[VECTOR_KEYS] = {
    "name",     "origin",  "direction", "after", "hex", "text",
    "reencode", "servers", "error",     "by",    "why"};

static void *get_memory(void *old, size_t size)
{
  void *ptr = realloc(old, size);
  if (!ptr) check_fatal("out of memory");
  return ptr;
}

/* ---- hex ---- */

static int digit_of(char c)
{
  static const char digits[] = "0123456789abcdef";
  const char *at = c ? strchr(digits, c) : NULL;
  return at ? (int)(at - digits) : -1;
}

uint8_t *hex_decode(const char *digits, size_t *len)
{
  size_t room = strlen(digits) / 2 + 1;
  uint8_t *bytes = get_memory(NULL, room);
  *len = 0;
  for (; *digits; digits++) {
    if (*digits == ' ') continue;
    int high = digit_of(digits[0]);
    int low = high < 0 ? -1 : digit_of(digits[1]);
    if (low < 0) check_fatal("bad hex digits");
    bytes[(*len)++] = (uint8_t)(high * 16 + low);
    digits++;
  }
  return get_memory(bytes, *len ? *len : 1);
}

/* ---- lines ---- */

static char *join(char *head, const char *tail, size_t len)
{
  size_t old = head ? strlen(head) : 0;
  char *joined = get_memory(head, old + len + 1);
  memcpy(joined + old, tail, len);
  joined[old + len] = '\0';
  return joined;
}

static int key_of(const char *line, size_t len)
{
  for (int i = 0; i < VECTOR_KEYS; i++) {
    size_t n = strlen(keys[i]);
    if (len > n + 2 && memcmp(line, keys[i], n) == 0 &&
        memcmp(line + n, ": ", 2) == 0) {
      return i;
    }
  }
  return -1;
}

/* One line of a block; *key is the one that a continuation belongs to. */
static void read_line(struct vector *vector, const char *line, size_t len,
                      int *key)
{
  size_t skip = 2;
  int continues = len > 2 && memcmp(line, "  ", 2) == 0;
  if (!continues) {
    *key = key_of(line, len);
    if (*key < 0) check_fatal("an unknown line in a vector file");
    if (vector->values[*key]) check_fatal("a line twice in a vector");
    skip += strlen(keys[*key]);
  }
  if (*key < 0) check_fatal("a continuation of nothing");
  vector->values[*key] = join(vector->values[*key], line + skip, len - skip);
}

static void finish(struct vector *vector)
{
  check_about(vector->values[VECTOR_NAME]);
  if (!vector->values[VECTOR_NAME] || !vector->values[VECTOR_DIRECTION] ||
      !vector->values[VECTOR_HEX]) {
    check_fatal("a vector needs name, direction and hex");
  }
  vector->bytes = hex_decode(vector->values[VECTOR_HEX], &vector->len);
}

static struct vector *add_vector(struct vectors *vectors)
{
  size_t size = (vectors->count + 1) * sizeof *vectors->list;
  vectors->list = get_memory(vectors->list, size);
  struct vector *vector = &vectors->list[vectors->count++];
  memset(vector, 0, sizeof *vector);
  return vector;
}

static void parse(struct vectors *vectors, const char *s)
{
  struct vector *vector = NULL;
  int key = -1;
  while (*s) {
    size_t len = strcspn(s, "\n");
    if (len == 0 && vector) {
      finish(vector);
      vector = NULL;
    } else if (len && *s != '#') {
      if (!vector) vector = add_vector(vectors);
      read_line(vector, s, len, &key);
    }
    s += len + (s[len] == '\n');
  }
  if (vector) finish(vector);
  check_about(NULL);
}

/* ---- files ---- */

static char *read_file(const char *path)
{
  char piece[4096];
  size_t n;
  FILE *file = fopen(path, "r");
  check_about(path);
  if (!file) check_fatal("no such file; run from the top of the tree");
  char *all = join(NULL, "", 0);
  while ((n = fread(piece, 1, sizeof piece, file)) > 0) {
    all = join(all, piece, n);
  }
  fclose(file);
  return all;
}

void vectors_load(struct vectors *vectors, const char *path)
{
  char *all = read_file(path);
  memset(vectors, 0, sizeof *vectors);
  parse(vectors, all);
  free(all);
}

void vectors_free(struct vectors *vectors)
{
  for (size_t i = 0; i < vectors->count; i++) {
    for (int k = 0; k < VECTOR_KEYS; k++) free(vectors->list[i].values[k]);
    free(vectors->list[i].bytes);
  }
  free(vectors->list);
  memset(vectors, 0, sizeof *vectors);
}

/* ---- reading a vector ---- */

const struct vector *vectors_find(const struct vectors *vectors,
                                  const char *name)
{
  for (size_t i = 0; i < vectors->count; i++) {
    if (vector_is(&vectors->list[i], VECTOR_NAME, name)) {
      return &vectors->list[i];
    }
  }
  check_about(name);
  check_fatal("no such vector");
  return NULL;
}

struct dqc_bytes vector_bytes(const struct vector *vector)
{
  struct dqc_bytes bytes = {vector->bytes, vector->len};
  return bytes;
}

enum dqc_direction vector_direction(const struct vector *vector)
{
  return vector_is(vector, VECTOR_DIRECTION, "request") ? DQC_TO_SERVER
                                                        : DQC_TO_CLIENT;
}

int vector_is(const struct vector *vector, enum vector_key key,
              const char *value)
{
  return vector->values[key] && strcmp(vector->values[key], value) == 0;
}
