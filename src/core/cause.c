#define _POSIX_C_SOURCE 200809L /* and so strerror_r is POSIX's, not GNU's */

#include "core/cause.h"

#include <stdio.h>
#include <string.h>

const char *dqc_cause_text(struct dqc_cause *cause, int number)
{
  if (strerror_r(number, cause->text, sizeof cause->text) != 0) {
    snprintf(cause->text, sizeof cause->text, "error %d", number);
  }
  return cause->text;
}
