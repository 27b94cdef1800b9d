#include "support/grammar.h"

#include <ctype.h>
#include <string.h>

#include "support/check.h"
#include "support/make.h"
#include "support/rules.h"
#include "support/talk.h"

/* Deeper than this a choice with rules in it gives way to the first one. */
#define DEEP 5

struct gen {
  struct text *text;
  uint32_t state;
  int wild; /* what stands between tokens: 0 a space, 1 anything */
  int no_params; /* in triggers, where SQLite allows none */
};

/* What may stand between two tokens; most often a space. */
static const char *const between[] = {
    " ",      " ",        " ",      " ",    "\n",
    "\t",     "  ",       "\r\n",   " \f ", " \v",
    "/**/",   " /* ; */", "/*'*/",  "/*\"", " -- ;\n",
    "--\n",   "-- '\n",   "-- [\n", " \n ", "/* \xff */",
    "/***/ ", "/*/ */",   " /*",    "--",   " \xef\xbb\xbf ",
};

static const char *const nasty[] = {
    ";",      "'",         "\"",           "`",    "[",  "]",  "(", ")",
    "--",     "/*",        "*/",           ",",    "?",  ":",  "$", " ",
    "\n",     "\v",        "\\",           ".",    "*",  "=",  "-", "END",
    "; END;", "RETURNING", "\xef\xbb\xbf", "\xff", "x'", "0x",
};

static uint32_t below(struct gen *gen, size_t n)
{
  return talk_random(&gen->state) % (uint32_t)n;
}

static int is_mark(char c)
{
  return c && strchr("(),;.*=<>+-/%|&~'\"`[]", c) != NULL;
}

/* Nothing may stand there too, where one of the tokens is a mark. */
static void put_between(struct gen *gen, char next)
{
  struct text *text = gen->text;
  if (text->len == 0) return;
  char last = text->s[text->len - 1];
  size_t size = sizeof between / sizeof *between;
  if ((is_mark(last) || is_mark(next)) && below(gen, 2)) return;
  if (gen->wild && below(gen, 40) == 0) return;
  size_t i = gen->wild && below(gen, 3) == 0 ? below(gen, size) : 0;
  /* those that are not closed are rare: they end the text */
  if (strchr("\"*-", between[i][strlen(between[i]) - 1]) && below(gen, 9)) {
    i = 0;
  }
  text_add(text, "%s", between[i]);
}

static void flip_case(struct gen *gen, char *s, size_t len)
{
  uint32_t how = below(gen, 12);
  for (size_t i = 0; i < len && how < 3; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c >= 0x80) continue;
    if (how == 0 || (how == 1 && below(gen, 2))) s[i] = (char)tolower(c);
    if (how == 2) s[i] = (char)toupper(c);
  }
}

static void put_token(struct gen *gen, const char *token, size_t len)
{
  put_between(gen, token[0]);
  size_t begin = gen->text->len;
  text_add_bytes(gen->text, bytes_from(token, len));
  flip_case(gen, gen->text->s + begin, len);
}

static int is_rule(const char *word)
{
  return word[0] == '<' && word[1] >= 'a' && word[1] <= 'z';
}

static int has_rule(const char *choice)
{
  const char *s = strchr(choice, '<');
  while (s && !is_rule(s)) s = strchr(s + 1, '<');
  return s != NULL;
}

static const char *choose(struct gen *gen, const struct rule *rule, int depth)
{
  size_t count = 1;
  while (rule->choices[count]) count++;
  const char *choice = rule->choices[below(gen, count)];
  return depth > DEEP && has_rule(choice) ? rule->choices[0] : choice;
}

static void put_rule(struct gen *gen, const char *name, size_t len, int depth);

static void put_word(struct gen *gen, const char *word, size_t len, int depth)
{
  if (len == 2 && word[0] == '!' && (word[1] == 'p' || word[1] == 'w')) {
    gen->no_params = word[1] == 'p';
  } else if (len > 2 && is_rule(word)) {
    put_rule(gen, word + 1, len - 2, depth + 1);
  } else {
    put_token(gen, word, len);
  }
}

static void put_rule(struct gen *gen, const char *name, size_t len, int depth)
{
  if (gen->no_params && len == 5 && memcmp(name, "param", 5) == 0) {
    put_token(gen, "7", 1);
    return;
  }
  const char *s = choose(gen, rule_find(name, len), depth);
  while (*s) {
    size_t n = strcspn(s, " ");
    put_word(gen, s, n, depth);
    s += n;
    s += strspn(s, " ");
  }
}

/* Puts the bytes in the place of text[begin..end). */
static void replace(struct text *text, size_t begin, size_t end,
                    struct dqc_bytes bytes)
{
  struct text result;
  text_init(&result);
  text_add_bytes(&result, bytes_from(text->s, begin));
  text_add_bytes(&result, bytes);
  text_add_bytes(&result, bytes_from(text->s + end, text->len - end));
  text_free(text);
  *text = result;
}

static void damage_once(struct text *text, struct gen *gen)
{
  uint8_t byte = (uint8_t)(1 + below(gen, 255));
  size_t at = below(gen, text->len + 1);
  size_t end = at + below(gen, 12);
  const char *piece = nasty[below(gen, sizeof nasty / sizeof *nasty)];
  if (end > text->len) end = text->len;
  switch (below(gen, 6)) {
  case 0: replace(text, at, text->len, bytes_of("")); break;
  case 1: replace(text, at, end, bytes_of("")); break;
  case 2: replace(text, at, at, bytes_from(text->s + at, end - at)); break;
  case 3: replace(text, at, at, bytes_from(&byte, 1)); break;
  default: replace(text, at, at, bytes_of(piece)); break;
  }
}

void grammar_damage(struct text *text, uint32_t *state)
{
  struct gen gen = {.text = text, .state = *state};
  text_add(text, "%s", "");
  for (uint32_t n = 1 + below(&gen, 3); n > 0; n--) damage_once(text, &gen);
  *state = gen.state;
}

void grammar_text(struct text *text, uint32_t seed)
{
  /* mixed, or the texts of neighbours would be alike */
  uint32_t mixed = (seed ^ (seed >> 16)) * 0x7feb352du;
  mixed = (mixed ^ (mixed >> 15)) * 0x846ca68bu;
  struct gen gen = {.text = text, .state = mixed ^ (mixed >> 16)};
  gen.wild = below(&gen, 3) > 0;
  put_rule(&gen, "text", 4, 0);
  if (below(&gen, 4) == 0) grammar_damage(text, &gen.state);
}
