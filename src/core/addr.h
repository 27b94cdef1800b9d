/* Addresses as people write them: "host:port", "[::1]:9001", "/path/to/socket"
 * and "@abstract". */
#ifndef DQC_ADDR_H
#define DQC_ADDR_H

#include <stdint.h>

#include "core/buf.h"

#pragma GCC visibility push(hidden)

enum dqc_addr_kind { DQC_ADDR_TCP, DQC_ADDR_UNIX, DQC_ADDR_ABSTRACT };

struct dqc_addr {
  enum dqc_addr_kind kind;
  struct dqc_bytes host; /* a name or number without brackets; TCP */
  struct dqc_bytes path; /* with the leading "/"; abstract: without the "@" */
  uint16_t port; /* TCP; 0 where a server shall choose one */
};

/* NULL, or what is wrong with the text. The result points into it. */
const char *dqc_addr_parse(struct dqc_bytes text, struct dqc_addr *addr);

#pragma GCC visibility pop

#endif
