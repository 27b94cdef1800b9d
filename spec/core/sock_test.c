/* What a connected socket does: waiting, a full buffer, and every way a
 * connection ends. */
#define _DEFAULT_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
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
  peer_pair_blocking(&peer, &sock, LOOPBACK);
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

/* Only behind a receive, and only where many answers are due. */
static void test_gather(void)
{
  struct dqc_sock sock;
  struct peer peer;
  uint8_t byte;
  peer_pair_blocking(&peer, &sock, LOOPBACK);
  dqc_sock_expect(&sock, DQC_PACE_LEAST);
  dqc_sock_gather(&sock, PEER_PATIENCE);
  CHECK_EQ(sock.pace.due, 0);
  peer_write(&peer, "ab");
  CHECK_EQ(wait_for(&sock, PEER_PATIENCE, &byte), DQC_DONE);
  long start = peer_now();
  dqc_sock_gather(&sock, PEER_PATIENCE);
  CHECK(peer_now() - start < 1000);
#ifdef __linux__
  CHECK_EQ(sock.pace.due, DQC_PACE_LEAST);
#endif
  CHECK_EQ(wait_for(&sock, PEER_PATIENCE, &byte), DQC_DONE);
  dqc_sock_expect(&sock, DQC_PACE_LEAST - 1);
  dqc_sock_gather(&sock, PEER_PATIENCE);
  CHECK_EQ(sock.pace.due, 0);
  peer_unpair(&peer, &sock);
}

static void on_signal(int number)
{
  (void)number;
}

/* A timer that will send this process a signal that does nothing. */
static timer_t make_timer(void)
{
  struct sigaction action;
  struct sigevent event;
  timer_t timer = 0;
  memset(&action, 0, sizeof action);
  memset(&event, 0, sizeof event);
  action.sa_handler = on_signal;
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  if (sigaction(SIGUSR1, &action, NULL) ||
      timer_create(CLOCK_MONOTONIC, &event, &timer)) {
    check_fatal("no timer");
  }
  return timer;
}

/* Again and again after so many ms; 0: no more. */
static void run_timer(timer_t timer, long interval)
{
  struct itimerspec time;
  memset(&time, 0, sizeof time);
  time.it_value.tv_nsec = time.it_interval.tv_nsec = interval * 1000000;
  if (timer_settime(timer, 0, &time, NULL)) check_fatal("no timer");
}

/* A signal ends a wait early, as the contract says, and is no error. */
static void test_interrupted(void)
{
  struct dqc_sock sock;
  struct peer peer;
  timer_t timer = make_timer();
  uint8_t byte;
  size_t n = 7;
  int ready = 7;
  peer_pair_blocking(&peer, &sock, LOOPBACK);
  long start = peer_now();
  run_timer(timer, 10);
  CHECK_EQ(dqc_sock_wait(&sock, DQC_WANT_READ, PEER_PATIENCE, &ready),
           DQC_ETIMEOUT);
  CHECK_EQ(ready, 0);
  CHECK_EQ(dqc_sock_recv_wait(&sock, &byte, 1, PEER_PATIENCE, &n),
           DQC_WANT_READ);
  CHECK_EQ(n, 0);
  run_timer(timer, 0);
  CHECK(peer_now() - start < PEER_PATIENCE / 2);
  timer_delete(timer);
  peer_unpair(&peer, &sock);
}

/* The plain receive of a blocking socket does not wait. */
static void test_no_wait(void)
{
  struct dqc_sock sock;
  struct peer peer;
  uint8_t byte;
  size_t n;
  peer_pair_blocking(&peer, &sock, LOOPBACK);
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
  if (blocking) {
    peer_pair_blocking(&peer, &sock, LOOPBACK);
  } else {
    peer_pair(&peer, &sock, LOOPBACK);
  }
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

/* What fails for another reason than the peer's says so by errno: here there
 * is no descriptor at all. */
static void test_no_socket(void)
{
  struct dqc_sock sock;
  uint8_t byte;
  size_t n = 7;
  dqc_sock_init(&sock);
  errno = 0;
  CHECK_EQ(dqc_sock_connected(&sock), DQC_EOS);
  CHECK_EQ(errno, EBADF);
  CHECK_EQ(dqc_sock_recv(&sock, &byte, 1, &n), DQC_EOS);
  CHECK_EQ(n, 0);
  n = 7;
  CHECK_EQ(dqc_sock_send(&sock, bytes_of("x"), &n), DQC_EOS);
  CHECK_EQ(n, 0);
  CHECK_EQ(errno, EBADF);
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
  test_gather();
  test_interrupted();
  test_no_wait();
  test_end(0);
  test_end(1);
  test_last_words();
  test_no_signal(LOOPBACK);
  test_no_signal(name);
  test_full(0);
  test_full(1);
  test_no_socket();
  test_alive();
  return check_done();
}
