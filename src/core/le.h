/* Little-endian words at any alignment, and padding to whole words. Compilers
 * make one load or store of each where the machine has them. */
#ifndef DQC_LE_H
#define DQC_LE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DQC_WORD ((size_t)8)

static inline uint16_t dqc_load16(const void *from)
{
  const uint8_t *b = from;
  return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t dqc_load32(const void *from)
{
  const uint8_t *b = from;
  return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
         (uint32_t)b[3] << 24;
}

static inline uint64_t dqc_load64(const void *from)
{
  const uint8_t *b = from;
  return (uint64_t)dqc_load32(b) | (uint64_t)dqc_load32(b + 4) << 32;
}

static inline void dqc_store16(void *to, uint16_t v)
{
  uint8_t *b = to;
  b[0] = (uint8_t)v;
  b[1] = (uint8_t)(v >> 8);
}

static inline void dqc_store32(void *to, uint32_t v)
{
  uint8_t *b = to;
  b[0] = (uint8_t)v;
  b[1] = (uint8_t)(v >> 8);
  b[2] = (uint8_t)(v >> 16);
  b[3] = (uint8_t)(v >> 24);
}

static inline void dqc_store64(void *to, uint64_t v)
{
  uint8_t *b = to;
  dqc_store32(b, (uint32_t)v);
  dqc_store32(b + 4, (uint32_t)(v >> 32));
}

/* How many zero bytes follow n bytes to fill the last word. */
static inline size_t dqc_padding(size_t n)
{
  return (DQC_WORD - n % DQC_WORD) % DQC_WORD;
}

/* n rounded up to whole words. Only for an n that was compared with a limit
 * before: near SIZE_MAX it wraps. */
static inline size_t dqc_pad8(size_t n)
{
  return n + dqc_padding(n);
}

static inline double dqc_real_of(uint64_t bits)
{
  double real;
  memcpy(&real, &bits, sizeof real);
  return real;
}

static inline uint64_t dqc_bits_of(double real)
{
  uint64_t bits;
  memcpy(&bits, &real, sizeof bits);
  return bits;
}

#endif
