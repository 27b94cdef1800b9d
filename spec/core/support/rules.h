/* A grammar of SQL, as texts: what spec/core/support/grammar.c makes random
 * statements of. */
#ifndef RULES_H
#define RULES_H

#include <stddef.h>

/* One of the choices takes the rule's place. In them <name> is another rule,
 * `!p` and `!w` switch to texts without parameters and back, everything else
 * is a token. A rule's first choice must end soon: it is taken where rules
 * are nested too deeply. */
struct rule {
  const char *name;
  const char *choices[48]; /* a NULL behind the last */
};

/* The rule of this name, or the program ends. */
const struct rule *rule_find(const char *name, size_t len);

#endif
