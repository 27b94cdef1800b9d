#include "core/token.h"

#include <string.h>

/* The text's bytes as SQLite sees them: behind the end is a NUL. */
static uint8_t at(struct dqc_bytes text, size_t i)
{
  return i < text.len ? text.ptr[i] : 0;
}

static int is_digit(uint8_t c)
{
  return c >= '0' && c <= '9';
}

static int is_hex(uint8_t c)
{
  return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* A vertical tab is a blank behind another one, but begins no token. */
static int is_blank(uint8_t c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static int is_name_byte(uint8_t c)
{
  uint8_t letter = c | 0x20;
  return (letter >= 'a' && letter <= 'z') || is_digit(c) || c == '_' ||
         c == '$' || c >= 0x80;
}

static size_t name_end(struct dqc_bytes text, size_t i)
{
  while (is_name_byte(at(text, i))) i++;
  return i;
}

static size_t digits_end(struct dqc_bytes text, size_t i)
{
  while (is_digit(at(text, i))) i++;
  return i;
}

static size_t blanks_end(struct dqc_bytes text)
{
  size_t i = 1;
  while (is_blank(at(text, i))) i++;
  return i;
}

/* Where c is found next, or the end of the text. */
static size_t find(struct dqc_bytes text, size_t i, uint8_t c)
{
  if (i >= text.len) return text.len;
  const uint8_t *found = memchr(text.ptr + i, c, text.len - i);
  return found ? (size_t)(found - text.ptr) : text.len;
}

/* One that is not closed goes to the end. */
static size_t comment_end(struct dqc_bytes text)
{
  for (size_t i = find(text, 3, '/'); i < text.len; i = find(text, i, '/')) {
    if (text.ptr[i++ - 1] == '*') return i;
  }
  return text.len;
}

/* Up to the quote that closes; a doubled one is part of the token. */
static size_t quoted_end(struct dqc_bytes text, uint8_t quote, uint8_t *kind)
{
  size_t i = find(text, 1, quote);
  while (quote != ']' && i < text.len && at(text, i + 1) == quote) {
    i = find(text, i + 2, quote);
  }
  if (i == text.len) return i;
  *kind = DQC_TOKEN_QUOTED;
  return i + 1;
}

/* Letters behind digits are no token of their own, but for 0x1F. */
static size_t number_end(struct dqc_bytes text)
{
  size_t i = 3;
  if (text.ptr[0] == '0' && (at(text, 1) | 0x20) == 'x' &&
      is_hex(at(text, 2))) {
    while (is_hex(at(text, i))) i++;
    return i;
  }
  i = digits_end(text, 1);
  if (at(text, i) == '.') i++;
  return name_end(text, i);
}

static size_t suffix_end(struct dqc_bytes text, size_t i, uint8_t *kind)
{
  do {
    i++;
  } while (i < text.len && !is_blank(text.ptr[i]) && text.ptr[i] != ')');
  if (at(text, i) != ')') return i;
  *kind = DQC_TOKEN_PARAM;
  return i + 1;
}

/* :a, @a, $a, #a, which may go on with ::b and end with (c) */
static size_t param_end(struct dqc_bytes text, uint8_t *kind)
{
  size_t i = 1, named = 0;
  for (;;) {
    size_t end = name_end(text, i);
    named += end - i;
    i = end;
    if (at(text, i) != ':' || at(text, i + 1) != ':') break;
    i += 2;
  }
  if (!named) return i;
  if (at(text, i) == '(') return suffix_end(text, i, kind);
  *kind = DQC_TOKEN_PARAM;
  return i;
}

static size_t minus_end(struct dqc_bytes text, uint8_t *kind)
{
  if (at(text, 1) != '-') return 1;
  *kind = DQC_TOKEN_SPACE;
  return find(text, 2, '\n');
}

static size_t slash_end(struct dqc_bytes text, uint8_t *kind)
{
  if (at(text, 1) != '*' || text.len == 2) return 1;
  *kind = DQC_TOKEN_SPACE;
  return comment_end(text);
}

static size_t other_end(struct dqc_bytes text, uint8_t *kind)
{
  uint8_t c = text.ptr[0];
  if (is_digit(c)) return number_end(text);
  if (c == 0xEF && at(text, 1) == 0xBB && at(text, 2) == 0xBF) {
    *kind = DQC_TOKEN_SPACE; /* a byte order mark */
    return 3;
  }
  if (!is_name_byte(c)) return 1;
  *kind = DQC_TOKEN_WORD;
  return name_end(text, 1);
}

/* The token's length; its kind is OTHER before. */
static size_t token_end(struct dqc_bytes text, uint8_t *kind)
{
  switch (text.ptr[0]) {
  case ' ':
  case '\t':
  case '\n':
  case '\f':
  case '\r': *kind = DQC_TOKEN_SPACE; return blanks_end(text);
  case ';': *kind = DQC_TOKEN_SEMI; return 1;
  case '(': *kind = DQC_TOKEN_OPEN; return 1;
  case ')': *kind = DQC_TOKEN_CLOSE; return 1;
  case ',': *kind = DQC_TOKEN_COMMA; return 1;
  case '.': *kind = DQC_TOKEN_DOT; return 1;
  case '=': *kind = DQC_TOKEN_EQ; return 1;
  case '*': *kind = DQC_TOKEN_STAR; return 1;
  case '?': *kind = DQC_TOKEN_PARAM; return digits_end(text, 1);
  case ':':
  case '@':
  case '$':
  case '#': return param_end(text, kind);
  case '\'':
  case '"':
  case '`': return quoted_end(text, text.ptr[0], kind);
  case '[': return quoted_end(text, ']', kind);
  case '-': return minus_end(text, kind);
  case '/': return slash_end(text, kind);
  default: return other_end(text, kind);
  }
}

struct dqc_token dqc_token_first(struct dqc_bytes text)
{
  struct dqc_token token = {DQC_TOKEN_END, {text.ptr, 0}};
  if (text.len == 0) return token;
  token.kind = DQC_TOKEN_OTHER;
  token.bytes.len = token_end(text, &token.kind);
  return token;
}

int dqc_token_is(struct dqc_token token, const char *word)
{
  size_t len = strlen(word);
  if (token.kind != DQC_TOKEN_WORD || token.bytes.len != len) return 0;
  for (size_t i = 0; i < len; i++) {
    /* clears what tells small letters from capitals */
    if ((token.bytes.ptr[i] & 0xDF) != word[i]) return 0;
  }
  return 1;
}

int dqc_token_is_name(struct dqc_token token)
{
  return token.kind == DQC_TOKEN_WORD || token.kind == DQC_TOKEN_QUOTED;
}

static uint8_t lower(uint8_t c)
{
  return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

int dqc_token_names(struct dqc_token token, const char *name)
{
  struct dqc_bytes bytes = token.bytes;
  uint8_t quote = 0;
  if (!dqc_token_is_name(token)) return 0;
  if (token.kind == DQC_TOKEN_QUOTED) {
    quote = bytes.ptr[bytes.len - 1];
    bytes.ptr++;
    bytes.len -= 2;
  }
  for (size_t i = 0; i < bytes.len; i++) {
    if (*name == 0 || lower(bytes.ptr[i]) != (uint8_t)*name++) return 0;
    if (quote && bytes.ptr[i] == quote) i++; /* doubled */
  }
  return *name == 0;
}
