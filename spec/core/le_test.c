/* Words at every alignment, padding, and the bits of floats. */
#include "core/le.h"

#include <math.h>

#include "support/check.h"
#include "support/guard.h"
#include "support/make.h"

static const uint8_t bytes[] = {0x01, 0x23, 0x45, 0x67,
                                0x89, 0xab, 0xcd, 0xef};

static void test_load(void)
{
  uint8_t room[16];
  for (size_t at = 0; at < 8; at++) {
    memset(room, 0x5a, sizeof room);
    memcpy(room + at, bytes, sizeof bytes);
    CHECK(dqc_load64(room + at) == UINT64_C(0xefcdab8967452301));
    CHECK_EQ(dqc_load32(room + at), 0x67452301);
    CHECK_EQ(dqc_load32(room + at + 4), 0xefcdab89);
    CHECK_EQ(dqc_load16(room + at), 0x2301);
    CHECK_EQ(dqc_load16(room + at + 6), 0xefcd);
  }
}

static void check_around(const uint8_t *room, size_t at, size_t n)
{
  CHECK_EQ(room[at - 1], 0x5a);
  CHECK_EQ(room[at + n], 0x5a);
  CHECK_BYTES(bytes_from(room + at, n), bytes_from(bytes, n));
}

static void test_store(void)
{
  uint8_t room[18];
  for (size_t at = 1; at < 9; at++) {
    memset(room, 0x5a, sizeof room);
    dqc_store64(room + at, UINT64_C(0xefcdab8967452301));
    check_around(room, at, 8);
    memset(room, 0x5a, sizeof room);
    dqc_store32(room + at, 0x67452301);
    check_around(room, at, 4);
    memset(room, 0x5a, sizeof room);
    dqc_store16(room + at, 0x2301);
    check_around(room, at, 2);
  }
}

/* A word that ends where memory ends: no byte behind it is touched. */
static void test_edge(void)
{
  struct guard guard;
  guard_init(&guard, sizeof bytes);
  struct dqc_bytes edge = guard_copy(&guard, bytes_from(bytes, 8));
  CHECK(dqc_load64(edge.ptr) == UINT64_C(0xefcdab8967452301));
  CHECK_EQ(dqc_load32(edge.ptr + 4), 0xefcdab89);
  CHECK_EQ(dqc_load16(edge.ptr + 6), 0xefcd);
  dqc_store64((uint8_t *)edge.ptr, 7);
  CHECK(dqc_load64(edge.ptr) == 7);
  guard_free(&guard);
}

static void test_padding(void)
{
  static const size_t padding[] = {0, 7, 6, 5, 4, 3, 2, 1, 0, 7};
  for (size_t n = 0; n < 10; n++) {
    CHECK_EQ(dqc_padding(n), padding[n]);
    CHECK_EQ(dqc_pad8(n), n + padding[n]);
  }
  CHECK_EQ(dqc_padding(SIZE_MAX), 1);
  CHECK_EQ(dqc_padding(SIZE_MAX - 7), 0);
}

static void test_reals(void)
{
  CHECK(dqc_bits_of(1.5) == UINT64_C(0x3ff8000000000000));
  CHECK(dqc_bits_of(-0.0) == UINT64_C(0x8000000000000000));
  CHECK(dqc_bits_of(HUGE_VAL) == UINT64_C(0x7ff0000000000000));
  CHECK(dqc_real_of(UINT64_C(0xbff0000000000000)) == -1.0);
  CHECK(dqc_real_of(1) == ldexp(1, -1074));
  CHECK(isnan(dqc_real_of(UINT64_C(0x7ff8000000000000))));
  CHECK(signbit(dqc_real_of(UINT64_C(0x8000000000000000))));
}

int main(void)
{
  test_load();
  test_store();
  test_edge();
  test_padding();
  test_reals();
  return check_done();
}
