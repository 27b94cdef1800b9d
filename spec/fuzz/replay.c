/* Runs files, and all files of directories, through a target's function, for
 * compilers without libFuzzer. A child process runs them one after the other;
 * where one ends it, that one is counted as failed and the next child goes on
 * behind it. Ends with the line `N passed, N failed`. */
#define _DEFAULT_SOURCE
#define _FILE_OFFSET_BITS 64 /* qemu's directories, where long has 32 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define PATIENCE 20 /* seconds for one file */

struct list {
  char **paths;
  size_t count;
};

static void stop(const char *reason)
{
  perror(reason);
  exit(2);
}

static void add_file(struct list *list, const char *path)
{
  size_t size = (list->count + 1) * sizeof *list->paths;
  list->paths = realloc(list->paths, size);
  char *copy = list->paths ? strdup(path) : NULL;
  if (!copy) stop(path);
  list->paths[list->count++] = copy;
}

static void add_entries(struct list *list, const char *path)
{
  struct dirent **entries;
  char name[4096];
  int count = scandir(path, &entries, NULL, alphasort);
  if (count < 0) stop(path);
  for (int i = 0; i < count; i++) {
    if (entries[i]->d_name[0] != '.') {
      snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
      add_file(list, name);
    }
    free(entries[i]);
  }
  free(entries);
}

static void add_path(struct list *list, const char *path)
{
  struct stat status;
  if (stat(path, &status)) stop(path);
  if (S_ISDIR(status.st_mode)) {
    add_entries(list, path);
  } else {
    add_file(list, path);
  }
}

static void run_file(const char *path)
{
  struct stat status;
  FILE *file = fopen(path, "rb");
  if (!file || fstat(fileno(file), &status)) stop(path);
  size_t size = (size_t)status.st_size;
  uint8_t *data = malloc(size ? size : 1);
  if (!data || fread(data, 1, size, file) != size) stop(path);
  fclose(file);
  alarm(PATIENCE);
  LLVMFuzzerTestOneInput(data, size);
  free(data);
}

/* In the child; *next is shared with its parent. */
static void run_files(const struct list *list, volatile size_t *next)
{
  while (*next < list->count) {
    run_file(list->paths[*next]);
    ++*next;
  }
  exit(0);
}

static int wait_for(pid_t child)
{
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0) stop("fork");
  return status;
}

/* How many files failed. */
static size_t run_all(const struct list *list, volatile size_t *next)
{
  size_t failed = 0;
  while (*next < list->count) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) run_files(list, next);
    int status = wait_for(child);
    if (status == 0 && *next == list->count) break;
    failed++;
    /* a leak is found when the child exits */
    int at_exit = *next == list->count;
    printf("FAIL  %s\n", at_exit ? "at exit" : list->paths[(*next)++]);
  }
  return failed;
}

int main(int argc, char **argv)
{
  struct list list = {NULL, 0};
  size_t *next = mmap(NULL, sizeof *next, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (next == MAP_FAILED) stop("mmap");
  for (int i = 1; i < argc; i++) add_path(&list, argv[i]);
  size_t failed = run_all(&list, next);
  printf("%zu passed, %zu failed\n", list.count - failed, failed);
  for (size_t i = 0; i < list.count; i++) free(list.paths[i]);
  free(list.paths);
  return failed || list.count == 0 ? 1 : 0;
}
