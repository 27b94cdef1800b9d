/* The scanner: its tokens cover the text, its offsets lie within the text in
 * their order, parameters are numbered as SQLite's rule says (counted here
 * the plain way), a statement alone is told the same as in its text, and
 * splitting a text into statements ends.
 *
 * Input: the text. */
#include "core/sql.h"

#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "core/token.h"
#include "fuzz.h"

static struct dqc_bytes from(struct dqc_bytes text, size_t begin)
{
  struct dqc_bytes rest = {text.ptr + begin, text.len - begin};
  return rest;
}

static struct dqc_bytes slice(struct dqc_bytes text, size_t begin, size_t end)
{
  struct dqc_bytes part = {text.ptr + begin, end - begin};
  return part;
}

/* ---- tokens ---- */

/* A word names itself in small letters and, if it has letters only, is itself
 * in capitals. */
static void check_word(struct dqc_token token)
{
  size_t len = token.bytes.len, letters = 0;
  char *small = calloc(len + 1, 1), *capital = calloc(len + 1, 1);
  HOLDS(small && capital && !memchr(token.bytes.ptr, 0, len));
  for (size_t i = 0; i < len; i++) {
    uint8_t c = token.bytes.ptr[i];
    int is_capital = c >= 'A' && c <= 'Z', is_small = c >= 'a' && c <= 'z';
    small[i] = (char)(is_capital ? c + 32 : c);
    capital[i] = (char)(is_small ? c - 32 : c);
    letters += is_capital || is_small;
  }
  HOLDS(dqc_token_names(token, small));
  if (letters == len) HOLDS(dqc_token_is(token, capital));
  small[len - 1] = capital[len - 1] = '-';
  HOLDS(!dqc_token_names(token, small) && !dqc_token_is(token, capital));
  free(small);
  free(capital);
}

/* What is between the quotes, where a doubled one stands for one, is the name;
 * one with a NUL in it is none that could be asked for. */
