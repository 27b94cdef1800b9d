/* Files read and replaced whole: what is refused, and what a failure leaves. */
#define _DEFAULT_SOURCE
#define _FILE_OFFSET_BITS 64 /* test_vast, readdir */

#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/status.h"
#include "support/check.h"
#include "support/failing.h"
#include "support/make.h"

#define PATH "file"
#define LARGE 10000 /* more than one read */

static char home[] = "/tmp/dqlite-file-XXXXXX";

/* The lowest descriptor that is free: as before, or one has leaked. */
static int next_fd(void)
{
  int fd = dup(0);
  close(fd);
  return fd;
}

/* How many names the directory holds, hidden ones included. */
static int count_names(void)
{
  int n = 0;
  DIR *dir = opendir(".");
  while (readdir(dir)) n++;
  closedir(dir);
  return n - 2;
}

static int replace(const char *path, const char *text)
{
  return dqc_file_replace(path, bytes_of(text), dqc_alloc_default);
}

static int read_status(const char *path, size_t max)
{
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  int rc = dqc_file_read(path, max, &out);
  dqc_buf_free(&out);
  return rc;
}

static void check_content(const char *path, struct dqc_bytes expected)
{
  struct dqc_buf out;
  dqc_buf_init(&out, dqc_alloc_default);
  CHECK_EQ(dqc_file_read(path, expected.len, &out), DQC_DONE);
  CHECK_BYTES(dqc_buf_view(&out), expected);
  dqc_buf_free(&out);
}

static void test_replace(void)
{
  struct stat st;
  CHECK_EQ(replace(PATH, "first, and longer"), DQC_DONE);
  check_content(PATH, bytes_of("first, and longer"));
  CHECK_EQ(stat(PATH, &st), 0);
  CHECK_EQ(st.st_mode & 0777, 0600);
  CHECK_EQ(replace("./" PATH, "second"), DQC_DONE);
  check_content(PATH, bytes_of("second"));
  CHECK_EQ(replace(PATH, ""), DQC_DONE);
  check_content(PATH, bytes_of(""));
  CHECK_EQ(count_names(), 1);
}

static void test_limit(void)
{
  static uint8_t large[LARGE];
  memset(large, 'x', LARGE);
  struct dqc_bytes bytes = bytes_from(large, LARGE);
  CHECK_EQ(dqc_file_replace(PATH, bytes, dqc_alloc_default), DQC_DONE);
  check_content(PATH, bytes);
  CHECK_EQ(read_status(PATH, LARGE + 1), DQC_DONE);
  CHECK_EQ(read_status(PATH, LARGE - 1), DQC_ETOOBIG);
  CHECK_EQ(read_status(PATH, 0), DQC_ETOOBIG);
  CHECK_EQ(read_status(PATH, SIZE_MAX), DQC_DONE);
  CHECK_EQ(read_status("/dev/zero", 100), DQC_EVALUE);
}

/* One whose size needs more than 32 bits, signed; it takes no room. */
static void test_vast(void)
{
  int fd = open("vast", O_WRONLY | O_CREAT, 0600);
  CHECK_EQ(ftruncate(fd, (off_t)3 << 30), 0);
  CHECK_EQ(close(fd), 0);
  CHECK_EQ(read_status("vast", 100), DQC_ETOOBIG);
  CHECK_EQ(replace("vast", "small"), DQC_DONE);
  check_content("vast", bytes_of("small"));
  CHECK_EQ(unlink("vast"), 0);
}

static void test_missing(void)
{
  CHECK_EQ(read_status("none", 100), DQC_EOS);
  CHECK_EQ(errno, ENOENT);
  CHECK_EQ(read_status("none/file", 100), DQC_EOS);
  CHECK_EQ(errno, ENOENT);
  CHECK_EQ(replace("none/file", "x"), DQC_EOS);
  CHECK_EQ(errno, ENOENT);
  CHECK_EQ(read_status(PATH "/file", 100), DQC_EOS);
  CHECK_EQ(errno, ENOTDIR);
  CHECK_EQ(replace(PATH "/file", "x"), DQC_EOS);
  CHECK_EQ(errno, ENOTDIR);
}

/* Neither read nor replaced, and still there afterwards. */
static void check_refused(const char *path)
{
  struct stat before, after;
  check_about(path);
  CHECK_EQ(lstat(path, &before), 0);
  int names = count_names();
  CHECK_EQ(read_status(path, 100), DQC_EVALUE);
  CHECK_EQ(replace(path, "x"), DQC_EVALUE);
  CHECK_EQ(lstat(path, &after), 0);
  CHECK_EQ(after.st_ino, before.st_ino);
  CHECK_EQ(count_names(), names);
  check_about(NULL);
}

