/* How a socket comes to be: addresses of all kinds, its options, attempts
 * that fail, names and ports. */
#define _DEFAULT_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/sock.h"
#include "core/status.h"
#include "support/check.h"
#include "support/make.h"
#include "support/peer.h"

#define LOOPBACK "127.0.0.1:0"

static int option_of(int fd, int level, int option)
{
  int value = -1;
  socklen_t len = sizeof value;
  if (getsockopt(fd, level, option, &value, &len)) return -1;
  return value;
}

static void check_mode(const struct dqc_sock *sock, int tcp, int mode)
{
  CHECK_EQ(sock->tcp, tcp);
  CHECK(fcntl(sock->fd, F_GETFD) & FD_CLOEXEC);
  CHECK_EQ(fcntl(sock->fd, F_GETFL) & O_NONBLOCK, mode);
}

static void check_options(const struct dqc_sock *sock, int set)
{
  CHECK_EQ(option_of(sock->fd, IPPROTO_TCP, TCP_NODELAY), set);
  CHECK_EQ(option_of(sock->fd, SOL_SOCKET, SO_KEEPALIVE), set);
  CHECK_EQ(option_of(sock->fd, IPPROTO_TCP, TCP_USER_TIMEOUT) > 0, set);
}

/* They are set before the second send. */
static void check_tuned(struct dqc_sock *sock)
{
  size_t n;
  check_options(sock, 0);
  CHECK_EQ(dqc_sock_send(sock, bytes_of("again"), &n), DQC_DONE);
  check_options(sock, 1);
}

static void check_talk(struct dqc_sock *sock, struct peer *peer)
{
  uint8_t room[16];
  size_t n;
  int ready;
  CHECK_EQ(dqc_sock_recv(sock, room, sizeof room, &n), DQC_WANT_READ);
  CHECK_EQ(n, 0);
  CHECK_EQ(dqc_sock_send(sock, bytes_of("ping"), &n), DQC_DONE);
  CHECK_EQ(n, 4);
  n = peer_read(peer, room, sizeof room);
  CHECK_BYTES(bytes_from(room, n), bytes_of("ping"));
  peer_write(peer, "pong");
  CHECK_EQ(dqc_sock_wait(sock, DQC_WANT_READ, PEER_PATIENCE, &ready),
           DQC_DONE);
  CHECK_EQ(ready, DQC_WANT_READ);
  CHECK_EQ(dqc_sock_recv(sock, room, 3, &n), DQC_DONE);
  CHECK_BYTES(bytes_from(room, n), bytes_of("pon"));
  CHECK_EQ(dqc_sock_recv(sock, room, sizeof room, &n), DQC_DONE);
  CHECK_BYTES(bytes_from(room, n), bytes_of("g"));
}

static void test_address(const char *address, int tcp)
{
  struct dqc_sock sock;
  struct peer peer;
  peer_pair(&peer, &sock, address);
  check_mode(&sock, tcp, O_NONBLOCK);
  check_talk(&sock, &peer);
  if (tcp) check_tuned(&sock);
  peer_unpair(&peer, &sock);
  CHECK_EQ(sock.fd, -1);
  peer_pair_blocking(&peer, &sock, address);
  check_mode(&sock, tcp, 0);
  check_talk(&sock, &peer);
  if (tcp) check_tuned(&sock);
  peer_unpair(&peer, &sock);
}

/* A listener that takes no more connections: its queue is full. Those that
 * connect while it is answer "not yet" when their time is over. */
static void test_patience(void)
{
  struct dqc_sock taken[2], late;
  struct peer peer;
  dqc_sock_init(&taken[0]);
  dqc_sock_init(&taken[1]);
  dqc_sock_init(&late);
  if (!peer_listen(&peer, LOOPBACK)) check_fatal("cannot listen");
  CHECK_EQ(listen(peer.listener, 0), 0);
  CHECK_EQ(dqc_sock_connect(&taken[0], &peer.addr, PEER_PATIENCE), DQC_DONE);
  (void)dqc_sock_connect(&taken[1], &peer.addr, 50);
  long start = peer_now();
  CHECK_EQ(dqc_sock_connect(&late, &peer.addr, 50), DQC_WANT_WRITE);
  CHECK(peer_now() - start >= 49);
  CHECK(peer_now() - start < 2000);
  CHECK_EQ(dqc_sock_connect(&late, &peer.addr, 0), DQC_WANT_WRITE);
  dqc_sock_close(&taken[0]);
  dqc_sock_close(&taken[1]);
  dqc_sock_close(&late);
  peer_free(&peer);
}

