/* What the system says about an errno. Unlike strerror, for several threads. */
#ifndef DQC_CAUSE_H
#define DQC_CAUSE_H

#pragma GCC visibility push(hidden)

struct dqc_cause {
  char text[128];
};

/* The text, which is in `cause`. */
const char *dqc_cause_text(struct dqc_cause *cause, int number);

#pragma GCC visibility pop

#endif
