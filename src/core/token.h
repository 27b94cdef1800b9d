/* SQLite's tokens (3.40, tokenize.c), as far as the outline of a statement
 * depends on them: `->>` is three of ours, x'00' is a word and a string. */
#ifndef DQC_TOKEN_H
#define DQC_TOKEN_H

#include "core/buf.h"

#pragma GCC visibility push(hidden)

enum dqc_token_kind {
  DQC_TOKEN_END, /* of the text */
  DQC_TOKEN_SPACE, /* blanks or a comment */
  DQC_TOKEN_SEMI,
  DQC_TOKEN_WORD, /* a keyword or a name without quotes */
  DQC_TOKEN_QUOTED, /* "..", `..`, [..] or '..': all four can be names */
  DQC_TOKEN_PARAM,
  DQC_TOKEN_OPEN, /* ( */
  DQC_TOKEN_CLOSE, /* ) */
  DQC_TOKEN_COMMA,
  DQC_TOKEN_DOT,
  DQC_TOKEN_EQ,
  DQC_TOKEN_STAR,
  DQC_TOKEN_OTHER /* numbers, operators, and what SQLite rejects */
};

struct dqc_token {
  uint8_t kind;
  struct dqc_bytes bytes;
};

/* The token that the text begins with; no bytes at its end. A NUL, where
 * SQLite's texts end, is one of OTHER. */
struct dqc_token dqc_token_first(struct dqc_bytes text);

/* Is it this keyword? `word` is in capitals, the token may be in any case. */
int dqc_token_is(struct dqc_token token, const char *word);

/* Can it be a name, and is it this one without its quotes? `name` is in small
 * letters, the token may be in any case. */
int dqc_token_is_name(struct dqc_token token);
int dqc_token_names(struct dqc_token token, const char *name);

#pragma GCC visibility pop

#endif
