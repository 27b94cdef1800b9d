#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64 /* files above 2 GiB, inodes above 32 bits */

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/random.h"
#include "core/status.h"

#define STEP ((size_t)4096) /* bytes of one read */

/* A call's result is already known: errno stays that of what failed. */
static void close_quietly(int fd)
{
  int cause = errno;
  close(fd);
  errno = cause;
}

/* ---- reading ---- */

static int read_step(int fd, size_t most, struct dqc_buf *out, size_t *n)
{
  uint8_t *room;
  ssize_t got;
  *n = 0;
  int rc = dqc_buf_reserve(out, most, &room);
  if (rc) return rc;
  do got = read(fd, room, most);
  while (got < 0 && errno == EINTR);
  if (got < 0) return DQC_EOS;
  *n = (size_t)got;
  dqc_buf_commit(out, *n);
  return DQC_DONE;
}

/* One byte above the limit is asked for, to see that there is more. */
static int read_all(int fd, size_t max, struct dqc_buf *out)
{
  size_t n, total = 0;
  do {
    size_t left = max - total;
    int rc = read_step(fd, left < STEP ? left + 1 : STEP, out, &n);
    if (rc) return rc;
    if (n > left) return DQC_ETOOBIG;
    total += n;
  } while (n);
  return DQC_DONE;
}

static int check_regular(int fd)
{
  struct stat st;
  if (fstat(fd, &st)) return DQC_EOS;
  return S_ISREG(st.st_mode) ? DQC_DONE : DQC_EVALUE;
}

int dqc_file_read(const char *path, size_t max, struct dqc_buf *out)
{
  /* O_NONBLOCK: to open a pipe waits for somebody who writes. */
  int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  int fd = open(path, flags);
  if (fd < 0) {
    /* a link; ENXIO: a socket */
    return errno == ELOOP || errno == ENXIO ? DQC_EVALUE : DQC_EOS;
  }
  int rc = check_regular(fd);
  if (!rc) rc = read_all(fd, max, out);
  close_quietly(fd);
  return rc;
}

/* ---- replacing ---- */

struct place {
  int dir; /* the directory, by which everything in it is reached */
  const char *base; /* the file's name there */
  char temporary[32]; /* that of the one which will take its place */
};

/* Beside the file: a rename stays within a file system. */
static int open_dir(const char *path, struct dqc_alloc alloc,
                    struct place *place)
{
  struct dqc_buf text;
  const char *slash = strrchr(path, '/');
  size_t len = slash ? (size_t)(slash - path) + 1 : 0;
  dqc_buf_init(&text, alloc);
  int rc = dqc_buf_append(&text, len ? path : "./", len ? len : 2);
  if (!rc) rc = dqc_buf_append(&text, "", 1);
  place->base = path + len;
  place->dir = rc ? -1
                  : open((const char *)dqc_buf_view(&text).ptr,
                         O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!rc && place->dir < 0) rc = DQC_EOS;
  dqc_buf_free(&text);
  return rc;
}

/* May something be put there? A rename would replace a link itself. */
static int check_target(const struct place *place)
{
  struct stat st;
  if (!*place->base) return DQC_EVALUE;
  if (fstatat(place->dir, place->base, &st, AT_SYMLINK_NOFOLLOW)) {
    return errno == ENOENT ? DQC_DONE : DQC_EOS;
  }
  return S_ISREG(st.st_mode) ? DQC_DONE : DQC_EVALUE;
}

static int write_all(int fd, struct dqc_bytes bytes)
{
  while (bytes.len) {
    ssize_t n = write(fd, bytes.ptr, bytes.len);
    if (n < 0 && errno != EINTR) return DQC_EOS;
    if (n < 0) continue;
    bytes.ptr += n;
    bytes.len -= (size_t)n;
  }
  return fsync(fd) ? DQC_EOS : DQC_DONE;
}

static int write_temporary(const struct place *place, struct dqc_bytes bytes)
{
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(place->dir, place->temporary, flags, 0600);
  if (fd < 0) return DQC_EOS;
  int rc = write_all(fd, bytes);
  if (rc) close_quietly(fd);
  if (!rc && close(fd)) rc = DQC_EOS;
  return rc;
}

static int move_in(const struct place *place)
{
  int dir = place->dir;
  return renameat(dir, place->temporary, dir, place->base) ? DQC_EOS
                                                           : DQC_DONE;
}

/* Some file systems cannot do that to a directory, and need not. */
static int sync_dir(const struct place *place)
{
  return fsync(place->dir) && errno != EINVAL ? DQC_EOS : DQC_DONE;
}

static void remove_temporary(const struct place *place)
{
  int cause = errno;
  (void)unlinkat(place->dir, place->temporary, 0);
  errno = cause;
}

static int put(struct place *place, struct dqc_bytes bytes)
{
  int rc = check_target(place);
  if (rc) return rc;
  snprintf(place->temporary, sizeof place->temporary, ".dqlite-%016" PRIx64,
           dqc_random());
  rc = write_temporary(place, bytes);
  if (!rc) rc = move_in(place);
  if (rc) remove_temporary(place);
  return rc ? rc : sync_dir(place);
}

int dqc_file_replace(const char *path, struct dqc_bytes bytes,
                     struct dqc_alloc alloc)
{
  struct place place;
  int rc = open_dir(path, alloc, &place);
  if (rc) return rc;
  rc = put(&place, bytes);
  close_quietly(place.dir);
  return rc;
}
