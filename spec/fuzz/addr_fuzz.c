/* Addresses: a text is refused with a reason, or its parts lie within it and,
 * put together again, give the same address.
 *
 * Input: the text. */
#include "core/addr.h"

#include <string.h>

#include "fuzz.h"

static void put_together(const struct dqc_addr *addr, struct text *text)
{
  int bracket = addr->kind == DQC_ADDR_TCP && addr->host.len &&
                memchr(addr->host.ptr, ':', addr->host.len);
  text_init(text);
  if (addr->kind == DQC_ADDR_ABSTRACT) text_add(text, "@");
  text_add_bytes(text, addr->path);
  if (addr->kind != DQC_ADDR_TCP) return;
  if (bracket) text_add(text, "[");
  text_add_bytes(text, addr->host);
  if (bracket) text_add(text, "]");
  text_add(text, ":%u", (unsigned)addr->port);
}

static void check_again(const struct dqc_addr *addr)
{
  struct text text;
  struct dqc_addr again;
  put_together(addr, &text);
  struct dqc_bytes bytes = {(const uint8_t *)text.s, text.len};
  struct dqc_bytes copy = fuzz_copy(bytes);
  HOLDS(dqc_addr_parse(copy, &again) == NULL);
  HOLDS(again.kind == addr->kind && again.port == addr->port);
  HOLDS(fuzz_same(again.host, addr->host));
  HOLDS(fuzz_same(again.path, addr->path));
  fuzz_drop(copy);
  text_free(&text);
}

static void check_parts(const struct dqc_addr *addr, struct dqc_bytes text)
{
  struct dqc_bytes part = addr->path, none = addr->host;
  if (addr->kind == DQC_ADDR_TCP) {
    part = addr->host;
    none = addr->path;
  } else {
    HOLDS(addr->port == 0 && text.len <= 107);
  }
  HOLDS(part.len > 0 && fuzz_within(part, text) && none.len == 0);
  HOLDS((addr->kind == DQC_ADDR_UNIX) == (text.ptr[0] == '/'));
  HOLDS((addr->kind == DQC_ADDR_ABSTRACT) == (text.ptr[0] == '@'));
  for (size_t i = 0; i < part.len; i++) {
    HOLDS(part.ptr[i] > ' ' && part.ptr[i] != 0x7f);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct dqc_bytes input = {data, size};
  struct dqc_bytes copy = fuzz_copy(input);
  struct dqc_addr addr;
  const char *wrong = dqc_addr_parse(copy, &addr);
  if (wrong) {
    HOLDS(wrong[0] != '\0');
  } else {
    check_parts(&addr, copy);
    check_again(&addr);
  }
  fuzz_drop(copy);
  return 0;
}
