/* Checks that are counted. A test program calls them and ends with
 * `return check_done();`, which prints the line `N passed, N failed`. */
#ifndef CHECK_H
#define CHECK_H

#include "core/buf.h"

#define CHECK(condition)                                                      \
  check_that((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

/* Integers of any size, shown with a sign. */
#define CHECK_EQ(actual, expected)                                            \
  check_equal((long long)(actual), (long long)(expected), #actual, __FILE__,  \
              __LINE__)

/* C strings; NULL differs from every string. */
#define CHECK_TEXT(actual, expected)                                          \
  check_text((actual), (expected), #actual, __FILE__, __LINE__)

/* struct dqc_bytes */
#define CHECK_BYTES(actual, expected)                                         \
  check_bytes((actual), (expected), #actual, __FILE__, __LINE__)

void check_that(int ok, const char *what, const char *file, int line);
void check_equal(long long actual, long long expected, const char *what,
                 const char *file, int line);
void check_text(const char *actual, const char *expected, const char *what,
                const char *file, int line);
void check_bytes(struct dqc_bytes actual, struct dqc_bytes expected,
                 const char *what, const char *file, int line);

/* What the next checks are about: printed with a failure. The string must
 * live as long; NULL for nothing. */
void check_about(const char *subject);

/* Ends the program without a count: the test itself cannot go on. */
void check_fatal(const char *reason);

/* Prints the counts; the program's exit status. */
int check_done(void);

#endif
