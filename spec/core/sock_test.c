/* What a connected socket does: waiting, a full buffer, and every way a
 * connection ends. */
#define _DEFAULT_SOURCE

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/sock.h"
#include "core/status.h"
#include "support/check.h"
#include "support/make.h"
#include "support/peer.h"

#define LOOPBACK "127.0.0.1:0"

static void test_wait(void)
{
  struct dqc_sock sock;
  struct peer peer;
  int ready = -1;
  peer_pair(&peer, &sock, LOOPBACK);
  long start = peer_now();
  CHECK_EQ(dqc_sock_wait(&sock, DQC_WANT_READ, 50, &ready), DQC_ETIMEOUT);
  CHECK_EQ(ready, 0);
  CHECK(peer_now() - start >= 49);
  CHECK_EQ(dqc_sock_wait(&sock, DQC_WANT_READ, 0, &ready), DQC_ETIMEOUT);
  int both = DQC_WANT_READ | DQC_WANT_WRITE;
  CHECK_EQ(dqc_sock_wait(&sock, both, PEER_PATIENCE, &ready), DQC_DONE);
  CHECK_EQ(ready, DQC_WANT_WRITE);
  peer_write(&peer, "x");
  CHECK_EQ(dqc_sock_wait(&sock, DQC_WANT_READ, PEER_PATIENCE, &ready),
           DQC_DONE);
  CHECK_EQ(dqc_sock_wait(&sock, both, PEER_PATIENCE, &ready), DQC_DONE);
  CHECK_EQ(ready, both);
  peer_unpair(&peer, &sock);
}

/* A receive that waits: to its timeout, for bytes, for the end. It may come
 * back early, and is then asked again. */
static int wait_for(struct dqc_sock *sock, int timeout, uint8_t *byte)
{
  size_t n;
  long end = peer_now() + timeout;
  int rc = DQC_WANT_READ;
  while (rc == DQC_WANT_READ && peer_now() < end) {
    rc = dqc_sock_recv_wait(sock, byte, 1, (int)(end - peer_now()), &n);
    CHECK_EQ(n, rc == DQC_DONE ? 1 : 0);
  }
  return rc;
}

static void test_recv_wait(void)
{
  struct dqc_sock sock;
  struct peer peer;
  uint8_t byte = 0;
  peer_pair(&peer, &sock, LOOPBACK);
  CHECK_EQ(dqc_sock_block(&sock), DQC_DONE);
  CHECK_EQ(fcntl(sock.fd, F_GETFL) & O_NONBLOCK, 0);
  CHECK_EQ(wait_for(&sock, 1, &byte), DQC_WANT_READ);
  long start = peer_now();
  CHECK_EQ(wait_for(&sock, 60, &byte), DQC_WANT_READ);
  CHECK(peer_now() - start >= 59);
  CHECK(peer_now() - start < 1000);
  peer_write(&peer, "ab");
  CHECK_EQ(wait_for(&sock, PEER_PATIENCE, &byte), DQC_DONE);
  CHECK_EQ(byte, 'a');
  CHECK_EQ(wait_for(&sock, 20, &byte), DQC_DONE);
  CHECK_EQ(byte, 'b');
  start = peer_now();
  CHECK_EQ(wait_for(&sock, 20, &byte), DQC_WANT_READ);
  CHECK(peer_now() - start < 1000);
  peer_close(&peer);
  CHECK_EQ(wait_for(&sock, PEER_PATIENCE, &byte), DQC_ECLOSED);
  peer_unpair(&peer, &sock);
}

/* The plain receive of a blocking socket does not wait. */
static void test_no_wait(void)
{
  struct dqc_sock sock;
  struct peer peer;
  uint8_t byte;
  size_t n;
  peer_pair(&peer, &sock, LOOPBACK);
  CHECK_EQ(dqc_sock_block(&sock), DQC_DONE);
  long start = peer_now();
  CHECK_EQ(dqc_sock_recv(&sock, &byte, 1, &n), DQC_WANT_READ);
  CHECK(peer_now() - start < 1000);
  peer_unpair(&peer, &sock);
}

/* ---- the end ---- */

