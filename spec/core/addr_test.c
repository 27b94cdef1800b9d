/* Addresses as people write them. */
#include "core/addr.h"

#include <string.h>

#include "support/check.h"
#include "support/guard.h"
#include "support/make.h"

static struct guard guard;

static const struct {
  const char *text;
  enum dqc_addr_kind kind;
  const char *place; /* host or path */
  uint16_t port;
} good[] = {
    {"127.0.0.1:9001", DQC_ADDR_TCP, "127.0.0.1", 9001},
    {"localhost:1", DQC_ADDR_TCP, "localhost", 1},
    {"db.example.com:65535", DQC_ADDR_TCP, "db.example.com", 65535},
    {"h:0", DQC_ADDR_TCP, "h", 0},
    {"h:00080", DQC_ADDR_TCP, "h", 80},
    {"[::1]:9001", DQC_ADDR_TCP, "::1", 9001},
    {"[fe80::1%eth0]:9001", DQC_ADDR_TCP, "fe80::1%eth0", 9001},
    {"/run/dqlite.sock", DQC_ADDR_UNIX, "/run/dqlite.sock", 0},
    {"/a", DQC_ADDR_UNIX, "/a", 0},
    {"@a", DQC_ADDR_ABSTRACT, "a", 0},
    {"/a:1", DQC_ADDR_UNIX, "/a:1", 0},
    {"@abstract", DQC_ADDR_ABSTRACT, "abstract", 0},
    {"@a:1", DQC_ADDR_ABSTRACT, "a:1", 0},
};

static const char *const bad[] = {
    "",          ":9001",          "127.0.0.1",   "127.0.0.1:",
    "h:65536",   "h:99999",        "h:123456",    "h:-1",
    "h:+1",      "h:0x50",         "h:80 ",       " h:80",
    "h h:80",    "h:8o",           "::1:9001",    "1:2:3",
    "[::1]",     "[::1]9001",      "[::1:9001",   "[::1]:",
    "[host]:80", "[127.0.0.1]:80", "[]:80",       "/",
    "@",         "/with space",    "@with\ttab",  "h:80\n",
    "h\x7f:80",  "\x01:80",        "[::1]:80:90", "[::1]::80",
};

static void test_good(void)
{
  struct dqc_addr addr;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    check_about(good[i].text);
    struct dqc_bytes text = guard_copy(&guard, bytes_of(good[i].text));
    CHECK_TEXT(dqc_addr_parse(text, &addr) ? "refused" : "taken", "taken");
    int tcp = good[i].kind == DQC_ADDR_TCP;
    CHECK_EQ(addr.kind, good[i].kind);
    CHECK_BYTES(tcp ? addr.host : addr.path, bytes_of(good[i].place));
    CHECK_EQ(tcp ? addr.path.len : addr.host.len, 0);
    CHECK_EQ(addr.port, good[i].port);
  }
  check_about(NULL);
}

static void test_bad(void)
{
  struct dqc_addr addr;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    check_about(bad[i]);
    struct dqc_bytes text = guard_copy(&guard, bytes_of(bad[i]));
    const char *reason = dqc_addr_parse(text, &addr);
    CHECK(reason && *reason);
  }
  check_about(NULL);
}

/* n bytes: the start and then the letter n. */
static int is_good(const char *start, size_t n)
{
  struct dqc_addr addr;
  char text[512];
  memset(text, 'n', sizeof text);
  memcpy(text, start, strlen(start));
  memcpy(text + n - 3, ":80", 3);
  return dqc_addr_parse(guard_copy(&guard, bytes_from(text, n)), &addr) ==
         NULL;
}

static void test_lengths(void)
{
  CHECK(is_good("/", 107));
  CHECK(!is_good("/", 108));
  CHECK(is_good("@", 107));
  CHECK(!is_good("@", 108));
  CHECK(is_good("h", 256));
  CHECK(!is_good("h", 257));
}

/* A NUL would cut the name short where C reads it. */
static void test_nul(void)
{
  struct dqc_addr addr;
  CHECK(dqc_addr_parse(bytes_from("a\0b:80", 6), &addr) != NULL);
  CHECK(dqc_addr_parse(bytes_from("/a\0b", 4), &addr) != NULL);
  CHECK(dqc_addr_parse(bytes_from("@a\0b", 4), &addr) != NULL);
  CHECK(dqc_addr_parse(bytes_from("h:8\0", 4), &addr) != NULL);
}

int main(void)
{
  guard_init(&guard, 4096);
  test_good();
  test_bad();
  test_lengths();
  test_nul();
  guard_free(&guard);
  return check_done();
}
