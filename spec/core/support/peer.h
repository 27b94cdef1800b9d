/* The other end of a socket under test: a listener on this machine and the
 * connection that it accepts. */
#ifndef PEER_H
#define PEER_H

#include "core/addr.h"
#include "core/sock.h"

struct peer {
  int listener, fd; /* fd: -1 before peer_accept */
  char text[128]; /* the listener's address; what addr points into */
  struct dqc_addr addr;
};

/* Listens at "127.0.0.1:0" or "[::1]:0" (a free port is chosen), at a path or
 * an abstract name. 0 when the system cannot. */
int peer_listen(struct peer *peer, const char *address);

/* Takes the connection that has been asked for. */
void peer_accept(struct peer *peer);

/* ms; nothing in a test takes that long unless it is wrong. */
#define PEER_PATIENCE 5000

/* Waits for what dqc_sock_connect, which answered rc, has begun. */
int peer_wait_connected(struct dqc_sock *sock, int rc);

/* A listener and a socket connected to it, or the program ends. The checks
 * that follow are about this address. */
void peer_pair(struct peer *peer, struct dqc_sock *sock, const char *address);
void peer_pair_blocking(struct peer *peer, struct dqc_sock *sock,
                        const char *address);
void peer_unpair(struct peer *peer, struct dqc_sock *sock);

/* An abstract address that no other process has. */
#define PEER_NAME_SIZE 64
void peer_own_name(char name[PEER_NAME_SIZE]);

long peer_now(void); /* ms */

void peer_write(struct peer *peer, const char *s);
size_t peer_read(struct peer *peer, void *room, size_t size);
void peer_close(struct peer *peer); /* the connection, with a FIN */
void peer_reset(struct peer *peer); /* the connection, with a RST */
void peer_free(struct peer *peer);

#endif