static void test_ipv6_names(void)
{
  struct dqc_sock sock;
  struct peer peer;
  struct dqc_ip ip;
  uint16_t port = 0;
  CHECK_EQ(dqc_sock_unused_port("::1", &port), DQC_DONE);
  CHECK(port > 0);
  peer_pair(&peer, &sock, "[::1]:0");
  CHECK_EQ(dqc_sock_peer(&sock, &ip, &port), DQC_DONE);
  CHECK_TEXT(ip.text, "::1");
  CHECK_EQ(port, peer.addr.port);
  peer_unpair(&peer, &sock);
}

/* A machine without IPv6 has no such address to test with. */
static void test_ipv6(void)
{
  struct peer peer;
  if (peer_listen(&peer, "[::1]:0")) {
    peer_free(&peer);
    test_address("[::1]:0", 1);
    test_ipv6_names();
  } else {
    printf("no IPv6 on this machine: not tested\n");
  }
}

static void test_paths(void)
{
  char dir[] = "/tmp/dqlite-sock.XXXXXX", path[64];
  char name[PEER_NAME_SIZE];
  if (!mkdtemp(dir)) check_fatal("no directory");
  snprintf(path, sizeof path, "%s/socket", dir);
  peer_own_name(name);
  test_address(path, 0);
  test_address(name, 0);
  rmdir(dir);
}

static void check_no_connection(const char *address, int expected, int cause)
{
  struct dqc_sock sock;
  struct dqc_addr addr;
  check_about(address);
  dqc_sock_init(&sock);
  CHECK(dqc_addr_parse(bytes_of(address), &addr) == NULL);
  errno = 0;
  CHECK_EQ(peer_wait_connected(&sock, dqc_sock_connect(&sock, &addr, 0)),
           expected);
  if (expected == DQC_EOS) CHECK_EQ(errno, cause);
  errno = 0;
  CHECK_EQ(dqc_sock_connect(&sock, &addr, PEER_PATIENCE), expected);
  if (expected == DQC_EOS) CHECK_EQ(errno, cause);
  CHECK_EQ(sock.fd, -1);
  dqc_sock_close(&sock);
  check_about(NULL);
}

static void test_no_connection(void)
{
  uint16_t port = 0;
  char address[32];
  CHECK_EQ(dqc_sock_unused_port("127.0.0.1", &port), DQC_DONE);
  CHECK(port > 0);
  snprintf(address, sizeof address, "127.0.0.1:%d", port);
  check_no_connection(address, DQC_EOS, ECONNREFUSED);
  check_no_connection("/tmp/no/such/socket", DQC_EOS, ENOENT);
  check_no_connection("@no-such-name-of-dqlite", DQC_EOS, ECONNREFUSED);
  check_no_connection("localhost:9001", DQC_EVALUE, 0);
  check_no_connection("no.such.host:9001", DQC_EVALUE, 0);
}

/* Longer than any address that the parser lets through, or than any number. */
static void test_too_long(void)
{
  static char path[200], host[] = "1234567890123456789012345678901234567890"
                                  "123456789012345678901234567890:1";
  struct dqc_sock sock;
  struct dqc_addr addr;
  dqc_sock_init(&sock);
  memset(path, '/', sizeof path);
  memset(&addr, 0, sizeof addr);
  addr.path = bytes_from(path, sizeof path);
  addr.kind = DQC_ADDR_UNIX;
  CHECK_EQ(dqc_sock_connect(&sock, &addr, 0), DQC_EVALUE);
  addr.kind = DQC_ADDR_ABSTRACT;
  CHECK_EQ(dqc_sock_connect(&sock, &addr, 0), DQC_EVALUE);
  check_no_connection(host, DQC_EVALUE, 0);
  CHECK_EQ(sock.fd, -1);
}