static void test_refused(void)
{
  CHECK_EQ(symlink(PATH, "link"), 0);
  CHECK_EQ(symlink("none", "dangling"), 0);
  CHECK_EQ(symlink("loop", "loop"), 0);
  CHECK_EQ(mkfifo("pipe", 0600), 0);
  CHECK_EQ(mkdir("directory", 0700), 0);
  const char *const names[] = {"link", "dangling",    "loop", "pipe",
                               ".",    "directory",   "..",   "directory/.",
                               "/",    "directory/.."};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    check_refused(names[i]);
  }
  CHECK_EQ(replace("directory/", "x"), DQC_EVALUE);
  CHECK_EQ(replace("", "x"), DQC_EVALUE);
}

static void set_limit(int resource, rlim_t most)
{
  struct rlimit limit;
  CHECK_EQ(getrlimit(resource, &limit), 0);
  limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
  CHECK_EQ(setrlimit(resource, &limit), 0);
}

/* A disk that is full after some bytes. */
static void test_cut_short(void)
{
  static uint8_t large[LARGE];
  int names = count_names();
  CHECK_EQ(replace(PATH, "old"), DQC_DONE);
  signal(SIGXFSZ, SIG_IGN);
  set_limit(RLIMIT_FSIZE, LARGE / 2);
  int rc = dqc_file_replace(PATH, bytes_from(large, LARGE), dqc_alloc_default);
  int cause = errno;
  set_limit(RLIMIT_FSIZE, RLIM_INFINITY);
  CHECK_EQ(rc, DQC_EOS);
  CHECK_EQ(cause, EFBIG);
  check_content(PATH, bytes_of("old"));
  CHECK_EQ(count_names(), names);
}

/* One descriptor is left: for the directory. */
static void test_no_descriptor(void)
{
  struct rlimit limit;
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  set_limit(RLIMIT_NOFILE, (rlim_t)next_fd() + 1);
  int rc = replace(PATH, "new"), cause = errno;
  set_limit(RLIMIT_NOFILE, limit.rlim_cur);
  CHECK_EQ(rc, DQC_EOS);
  CHECK_EQ(cause, EMFILE);
  check_content(PATH, bytes_of("old"));
}

/* A name that the file system takes no longer: found when it is moved in. */
static void test_long_name(void)
{
  char name[300];
  int names = count_names();
  memset(name, 'n', sizeof name);
  name[255] = 0;
  CHECK_EQ(replace(name, "x"), DQC_DONE);
  CHECK_EQ(unlink(name), 0);
  name[255] = 'n';
  name[256] = 0;
  CHECK_EQ(replace(name, "x"), DQC_EOS);
  CHECK_EQ(errno, ENAMETOOLONG);
  CHECK_EQ(count_names(), names);
}

static int read_without(struct dqc_alloc alloc)
{
  struct dqc_buf out;
  dqc_buf_init(&out, alloc);
  int rc = dqc_file_read(PATH, LARGE, &out);
  dqc_buf_free(&out);
  return rc;
}

/* Its directory's name does not fit into the smallest buffer. */
static int replace_without(struct dqc_alloc alloc)
{
  char path[400];
  memset(path, '/', sizeof path);
  memcpy(path, ".", 1);
  memcpy(path + 256, PATH, sizeof PATH);
  return dqc_file_replace(path, bytes_of("after"), alloc);
}

static void test_no_memory(void)
{
  failing_run("read", 1, read_without);
  failing_run("replace", 2, replace_without);
  check_content(PATH, bytes_of("after"));
}

static void remove_all(void)
{
  static const char *const names[] = {PATH,   "link", "dangling",
                                      "loop", "pipe", "directory"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    CHECK_EQ(remove(names[i]), 0);
  }
  CHECK_EQ(count_names(), 0);
  CHECK_EQ(rmdir(home), 0);
}

int main(void)
{
  if (!mkdtemp(home) || chdir(home)) check_fatal("no directory");
  int fd = next_fd();
  test_replace();
  test_limit();
  test_vast();
  test_missing();
  test_refused();
  test_cut_short();
  test_no_descriptor();
  test_long_name();
  test_no_memory();
  CHECK_EQ(next_fd(), fd);
  remove_all();
  return check_done();
}
