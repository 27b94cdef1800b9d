#include "support/failing.h"

#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "support/check.h"

static void *resize(void *ctx, void *ptr, size_t old, size_t size)
{
  struct failing *failing = ctx;
  if (size == 0) {
    failing->held -= old;
    free(ptr);
    return NULL;
  }
  if (++failing->calls == failing->fail_at) {
    failing->failed = 1;
    return NULL;
  }
  void *moved = realloc(ptr, size);
  if (!moved) check_fatal("out of memory");
  failing->held += size - (ptr ? old : 0);
  return moved;
}

void failing_init(struct failing *failing, size_t fail_at)
{
  memset(failing, 0, sizeof *failing);
  failing->alloc.resize = resize;
  failing->alloc.ctx = failing;
  failing->fail_at = fail_at;
}

void failing_run(const char *subject, size_t least,
                 int (*scenario)(struct dqc_alloc alloc))
{
  struct failing failing;
  size_t n = 0;
  check_about(subject);
  do {
    failing_init(&failing, ++n);
    int rc = scenario(failing.alloc);
    CHECK_EQ(rc, failing.failed ? DQC_ENOMEM : DQC_DONE);
    CHECK_EQ(failing.held, 0);
  } while (failing.failed && n < 10000);
  CHECK(n > least);
  CHECK(n < 10000);
  check_about(NULL);
}