/* A process that may have no more descriptors. */
static void test_no_descriptor(void)
{
  struct rlimit limit, none;
  uint16_t port = 0;
  if (getrlimit(RLIMIT_NOFILE, &limit)) check_fatal("no limit");
  none = limit;
  none.rlim_cur = 0;
  if (setrlimit(RLIMIT_NOFILE, &none)) check_fatal("no limit");
  check_no_connection("127.0.0.1:1", DQC_EOS, EMFILE);
  check_no_connection("@none", DQC_EOS, EMFILE);
  CHECK_EQ(dqc_sock_unused_port("127.0.0.1", &port), DQC_EOS);
  CHECK_EQ(errno, EMFILE);
  CHECK_EQ(port, 0);
  if (setrlimit(RLIMIT_NOFILE, &limit)) check_fatal("no limit");
}

/* Closing again does nothing, not even to a descriptor that has the number
 * by then. */
static void test_close(void)
{
  struct dqc_sock sock;
  struct peer peer;
  peer_pair(&peer, &sock, LOOPBACK);
  int fd = sock.fd;
  dqc_sock_close(&sock);
  CHECK_EQ(dup2(peer.listener, fd), fd);
  dqc_sock_close(&sock);
  CHECK(fcntl(fd, F_GETFD) >= 0);
  close(fd);
  peer_unpair(&peer, &sock);
}

/* ---- names and ports ---- */

static void test_peer(void)
{
  struct dqc_sock sock;
  struct peer peer;
  struct dqc_ip ip;
  char name[PEER_NAME_SIZE];
  uint16_t port = 0;
  peer_pair(&peer, &sock, LOOPBACK);
  CHECK_EQ(dqc_sock_peer(&sock, &ip, &port), DQC_DONE);
  CHECK_TEXT(ip.text, "127.0.0.1");
  CHECK_EQ(port, peer.addr.port);
  peer_unpair(&peer, &sock);
  peer_own_name(name);
  peer_pair(&peer, &sock, name);
  CHECK_EQ(dqc_sock_peer(&sock, &ip, &port), DQC_EVALUE);
  peer_unpair(&peer, &sock);
}

static void test_lookup(void)
{
  struct dqc_ip ips[8];
  size_t count;
  const char *reason;
  CHECK_EQ(dqc_sock_lookup("127.0.0.1", ips, 8, &count, &reason), DQC_DONE);
  CHECK_EQ(count, 1);
  CHECK_TEXT(ips[0].text, "127.0.0.1");
  CHECK_EQ(dqc_sock_lookup("::1", ips, 8, &count, &reason), DQC_DONE);
  CHECK_TEXT(ips[0].text, "::1");
  CHECK_EQ(dqc_sock_lookup("localhost", ips, 1, &count, &reason), DQC_DONE);
  CHECK_EQ(count, 1);
  CHECK_EQ(dqc_sock_lookup("no..such.name", ips, 8, &count, &reason), DQC_EOS);
  CHECK_EQ(count, 0);
  CHECK(reason && *reason);
}

static void test_unused_port(void)
{
  struct peer peer;
  uint16_t port = 0, wanted;
  CHECK_EQ(dqc_sock_unused_port("localhost", &port), DQC_EVALUE);
  CHECK_EQ(port, 0);
  /* of no machine: RFC 5737 */
  CHECK_EQ(dqc_sock_unused_port("192.0.2.1", &port), DQC_EOS);
  CHECK_EQ(errno, EADDRNOTAVAIL);
  CHECK_EQ(port, 0);
  if (!peer_listen(&peer, "127.0.0.1:0")) check_fatal("no server");
  port = wanted = peer.addr.port;
  CHECK_EQ(dqc_sock_unused_port("127.0.0.1", &port), DQC_EOS);
  CHECK_EQ(errno, EADDRINUSE);
  peer_free(&peer);
  CHECK_EQ(dqc_sock_unused_port("127.0.0.1", &port), DQC_DONE);
  CHECK_EQ(port, wanted);
}

int main(void)
{
  test_address(LOOPBACK, 1);
  test_ipv6();
  test_paths();
  test_patience();
  test_no_connection();
  test_too_long();
  test_no_descriptor();
  test_close();
  test_peer();
  test_lookup();
  test_unused_port();
  return check_done();
}
