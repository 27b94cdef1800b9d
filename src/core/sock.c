#define _DEFAULT_SOURCE

#include "core/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/fork.h"
#include "core/poll.h"
#include "core/status.h"

/* What a system lacks is done without. */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif
#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 0
#define SOCK_NONBLOCK 0
#endif

/* Keepalive: a peer that is gone is noticed after a minute at most, once the
 * connection was used. */
#define KEEP_IDLE 30 /* seconds before the first probe */
#define KEEP_INTERVAL 10 /* seconds between probes */
#define KEEP_COUNT 3 /* of them, where there is no such limit in time: */
#define USER_TIMEOUT 30000 /* ms that data or a probe may be unacknowledged */

#define LEAST_WAIT 100 /* ms, of a wait that a receive's time is changed for */

void dqc_sock_init(struct dqc_sock *sock)
{
  memset(sock, 0, sizeof *sock);
  sock->fd = -1;
  sock->forks = dqc_fork_count();
}

int dqc_sock_inherited(const struct dqc_sock *sock)
{
  return sock->forks != dqc_fork_count();
}

void dqc_sock_close(struct dqc_sock *sock)
{
  if (sock->fd >= 0) close(sock->fd);
  dqc_sock_init(sock);
}

/* ---- connect ---- */

/* Best effort: a connection works without any of them. */
static void set_option(int fd, int level, int option, int value)
{
  (void)setsockopt(fd, level, option, &value, sizeof value);
}

/* Before the second send: what is sent first leaves at once in any case, and a
 * connection that is opened only to find out who leads, or to be closed again,
 * is spared five system calls. Until then nothing is on its way but the answer
 * to the opening, which has a deadline. */
static void tune(struct dqc_sock *sock)
{
  int fd = sock->fd;
  if (!sock->greeted || sock->tuned) return;
  sock->tuned = 1;
  if (!sock->tcp) return;
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL);
#endif
#if defined(TCP_USER_TIMEOUT)
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT);
#elif defined(TCP_KEEPCNT)
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
#endif
}

static int set_time(int fd, int option, int ms)
{
  struct timeval tv = {ms / 1000, ms % 1000 * 1000};
  return setsockopt(fd, SOL_SOCKET, option, &tv, sizeof tv);
}

/* One that blocks is given its time to connect. */
static int open_socket(struct dqc_sock *sock, int family, int patience)
{
  int mode = patience ? 0 : SOCK_NONBLOCK;
  sock->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | mode, 0);
  if (sock->fd < 0) return DQC_EOS;
  if (!SOCK_CLOEXEC) {
    (void)fcntl(sock->fd, F_SETFD, FD_CLOEXEC);
    if (!patience) (void)fcntl(sock->fd, F_SETFL, O_NONBLOCK);
  }
  if (patience) (void)set_time(sock->fd, SO_SNDTIMEO, patience);
#ifdef SO_NOSIGPIPE
  set_option(sock->fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
  return DQC_DONE;
}

/* On one machine it is over by now: the same call again says how, and spares
 * a wait and a question. Else errno is as it was. */
static int look_again(int fd, const struct sockaddr *to, socklen_t len)
{
  if (connect(fd, to, len) == 0 || errno == EISCONN) return 1;
  if (errno == EALREADY) errno = EINPROGRESS;
  return 0;
}

static int begin_connect(struct dqc_sock *sock, const struct sockaddr *to,
                         socklen_t len, int patience)
{
  int rc = open_socket(sock, to->sa_family, patience);
  if (rc) return rc;
  if (connect(sock->fd, to, len) == 0) return DQC_DONE;
  if (errno == EINPROGRESS && !patience && look_again(sock->fd, to, len)) {
    return DQC_DONE;
  }
  if (errno == EINPROGRESS || errno == EINTR) return DQC_WANT_WRITE;
  int cause = errno;
  dqc_sock_close(sock);
  errno = cause;
  return DQC_EOS;
}

static int connect_path(struct dqc_sock *sock, const struct dqc_addr *addr,
                        int patience)
{
  struct sockaddr_un to;
  size_t skip = addr->kind == DQC_ADDR_ABSTRACT ? 1 : 0;
  memset(&to, 0, sizeof to);
  to.sun_family = AF_UNIX;
  if (addr->path.len > sizeof to.sun_path - 1 - skip) return DQC_EVALUE;
  memcpy(to.sun_path + skip, addr->path.ptr, addr->path.len);
  size_t len = offsetof(struct sockaddr_un, sun_path) + skip + addr->path.len +
               (skip ? 0 : 1);
  return begin_connect(sock, (struct sockaddr *)&to, (socklen_t)len, patience);
}

