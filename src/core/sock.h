/* A stream socket: connect step, send, receive, wait. The only file that
 * knows sockets. Nothing here waits but dqc_sock_wait, dqc_sock_recv_wait,
 * dqc_sock_gather, dqc_sock_lookup and dqc_sock_connect with patience. */
#ifndef DQC_SOCK_H
#define DQC_SOCK_H

#include "core/addr.h"
#include "core/pace.h"

#pragma GCC visibility push(hidden)

struct dqc_sock {
  int fd; /* -1: closed */
  uint8_t tcp;
  uint8_t received; /* something was received since the last send */
  uint8_t greeted; /* something was sent */
  uint8_t tuned; /* its options are set */
  unsigned forks; /* of dqc_fork_count: the process that it belongs to */
  int patience; /* ms that a blocking receive waits, 0: not set (yet) */
  size_t due; /* answers */
  struct dqc_pace pace; /* of answers to what was sent ahead */
};

/* A numeric address, as text. */
#define DQC_IP_SIZE 64
struct dqc_ip {
  char text[DQC_IP_SIZE];
};

void dqc_sock_init(struct dqc_sock *sock);
void dqc_sock_close(struct dqc_sock *sock); /* again does nothing */

/* Begins to connect; the host must be numeric. DQC_DONE, DQC_WANT_WRITE (wait,
 * then ask dqc_sock_connected), DQC_EVALUE (not numeric) or DQC_EOS. The
 * socket is closed-on-exec, and non-blocking; with a patience above 0 it is one
 * for dqc_sock_recv_wait, and that many milliseconds are waited here. */
int dqc_sock_connect(struct dqc_sock *sock, const struct dqc_addr *addr,
                     int patience);

/* What became of the attempt: DQC_DONE or DQC_EOS. */
int dqc_sock_connected(struct dqc_sock *sock);

/* Makes a socket that was non-blocking one for dqc_sock_recv_wait. DQC_DONE or
 * DQC_EOS. */
int dqc_sock_block(struct dqc_sock *sock);

/* Is it another process's, that has forked since? Then it can only be closed,
 * and that leaves the connection to the other one. */
int dqc_sock_inherited(const struct dqc_sock *sock);

/* DQC_DONE with *n >= 1, DQC_WANT_READ, DQC_ECLOSED, DQC_EOS. */
int dqc_sock_recv(struct dqc_sock *sock, uint8_t *room, size_t size,
                  size_t *n);

/* As dqc_sock_recv, but waits up to timeout milliseconds. DQC_WANT_READ may
 * come early: look at the clock and call again. */
int dqc_sock_recv_wait(struct dqc_sock *sock, uint8_t *room, size_t size,
                       int timeout, size_t *n);

/* How many answers are due, as far as the next receive is concerned. */
void dqc_sock_expect(struct dqc_sock *sock, size_t due);

/* Where many are: sleeps as long as these are to gather (core/pace.h), a
 * millisecond at most, before the receive that comes next acknowledges what has
 * come. The timeout is that receive's. */
void dqc_sock_gather(struct dqc_sock *sock, int timeout);

/* DQC_DONE with *n bytes sent, DQC_WANT_WRITE, DQC_ECLOSED, DQC_EOS. */
int dqc_sock_send(struct dqc_sock *sock, struct dqc_bytes bytes, size_t *n);

/* Waits for what is wanted, a set of bits: DQC_WANT_READ, DQC_WANT_WRITE.
 * DQC_DONE with *ready, DQC_ETIMEOUT (also early, after a signal), DQC_EOS. */
int dqc_sock_wait(struct dqc_sock *sock, int wanted, int timeout, int *ready);

/* Is the peer still there, with nothing to say? Without a round trip. */
int dqc_sock_alive(struct dqc_sock *sock);

/* The numeric addresses of a host name, in the resolver's order. Blocks.
 * DQC_DONE with 1 <= *count <= max, or DQC_EOS with *reason in words, or
 * NULL with errno. */
int dqc_sock_lookup(const char *host, struct dqc_ip *ips, size_t max,
                    size_t *count, const char **reason);

/* Where the peer is: its numeric address and port. DQC_EVALUE for a socket
 * that is not TCP. */
int dqc_sock_peer(struct dqc_sock *sock, struct dqc_ip *ip, uint16_t *port);

/* A TCP port that a server could listen on at this moment: *port, or any where
 * that is 0, which is then set. DQC_EOS with errno, EADDRINUSE where it is
 * taken. */
int dqc_sock_unused_port(const char *ip, uint16_t *port);

#pragma GCC visibility pop

#endif
