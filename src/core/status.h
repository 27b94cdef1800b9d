/* What every function of the core answers: 0 done, above 0 wants something,
 * below 0 failed. Data leaves through the last parameter. */
#ifndef DQC_STATUS_H
#define DQC_STATUS_H

enum dqc_status {
  DQC_DONE = 0,

  DQC_WANT_READ = 1, /* more bytes from the peer */
  DQC_WANT_WRITE = 2, /* room in the socket's send buffer */

  DQC_ENOMEM = -1, /* the allocator returned NULL; nothing has changed */
  DQC_EPROTO = -2, /* the peer sent bytes that are not the protocol */
  DQC_ETOOBIG = -3, /* a frame or a request above the limit */
  DQC_EVALUE = -4, /* a value that cannot be sent; nothing was written */
  DQC_ECLOSED = -5, /* the peer closed the connection, or we did */
  DQC_EOS = -6, /* a system call failed: see errno */
  DQC_ETIMEOUT = -7 /* the time given is over */
};

#endif
