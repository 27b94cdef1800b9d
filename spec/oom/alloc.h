/* A lua_Alloc that counts what it gave and can be told to fail. What grows
 * always moves, and what is freed is overwritten: a pointer that was kept too
 * long shows, with sanitizers or without. */
#ifndef OOM_ALLOC_H
#define OOM_ALLOC_H

#include <stddef.h>

struct alloc {
  size_t blocks, bytes; /* that are held */
  int running; /* requests for more are counted, and may fail */
  int paused; /* not those of the server that answers meanwhile */
  size_t calls; /* that were counted */
  size_t first, last; /* of them: these fail */
  size_t failed; /* how many did */
};

/* Shrinking never fails: Lua relies on that. */
void *alloc_resize(void *ctx, void *ptr, size_t old, size_t size);

#endif