static void test_end(int by_reset)
{
  struct dqc_sock sock;
  struct peer peer;
  uint8_t byte;
  size_t n = 7;
  int ready;
  peer_pair(&peer, &sock, LOOPBACK);
  if (by_reset) {
    peer_reset(&peer);
  } else {
    peer_close(&peer);
  }
  CHECK_EQ(dqc_sock_wait(&sock, DQC_WANT_READ, PEER_PATIENCE, &ready),
           DQC_DONE);
  CHECK_EQ(dqc_sock_alive(&sock), 0);
  CHECK_EQ(dqc_sock_recv(&sock, &byte, 1, &n), DQC_ECLOSED);
  CHECK_EQ(n, 0);
  peer_unpair(&peer, &sock);
}

/* What was sent before the end is still read. */
static void test_last_words(void)
{
  struct dqc_sock sock;
  struct peer peer;
  uint8_t room[8];
  size_t n;
  int ready;
  peer_pair(&peer, &sock, LOOPBACK);
  peer_write(&peer, "bye");
  peer_close(&peer);
  CHECK_EQ(dqc_sock_wait(&sock, DQC_WANT_READ, PEER_PATIENCE, &ready),
           DQC_DONE);
  CHECK_EQ(dqc_sock_recv(&sock, room, sizeof room, &n), DQC_DONE);
  CHECK_BYTES(bytes_from(room, n), bytes_of("bye"));
  CHECK_EQ(dqc_sock_wait(&sock, DQC_WANT_READ, PEER_PATIENCE, &ready),
           DQC_DONE);
  CHECK_EQ(dqc_sock_recv(&sock, room, sizeof room, &n), DQC_ECLOSED);
  peer_unpair(&peer, &sock);
}

/* Writing to a peer that is gone is a status, not a signal: SIGPIPE would
 * end this program. */
static void test_no_signal(const char *address)
{
  struct dqc_sock sock;
  struct peer peer;
  size_t n = 0;
  int rc = DQC_DONE;
  peer_pair(&peer, &sock, address);
  peer_close(&peer);
  for (int i = 0; rc == DQC_DONE && i < 100; i++) {
    rc = dqc_sock_send(&sock, bytes_of("x"), &n);
    usleep(1000);
  }
  CHECK_EQ(rc, DQC_ECLOSED);
  CHECK_EQ(n, 0);
  peer_unpair(&peer, &sock);
}

/* A peer that does not read: the buffers fill up, and empty again. No send
 * waits for that, not on a blocking socket either. */
static void test_full(int blocking)
{
  static uint8_t block[64 * 1024];
  struct dqc_sock sock;
  struct peer peer;
  size_t n, sent = 0, read = 0;
  int rc, ready;
  peer_pair(&peer, &sock, LOOPBACK);
  if (blocking) CHECK_EQ(dqc_sock_block(&sock), DQC_DONE);
  do {
    rc = dqc_sock_send(&sock, bytes_from(block, sizeof block), &n);
    sent += n;
  } while (rc == DQC_DONE && sent < (size_t)1 << 30);
  CHECK_EQ(rc, DQC_WANT_WRITE);
  CHECK_EQ(n, 0);
  CHECK_EQ(dqc_sock_wait(&sock, DQC_WANT_WRITE, 20, &ready), DQC_ETIMEOUT);
  while (read < sent) read += peer_read(&peer, block, sizeof block);
  CHECK_EQ(read, sent);
  CHECK_EQ(dqc_sock_wait(&sock, DQC_WANT_WRITE, PEER_PATIENCE, &ready),
           DQC_DONE);
  CHECK_EQ(dqc_sock_send(&sock, bytes_of("x"), &n), DQC_DONE);
  peer_unpair(&peer, &sock);
}

static void test_alive(void)
{
  struct dqc_sock sock;
  struct peer peer;
  int ready;
  peer_pair(&peer, &sock, LOOPBACK);
  CHECK_EQ(dqc_sock_alive(&sock), 1);
  peer_write(&peer, "x");
  CHECK_EQ(dqc_sock_wait(&sock, DQC_WANT_READ, PEER_PATIENCE, &ready),
           DQC_DONE);
  CHECK_EQ(dqc_sock_alive(&sock), 0);
  peer_unpair(&peer, &sock);
  CHECK_EQ(dqc_sock_alive(&sock), 0);
}

int main(void)
{
  char name[PEER_NAME_SIZE];
  alarm(60); /* what waits for ever ends the program */
  peer_own_name(name);
  test_wait();
  test_recv_wait();
  test_no_wait();
  test_end(0);
  test_end(1);
  test_last_words();
  test_no_signal(LOOPBACK);
  test_no_signal(name);
  test_full(0);
  test_full(1);
  test_alive();
  return check_done();
}
