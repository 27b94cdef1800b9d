/* Random SQL texts: statements of all kinds, with anything that may stand
 * between two tokens, several in a text, damaged ones, and token soup. They
 * are over the tables that spec/vectors/statements.txt tells of. */
#ifndef GRAMMAR_H
#define GRAMMAR_H

#include "support/text.h"

/* Appends a text that depends on nothing but the seed. */
void grammar_text(struct text *text, uint32_t seed);

/* Damages the text in one to three places: cut, bytes left out, doubled,
 * changed, put in. */
void grammar_damage(struct text *text, uint32_t *state);

#endif
