#include "core/pace.h"

/* Nanoseconds for an answer, between which it is looked for. */
#define QUICKEST 2000
#define SLOWEST 100000

#define LONGEST 1000000 /* ns of a pause */

/* ns that Linux adds to a sleep: prctl(2), PR_SET_TIMERSLACK */
#define SLACK 50000

/* ns that a pause may end late, and how many are left out then. */
#define LATE 500000
#define LEFT_OUT 16

/* So many answers tell: the time of fewer is that of waking up. */
#define ENOUGH 8

static int64_t between(int64_t least, int64_t value, int64_t most)
{
  if (value < least) return least;
  return value > most ? most : value;
}

int64_t dqc_pace_pause(struct dqc_pace *pace, size_t due, int64_t now)
{
  if (due + ENOUGH <= pace->due) {
    pace->each = (now - pace->at) / (int64_t)(pace->due - due);
  }
  pace->each = between(QUICKEST, pace->each, SLOWEST);
  pace->due = due;
  pace->at = now;
  if (due < DQC_PACE_LEAST) return 0;
  if (due > LONGEST) due = LONGEST;
  int64_t half = (int64_t)due * pace->each / 2;
  if (half <= SLACK) return 0;
  if (pace->left_out) {
    pace->left_out--;
    return 0;
  }
  /* The half counts until it is measured again: of a pause behind which nothing
   * is due any more nobody hears that it was too long. */
  pace->each /= 2;
  return between(0, half - SLACK, LONGEST);
}

void dqc_pace_paused(struct dqc_pace *pace, int64_t pause, int64_t took)
{
  if (took > pause + LATE) pace->left_out = LEFT_OUT;
}

void dqc_pace_restart(struct dqc_pace *pace)
{
  pace->due = 0;
}
