#define _DEFAULT_SOURCE

#include "support/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/status.h"
#include "support/check.h"
#include "support/make.h"

union any {
  struct sockaddr sa;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_un un;
};

static socklen_t fill_path(union any *any, const char *path)
{
  size_t len = strlen(path);
  any->un.sun_family = AF_UNIX;
  memcpy(any->un.sun_path, path, len);
  if (path[0] == '@') any->un.sun_path[0] = '\0';
  len += offsetof(struct sockaddr_un, sun_path) + (path[0] == '/' ? 1 : 0);
  return (socklen_t)len;
}

static socklen_t fill(union any *any, const char *address)
{
  memset(any, 0, sizeof *any);
  if (address[0] == '/' || address[0] == '@') return fill_path(any, address);
  if (address[0] == '[') {
    any->v6.sin6_family = AF_INET6;
    any->v6.sin6_addr = in6addr_loopback;
    return sizeof any->v6;
  }
  any->v4.sin_family = AF_INET;
  any->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return sizeof any->v4;
}

static void name_address(struct peer *peer, const char *address)
{
  union any any;
  socklen_t len = sizeof any;
  if (getsockname(peer->listener, &any.sa, &len)) check_fatal("no address");
  if (any.sa.sa_family == AF_INET) {
    snprintf(peer->text, sizeof peer->text, "127.0.0.1:%d",
             ntohs(any.v4.sin_port));
  } else if (any.sa.sa_family == AF_INET6) {
    snprintf(peer->text, sizeof peer->text, "[::1]:%d",
             ntohs(any.v6.sin6_port));
  } else {
    snprintf(peer->text, sizeof peer->text, "%s", address);
  }
  if (dqc_addr_parse(bytes_of(peer->text), &peer->addr)) {
    check_fatal("an address that cannot be read");
  }
}

int peer_listen(struct peer *peer, const char *address)
{
  union any any;
  socklen_t len = fill(&any, address);
  memset(peer, 0, sizeof *peer);
  peer->fd = -1;
  peer->listener = socket(any.sa.sa_family, SOCK_STREAM, 0);
  if (peer->listener < 0) return 0;
  if (bind(peer->listener, &any.sa, len) || listen(peer->listener, 5)) {
    peer_free(peer);
    return 0;
  }
  name_address(peer, address);
  return 1;
}

void peer_accept(struct peer *peer)
{
  peer->fd = accept(peer->listener, NULL, NULL);
  if (peer->fd < 0) check_fatal("nobody connects");
}

int peer_wait_connected(struct dqc_sock *sock, int rc)
{
  int ready;
  if (rc != DQC_WANT_WRITE) return rc;
  rc = dqc_sock_wait(sock, DQC_WANT_WRITE, PEER_PATIENCE, &ready);
  return rc ? rc : dqc_sock_connected(sock);
}

static void pair(struct peer *peer, struct dqc_sock *sock, const char *address,
                 int patience)
{
  check_about(address);
  dqc_sock_init(sock);
  if (!peer_listen(peer, address)) check_fatal("cannot listen");
  int rc = dqc_sock_connect(sock, &peer->addr, patience);
  if (peer_wait_connected(sock, rc)) check_fatal("cannot connect");
  peer_accept(peer);
}

void peer_pair(struct peer *peer, struct dqc_sock *sock, const char *address)
{
  pair(peer, sock, address, 0);
}

void peer_pair_blocking(struct peer *peer, struct dqc_sock *sock,
                        const char *address)
{
  pair(peer, sock, address, PEER_PATIENCE);
}

void peer_unpair(struct peer *peer, struct dqc_sock *sock)
{
  dqc_sock_close(sock);
  peer_free(peer);
  check_about(NULL);
}

void peer_own_name(char name[PEER_NAME_SIZE])
{
  snprintf(name, PEER_NAME_SIZE, "@dqlite-test-%ld", (long)getpid());
}

long peer_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void peer_write(struct peer *peer, const char *s)
{
  ssize_t n = write(peer->fd, s, strlen(s));
  if (n != (ssize_t)strlen(s)) check_fatal("the peer cannot write");
}

size_t peer_read(struct peer *peer, void *room, size_t size)
{
  ssize_t n = read(peer->fd, room, size);
  if (n < 0) check_fatal("the peer cannot read");
  return (size_t)n;
}

void peer_close(struct peer *peer)
{
  close(peer->fd);
  peer->fd = -1;
}

void peer_reset(struct peer *peer)
{
  struct linger at_once = {1, 0};
  setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  peer_close(peer);
}

void peer_free(struct peer *peer)
{
  if (peer->fd >= 0) peer_close(peer);
  if (peer->listener >= 0) close(peer->listener);
  if (peer->text[0] == '/') unlink(peer->text);
  peer->listener = -1;
}