static void check_quoted(struct dqc_token token)
{
  size_t len = token.bytes.len, n = 0;
  uint8_t quote = token.bytes.ptr[len - 1];
  char *name = calloc(len, 1);
  HOLDS(name && len >= 2);
  for (size_t i = 1; i < len - 1; i++) {
    uint8_t c = token.bytes.ptr[i];
    name[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    if (c == quote) HOLDS(token.bytes.ptr[++i] == quote && i < len - 1);
  }
  if (!memchr(name, 0, n)) HOLDS(dqc_token_names(token, name));
  name[n] = 'x';
  HOLDS(!dqc_token_names(token, name));
  free(name);
}

static void check_token(struct dqc_token token)
{
  uint8_t kind = token.kind, first = token.bytes.ptr[0];
  HOLDS(kind > DQC_TOKEN_END && kind <= DQC_TOKEN_OTHER);
  HOLDS(dqc_token_is_name(token) ==
        (kind == DQC_TOKEN_WORD || kind == DQC_TOKEN_QUOTED));
  if (kind == DQC_TOKEN_WORD) check_word(token);
  if (kind == DQC_TOKEN_QUOTED) check_quoted(token);
  if (kind == DQC_TOKEN_PARAM) HOLDS(strchr("?:@$#", first) != NULL);
}

static void check_tokens(struct dqc_bytes text)
{
  struct dqc_bytes rest = text;
  struct dqc_token token = dqc_token_first(rest);
  while (token.kind != DQC_TOKEN_END) {
    HOLDS(token.bytes.ptr == rest.ptr);
    HOLDS(token.bytes.len > 0 && token.bytes.len <= rest.len);
    check_token(token);
    rest = from(rest, token.bytes.len);
    token = dqc_token_first(rest);
  }
  HOLDS(rest.len == 0 && token.bytes.len == 0);
}

/* ---- parameters, counted the plain way ---- */

struct numbering {
  size_t params, names;
  int misnumbered;
  struct dqc_sql_name *list;
};

static void number_mark(struct numbering *n, struct dqc_bytes token)
{
  size_t number = token.len == 1 ? n->params + 1 : 0;
  for (size_t i = 1; i < token.len; i++) {
    if (number < 100000) number = number * 10 + token.ptr[i] - '0';
  }
  if (number < 1 || number > 32766) {
    n->misnumbered = 1;
  } else if (number > n->params) {
    n->params = number;
  }
}

static void number_name(struct numbering *n, struct dqc_bytes text,
                        struct dqc_bytes token)
{
  for (size_t i = 0; i < n->names; i++) {
    size_t begin = n->list[i].begin;
    if (fuzz_same(slice(text, begin, begin + n->list[i].len), token)) return;
  }
  if (n->params == 32766) {
    n->misnumbered = 1;
    return;
  }
  struct dqc_sql_name *name = &n->list[n->names++];
  name->number = (uint32_t)++n->params;
  name->begin = (uint32_t)(token.ptr - text.ptr);
  name->len = (uint32_t)token.len;
}

static int is_part(struct dqc_token token)
{
  return token.kind != DQC_TOKEN_SPACE && token.kind != DQC_TOKEN_SEMI;
}

/* Goes through the statement, which begins and ends with a token that belongs
 * to it. Returns whether the word VIRTUAL is there: the arguments of a virtual
 * table have no parameters, whatever they look like. */
static int count_params(struct numbering *n, struct dqc_bytes text,
                        size_t begin, size_t end)
{
  struct dqc_token token = {DQC_TOKEN_OTHER, {NULL, 0}};
  int is_virtual = 0;
  memset(n, 0, sizeof *n);
  n->list = malloc((text.len + 1) * sizeof *n->list);
  HOLDS(n->list != NULL);
  HOLDS(begin == end || is_part(dqc_token_first(from(text, begin))));
  while (begin < end) {
    token = dqc_token_first(from(text, begin));
    begin += token.bytes.len;
    if (dqc_token_is(token, "VIRTUAL")) is_virtual = 1;
    if (token.kind != DQC_TOKEN_PARAM) continue;
    if (token.bytes.ptr[0] == '?') {
      number_mark(n, token.bytes);
    } else {
      number_name(n, text, token.bytes);
    }
  }
  HOLDS(begin == end && is_part(token));
  return is_virtual;
}

static void check_params(const struct dqc_sql *sql, struct dqc_bytes text)
{
  struct numbering n;
  int is_virtual = count_params(&n, text, sql->begin, sql->end);
  int none = !sql->params && !sql->names && !sql->misnumbered;
  if (!is_virtual || !none) {
    HOLDS(sql->params == n.params && sql->names == n.names);
    HOLDS(sql->misnumbered == n.misnumbered);
    for (size_t i = 0; i < n.names; i++) {
      struct dqc_sql_name name = dqc_sql_name_at(sql, i);
      HOLDS(memcmp(&name, &n.list[i], sizeof name) == 0);
    }
  }
  free(n.list);
}

/* ---- statements ---- */

static void check_range(const struct dqc_sql *sql, struct dqc_bytes text)
{
  HOLDS(sql->begin <= sql->end && sql->end <= sql->next);
  HOLDS(sql->next <= text.len && (sql->next < text.len || !sql->more));
  HOLDS(sql->kind <= DQC_SQL_RELEASE && sql->verb != NULL);
  HOLDS((sql->kind == DQC_SQL_EMPTY) == (sql->begin == text.len));
  HOLDS(sql->kind == DQC_SQL_EMPTY || sql->begin < sql->end);
  HOLDS((sql->kind <= DQC_SQL_UNKNOWN) == (sql->verb[0] == '\0'));
  HOLDS(!sql->returning || sql->kind == DQC_SQL_CHANGE);
  HOLDS(!sql->setter || sql->kind == DQC_SQL_PRAGMA);
  HOLDS(!sql->refusal || sql->refusal[0]);
}

static void check_same(const struct dqc_sql *one, const struct dqc_sql *other,
                       size_t shift)
{
  HOLDS(one->kind == other->kind && one->verb == other->verb);
  HOLDS(one->explain == other->explain && one->with == other->with);
  HOLDS(one->returning == other->returning && one->star == other->star);
  HOLDS(one->rollback == other->rollback && one->fails == other->fails);
  HOLDS(one->setter == other->setter && one->refusal == other->refusal);
  HOLDS(one->begin == other->begin + shift);
  HOLDS(one->end == other->end + shift);
  HOLDS(one->params == other->params && one->names == other->names);
  HOLDS(one->misnumbered == other->misnumbered);
  for (size_t i = 0; i < one->names; i++) {
    struct dqc_sql_name a = dqc_sql_name_at(one, i);
    struct dqc_sql_name b = dqc_sql_name_at(other, i);
    HOLDS(a.number == b.number && a.len == b.len);
    HOLDS(a.begin == b.begin + shift);
  }
}

/* The statement without what surrounds it, at the end of memory, scanned by
 * one that scanned other texts before. */
static void check_alone(const struct dqc_sql *sql, struct dqc_bytes text)
{
  static struct dqc_sql reused;
  struct dqc_bytes alone = fuzz_copy(slice(text, sql->begin, sql->end));
  if (!reused.verb) dqc_sql_init(&reused, dqc_alloc_default);
  HOLDS(!dqc_sql_scan(&reused, alone));
  check_same(sql, &reused, sql->begin);
  HOLDS(reused.next == alone.len && !reused.more);
  fuzz_drop(alone);
}

/* The first statement of a text; where it ends. */
static size_t check_first(struct dqc_bytes text, int *more)
{
  struct dqc_sql sql;
  dqc_sql_init(&sql, dqc_alloc_default);
  HOLDS(!dqc_sql_scan(&sql, text));
  check_range(&sql, text);
  check_params(&sql, text);
  check_alone(&sql, text);
  size_t next = sql.next;
  *more = sql.more;
  dqc_sql_free(&sql);
  return next;
}

static int is_empty(struct dqc_bytes text)
{
  struct dqc_sql sql;
  dqc_sql_init(&sql, dqc_alloc_default);
  HOLDS(!dqc_sql_scan(&sql, text));
  int empty = sql.kind == DQC_SQL_EMPTY;
  dqc_sql_free(&sql);
  return empty;
}

static void check_split(struct dqc_bytes text)
{
  int more;
  do {
    size_t next = check_first(text, &more);
    HOLDS(!more || next > 0);
    text = from(text, next);
    HOLDS(is_empty(text) == !more);
  } while (more);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct dqc_bytes input = {data, size};
  struct dqc_bytes copy = fuzz_copy(input);
  check_tokens(copy);
  check_split(copy);
  fuzz_drop(copy);
  return 0;
}
