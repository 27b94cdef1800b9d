#include "support/statements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/check.h"

#define PATH "spec/vectors/statements.txt"

static uint8_t hex_digit(char c)
{
  const char *digits = "0123456789abcdef";
  const char *found = c ? strchr(digits, c) : NULL;
  if (!found) check_fatal(PATH ": \\x without two small hex digits");
  return (uint8_t)(found - digits);
}

/* The byte that an escape stands for; *s is behind its backslash. */
static uint8_t unescape(const char **s)
{
  uint8_t high;
  switch (*(*s)++) {
  case '\\': return '\\';
  case 'n': return '\n';
  case 'x':
    high = hex_digit(*(*s)++);
    return (uint8_t)(high << 4 | hex_digit(*(*s)++));
  }
  check_fatal(PATH ": an unknown escape");
  return 0;
}

static void add(struct statements *statements, const char *line)
{
  size_t count = statements->count, len = 0;
  uint8_t *bytes = malloc(strlen(line) + 1);
  struct dqc_bytes *list =
      realloc(statements->list, (count + 1) * sizeof *list);
  if (!bytes || !list) check_fatal("out of memory");
  while (*line) {
    uint8_t c = (uint8_t)*line++;
    bytes[len++] = c == '\\' ? unescape(&line) : c;
  }
  list[count].ptr = bytes;
  list[count].len = len;
  statements->list = list;
  statements->count++;
}

void statements_load(struct statements *statements)
{
  char line[4096];
  FILE *file = fopen(PATH, "r");
  statements->list = NULL;
  statements->count = 0;
  if (!file) check_fatal(PATH ": cannot be opened");
  while (fgets(line, sizeof line, file)) {
    char *end = strchr(line, '\n');
    if (!end) check_fatal(PATH ": a line too long or without an end");
    *end = '\0';
    if (line[0] && line[0] != '#') add(statements, line);
  }
  fclose(file);
}

void statements_free(struct statements *statements)
{
  for (size_t i = 0; i < statements->count; i++) {
    free((void *)(uintptr_t)statements->list[i].ptr);
  }
  free(statements->list);
}
