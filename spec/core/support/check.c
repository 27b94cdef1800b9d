#include "support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long passed, failed;
static const char *about;

static void complain(const char *what, const char *file, int line)
{
  failed++;
  printf("%s:%d: %s", file, line, what);
  if (about) printf(" (%s)", about);
}

void check_that(int ok, const char *what, const char *file, int line)
{
  if (ok) {
    passed++;
    return;
  }
  complain(what, file, line);
  printf("\n");
}

void check_equal(long long actual, long long expected, const char *what,
                 const char *file, int line)
{
  if (actual == expected) {
    passed++;
    return;
  }
  complain(what, file, line);
  printf(" is %lld, not %lld\n", actual, expected);
}

void check_text(const char *actual, const char *expected, const char *what,
                const char *file, int line)
{
  if (actual && expected && strcmp(actual, expected) == 0) {
    passed++;
    return;
  }
  complain(what, file, line);
  printf("\n  is  %s\n  not %s\n", actual ? actual : "NULL",
         expected ? expected : "NULL");
}

static void print_hex(const char *label, struct dqc_bytes bytes)
{
  printf("  %s", label);
  for (size_t i = 0; i < bytes.len; i++) {
    printf("%s%02x", i % 8 == 0 ? " " : "", bytes.ptr[i]);
  }
  printf("\n");
}

void check_bytes(struct dqc_bytes actual, struct dqc_bytes expected,
                 const char *what, const char *file, int line)
{
  if (actual.len == expected.len &&
      (actual.len == 0 || memcmp(actual.ptr, expected.ptr, actual.len) == 0)) {
    passed++;
    return;
  }
  complain(what, file, line);
  printf("\n");
  print_hex("is ", actual);
  print_hex("not", expected);
}

void check_about(const char *subject)
{
  about = subject;
}

void check_fatal(const char *reason)
{
  printf("%s%s%s: %s\n", about ? about : "", about ? ": " : "",
         "the test cannot go on", reason);
  exit(2);
}

int check_done(void)
{
  printf("%lu passed, %lu failed\n", passed, failed);
  return failed ? 1 : 0;
}
