#define _DEFAULT_SOURCE

#include "support/guard.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/check.h"

void guard_init(struct guard *guard, size_t max)
{
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  guard->size = (max / page + 1) * page;
  guard->map = mmap(NULL, guard->size + page, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (guard->map == MAP_FAILED) check_fatal("no memory to guard");
  if (mprotect(guard->map + guard->size, page, PROT_NONE)) {
    check_fatal("the page cannot be protected");
  }
}

void guard_free(struct guard *guard)
{
  munmap(guard->map, guard->size + (size_t)sysconf(_SC_PAGESIZE));
  memset(guard, 0, sizeof *guard);
}

struct dqc_bytes guard_copy(struct guard *guard, struct dqc_bytes bytes)
{
  if (bytes.len > guard->size) check_fatal("too much for the guard");
  struct dqc_bytes copy = {guard->map + guard->size - bytes.len, bytes.len};
  if (bytes.len) memcpy((uint8_t *)copy.ptr, bytes.ptr, bytes.len);
  return copy;
}