static void set_port(struct addrinfo *at, uint16_t port)
{
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  if (at->ai_family == AF_INET) {
    memcpy(&v4, at->ai_addr, sizeof v4);
    v4.sin_port = htons(port);
    memcpy(at->ai_addr, &v4, sizeof v4);
  } else {
    memcpy(&v6, at->ai_addr, sizeof v6);
    v6.sin6_port = htons(port);
    memcpy(at->ai_addr, &v6, sizeof v6);
  }
}

static int numeric(const struct dqc_addr *addr, struct addrinfo **list)
{
  char host[DQC_IP_SIZE];
  struct addrinfo hints;
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  if (addr->host.len >= sizeof host) return DQC_EVALUE;
  memcpy(host, addr->host.ptr, addr->host.len);
  host[addr->host.len] = '\0';
  if (getaddrinfo(host, NULL, &hints, list)) return DQC_EVALUE;
  set_port(*list, addr->port);
  return DQC_DONE;
}

int dqc_sock_connect(struct dqc_sock *sock, const struct dqc_addr *addr,
                     int patience)
{
  struct addrinfo *list;
  dqc_sock_close(sock);
  if (addr->kind != DQC_ADDR_TCP) return connect_path(sock, addr, patience);
  int rc = numeric(addr, &list);
  if (rc) return rc;
  sock->tcp = 1;
  rc = begin_connect(sock, list->ai_addr, list->ai_addrlen, patience);
  freeaddrinfo(list);
  return rc;
}

int dqc_sock_connected(struct dqc_sock *sock)
{
  int cause = 0;
  socklen_t len = sizeof cause;
  if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &cause, &len)) {
    return DQC_EOS;
  }
  errno = cause;
  return cause ? DQC_EOS : DQC_DONE;
}

int dqc_sock_block(struct dqc_sock *sock)
{
  int flags = fcntl(sock->fd, F_GETFL);
  if (flags < 0) return DQC_EOS;
  return fcntl(sock->fd, F_SETFL, flags & ~O_NONBLOCK) ? DQC_EOS : DQC_DONE;
}

/* ---- bytes ---- */

/* The servers leave Nagle's algorithm on, so the second frame of an answer
 * waits for the acknowledgement of the first, which the kernel here holds
 * back for 40 ms. A receive behind a receive sends it at once (protocol.md
 * 5); a lone request and its lone answer never pay for this. Where answers
 * gather the kernel shall not go on by itself to send it at once: that is what
 * the 1 of a value stands for (Linux, __tcp_sock_set_quickack). */
static void acknowledge(struct dqc_sock *sock)
{
#ifdef TCP_QUICKACK
  if (sock->tcp && sock->received) {
    set_option(sock->fd, IPPROTO_TCP, TCP_QUICKACK,
               sock->due >= DQC_PACE_LEAST ? 2 : 1);
  }
#else
  (void)sock;
#endif
}

static int receive(struct dqc_sock *sock, uint8_t *room, size_t size,
                   int flags, size_t *n)
{
  ssize_t got = recv(sock->fd, room, size, flags);
  *n = 0;
  if (got > 0) {
    *n = (size_t)got;
    sock->received = 1;
    return DQC_DONE;
  }
  if (got == 0 || errno == ECONNRESET) return DQC_ECLOSED;
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    return DQC_WANT_READ;
  }
  return DQC_EOS;
}

int dqc_sock_recv(struct dqc_sock *sock, uint8_t *room, size_t size, size_t *n)
{
  acknowledge(sock);
  return receive(sock, room, size, MSG_DONTWAIT, n);
}

