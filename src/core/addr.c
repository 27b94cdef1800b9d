#include "core/addr.h"

#include <string.h>

#define TEXT_MAX 256
#define PATH_MAX_UN 107 /* sun_path less the NUL */

static struct dqc_bytes part(struct dqc_bytes text, size_t from, size_t to)
{
  struct dqc_bytes bytes = {text.ptr + from, to - from};
  return bytes;
}

static const char *parse_port(struct dqc_bytes digits, uint16_t *port)
{
  unsigned value = 0;
  if (digits.len == 0 || digits.len > 5) return "the port is missing";
  for (size_t i = 0; i < digits.len; i++) {
    if (digits.ptr[i] < '0' || digits.ptr[i] > '9') {
      return "the port is not a number";
    }
    value = value * 10 + (digits.ptr[i] - '0');
  }
  if (value > UINT16_MAX) return "the port is above 65535";
  *port = (uint16_t)value;
  return NULL;
}

static const char *parse_path(struct dqc_bytes text, struct dqc_addr *addr)
{
  int is_abstract = text.ptr[0] == '@';
  if (text.len > PATH_MAX_UN) return "a socket path has 107 bytes at most";
  if (text.len < 2) return "the socket path is empty";
  addr->kind = is_abstract ? DQC_ADDR_ABSTRACT : DQC_ADDR_UNIX;
  addr->path = part(text, is_abstract ? 1 : 0, text.len);
  return NULL;
}

/* The host ends at the "]" or at the only colon. */
static const char *split_host(struct dqc_bytes text, struct dqc_bytes *host,
                              size_t *colon)
{
  const uint8_t *end;
  int bracket = text.ptr[0] == '[';
  end = memchr(text.ptr, bracket ? ']' : ':', text.len);
  if (!end) return bracket ? "the \"]\" is missing" : "the port is missing";
  *colon = (size_t)(end - text.ptr) + (bracket ? 1 : 0);
  *host = part(text, bracket ? 1 : 0, (size_t)(end - text.ptr));
  if (*colon >= text.len || text.ptr[*colon] != ':') {
    return "the port is missing";
  }
  if (bracket && !memchr(host->ptr, ':', host->len)) {
    return "brackets are for IPv6 addresses";
  }
  if (!bracket && memchr(end + 1, ':', text.len - *colon - 1)) {
    return "an IPv6 address needs brackets: [::1]:9001";
  }
  return NULL;
}

const char *dqc_addr_parse(struct dqc_bytes text, struct dqc_addr *addr)
{
  size_t colon = 0;
  memset(addr, 0, sizeof *addr);
  if (text.len == 0) return "the address is empty";
  if (text.len > TEXT_MAX) return "the address is longer than 256 bytes";
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7f) {
      return "the address holds a space or a control character";
    }
  }
  if (text.ptr[0] == '/' || text.ptr[0] == '@') {
    return parse_path(text, addr);
  }
  addr->kind = DQC_ADDR_TCP;
  const char *wrong = split_host(text, &addr->host, &colon);
  if (wrong) return wrong;
  if (addr->host.len == 0) return "the host is missing";
  return parse_port(part(text, colon + 1, text.len), &addr->port);
}
