#include "oom/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fails(struct alloc *alloc)
{
  if (!alloc->running || alloc->paused) return 0;
  size_t call = ++alloc->calls;
  if (call < alloc->first || call > alloc->last) return 0;
  alloc->failed++;
  return 1;
}

static void release(struct alloc *alloc, void *ptr, size_t old)
{
  if (!ptr) return;
  memset(ptr, 0xa5, old);
  free(ptr);
  alloc->blocks--;
  alloc->bytes -= old;
}

void *alloc_resize(void *ctx, void *ptr, size_t old, size_t size)
{
  struct alloc *alloc = ctx;
  if (!ptr) old = 0; /* Lua 5.4 tells the kind of the object instead */
  if (size == 0) {
    release(alloc, ptr, old);
    return NULL;
  }
  if (size > old && fails(alloc)) return NULL;
  void *moved = malloc(size);
  if (!moved) {
    fputs("the machine is out of memory\n", stderr);
    exit(2);
  }
  if (old) memcpy(moved, ptr, old < size ? old : size);
  alloc->blocks++;
  alloc->bytes += size;
  release(alloc, ptr, old);
  return moved;
}