static int64_t nanoseconds(void)
{
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void dqc_sock_expect(struct dqc_sock *sock, size_t due)
{
  sock->due = due;
}

/* Only where it is us who acknowledges. */
void dqc_sock_gather(struct dqc_sock *sock, int timeout)
{
#ifdef TCP_QUICKACK
  if (!sock->tcp || !sock->received || sock->due < DQC_PACE_LEAST) {
    dqc_pace_restart(&sock->pace);
    return;
  }
  int64_t begin = nanoseconds();
  int64_t pause = dqc_pace_pause(&sock->pace, sock->due, begin);
  if (pause == 0 || timeout < 2) return;
  struct timespec ts = {0, (long)pause};
  nanosleep(&ts, NULL);
  dqc_pace_paused(&sock->pace, pause, nanoseconds() - begin);
#else
  (void)sock;
  (void)timeout;
  (void)nanoseconds;
#endif
}

/* A receive that sleeps in the kernel spares the call to poll. It must not
 * sleep longer than the caller has time, and its time is changed seldom: not
 * for what is left of a wait. */
static void set_patience(struct dqc_sock *sock, int timeout)
{
  int too_long = sock->patience > timeout && timeout >= LEAST_WAIT;
  if (sock->patience > 0 && timeout / 8 <= sock->patience && !too_long) return;
  int patience = timeout / 2;
  if (patience < 1) return;
  if (!set_time(sock->fd, SO_RCVTIMEO, patience)) sock->patience = patience;
}

int dqc_sock_recv_wait(struct dqc_sock *sock, uint8_t *room, size_t size,
                       int timeout, size_t *n)
{
  int ready;
  *n = 0;
  acknowledge(sock);
  set_patience(sock, timeout);
  if (sock->patience > 0 && sock->patience <= timeout) {
    return receive(sock, room, size, 0, n);
  }
  int rc = dqc_sock_wait(sock, DQC_WANT_READ, timeout, &ready);
  if (rc) return rc == DQC_ETIMEOUT ? DQC_WANT_READ : rc;
  return receive(sock, room, size, MSG_DONTWAIT, n);
}

int dqc_sock_send(struct dqc_sock *sock, struct dqc_bytes bytes, size_t *n)
{
  tune(sock);
  ssize_t sent =
      send(sock->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
  *n = 0;
  if (sent >= 0) {
    *n = (size_t)sent;
    sock->received = 0;
    sock->greeted = 1;
    return DQC_DONE;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    return DQC_WANT_WRITE;
  }
  return errno == EPIPE || errno == ECONNRESET ? DQC_ECLOSED : DQC_EOS;
}

/* ---- waiting ---- */

int dqc_sock_wait(struct dqc_sock *sock, int wanted, int timeout, int *ready)
{
  struct dqc_poll one = {sock->fd, wanted, 0};
  int rc = dqc_poll_wait(&one, 1, timeout);
  *ready = one.ready;
  return rc;
}

int dqc_sock_alive(struct dqc_sock *sock)
{
  uint8_t byte;
  if (sock->fd < 0) return 0;
  ssize_t n = recv(sock->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* ---- names and ports ---- */

static int numeric_text(const struct sockaddr *sa, socklen_t len,
                        struct dqc_ip *ip)
{
  return getnameinfo(sa, len, ip->text, sizeof ip->text, NULL, 0,
                     NI_NUMERICHOST)
             ? DQC_EVALUE
             : DQC_DONE;
}

int dqc_sock_lookup(const char *host, struct dqc_ip *ips, size_t max,
                    size_t *count, const char **reason)
{
  struct addrinfo hints, *list;
  *count = 0;
  *reason = NULL;
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  int rc = getaddrinfo(host, NULL, &hints, &list);
  if (rc) {
    *reason = rc == EAI_SYSTEM ? NULL : gai_strerror(rc);
    return DQC_EOS;
  }
  for (struct addrinfo *a = list; a && *count < max; a = a->ai_next) {
    if (!numeric_text(a->ai_addr, a->ai_addrlen, &ips[*count])) ++*count;
  }
  freeaddrinfo(list);
  if (*count == 0) *reason = "the name has no address";
  return *count ? DQC_DONE : DQC_EOS;
}

static uint16_t port_of(const struct sockaddr_storage *sa)
{
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  if (sa->ss_family == AF_INET) {
    memcpy(&v4, sa, sizeof v4);
    return ntohs(v4.sin_port);
  }
  memcpy(&v6, sa, sizeof v6);
  return ntohs(v6.sin6_port);
}

int dqc_sock_peer(struct dqc_sock *sock, struct dqc_ip *ip, uint16_t *port)
{
  struct sockaddr_storage sa;
  socklen_t len = sizeof sa;
  if (!sock->tcp) return DQC_EVALUE;
  if (getpeername(sock->fd, (struct sockaddr *)&sa, &len)) return DQC_EOS;
  *port = port_of(&sa);
  return numeric_text((struct sockaddr *)&sa, len, ip);
}

/* Of a port that is wanted, what old connections have left does not matter:
 * servers set SO_REUSEADDR too. */
static int bound_port(int fd, const struct addrinfo *at, uint16_t *port)
{
  struct sockaddr_storage sa;
  socklen_t len = sizeof sa;
  int reuse = *port != 0;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse) ||
      bind(fd, at->ai_addr, at->ai_addrlen) ||
      getsockname(fd, (struct sockaddr *)&sa, &len)) {
    return DQC_EOS;
  }
  *port = port_of(&sa);
  return DQC_DONE;
}

int dqc_sock_unused_port(const char *ip, uint16_t *port)
{
  struct dqc_sock sock;
  struct addrinfo *list;
  struct dqc_addr addr = {
      DQC_ADDR_TCP, {(const uint8_t *)ip, strlen(ip)}, {NULL, 0}, *port};
  dqc_sock_init(&sock);
  int rc = numeric(&addr, &list);
  if (rc) return rc;
  rc = open_socket(&sock, list->ai_family, 0);
  if (!rc) rc = bound_port(sock.fd, list, port);
  freeaddrinfo(list);
  int cause = errno;
  dqc_sock_close(&sock);
  errno = cause;
  return rc;
}
