/* Which process is this? A number that a fork changes in the child, read without
 * a system call. */
#ifndef DQC_FORK_H
#define DQC_FORK_H

#pragma GCC visibility push(hidden)

/* Begins to count; again does nothing. DQC_DONE or DQC_ENOMEM. The C library
 * forgets the handler when it unloads the object that this is in. */
int dqc_fork_watch(void);

/* How many forks lie between this process and the one that began to count, or a
 * larger number where several threads of that began at once. A child of vfork or of the bare system call is not noticed. */
unsigned dqc_fork_count(void);

#pragma GCC visibility pop

#endif
