#include "core/poll.h"

#include <errno.h>
#include <poll.h>

#include "core/status.h"

static short events_of(int wanted)
{
  short events = 0;
  if (wanted & DQC_WANT_READ) events |= POLLIN;
  if (wanted & DQC_WANT_WRITE) events |= POLLOUT;
  return events;
}

/* An error or a hang-up shows in the call that was waited for. */
static int ready_of(short events)
{
  int ready = 0;
  if (events & (POLLIN | POLLERR | POLLHUP)) ready |= DQC_WANT_READ;
  if (events & (POLLOUT | POLLERR | POLLHUP)) ready |= DQC_WANT_WRITE;
  return ready;
}

int dqc_poll_wait(struct dqc_poll *list, size_t n, int timeout)
{
  struct pollfd fds[DQC_POLL_MAX];
  if (n > DQC_POLL_MAX) n = DQC_POLL_MAX;
  for (size_t i = 0; i < n; i++) {
    dqc_fds_put(fds, i, list[i].fd, events_of(list[i].wanted));
    list[i].ready = list[i].fd < 0 ? list[i].wanted : 0;
    if (list[i].fd < 0) timeout = 0;
  }
  int rc = dqc_fds_poll(fds, n, timeout);
  for (size_t i = 0; i < n; i++) {
    list[i].ready |= ready_of(fds[i].revents) & list[i].wanted;
  }
  return rc;
}

size_t dqc_fds_size(size_t n)
{
  return n * sizeof(struct pollfd);
}

int dqc_fds_events(int wanted)
{
  return events_of(wanted);
}

void dqc_fds_put(struct pollfd *fds, size_t i, int fd, int events)
{
  fds[i].fd = fd;
  fds[i].events = (short)events;
  fds[i].revents = 0;
}

int dqc_fds_poll(struct pollfd *fds, size_t n, int timeout)
{
  int found = poll(fds, (nfds_t)n, timeout);
  if (found == 0 || (found < 0 && errno == EINTR)) return DQC_ETIMEOUT;
  return found < 0 ? DQC_EOS : DQC_DONE;
}

int dqc_fds_is_ready(const struct pollfd *fds, size_t i)
{
  return fds[i].revents != 0;
}
