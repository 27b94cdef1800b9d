/* How long answers are left to gather, by a clock of the test's own. */
#include "core/pace.h"

#include "support/check.h"

#define US INT64_C(1000)
#define SLACK (50 * US) /* which a sleep takes longer */

static void test_unknown(void)
{
  struct dqc_pace pace = {0, 0, 0, 0};
  CHECK_EQ(dqc_pace_pause(&pace, DQC_PACE_LEAST - 1, 0), 0);
  CHECK_EQ(dqc_pace_pause(&pace, 32, 0), 0); /* too short */
  CHECK_EQ(dqc_pace_pause(&pace, 64, 0), 64 * US - SLACK);
}

/* Half of the time that the answers take that are due. */
static void test_measured(void)
{
  struct dqc_pace pace = {0, 0, 0, 0};
  dqc_pace_pause(&pace, 64, 0);
  CHECK_EQ(dqc_pace_pause(&pace, 44, 200 * US), 220 * US - SLACK);
  CHECK_EQ(dqc_pace_pause(&pace, 20, 680 * US), 200 * US - SLACK);
}

/* The time of few answers is that of waking up. */
static void test_few(void)
{
  struct dqc_pace pace = {0, 0, 0, 0};
  dqc_pace_pause(&pace, 64, 0);
  dqc_pace_pause(&pace, 44, 200 * US);
  CHECK_EQ(dqc_pace_pause(&pace, 40, 900 * US), 100 * US - SLACK);
}

/* Too long a pause, behind which nothing is due, is not made again. */
static void test_too_long(void)
{
  struct dqc_pace pace = {0, 0, 0, 0};
  dqc_pace_pause(&pace, 64, 0);
  CHECK_EQ(dqc_pace_pause(&pace, 32, 32000 * US), 1000 * US);
  for (int i = 0; i < 3; i++) {
    dqc_pace_restart(&pace);
    CHECK(dqc_pace_pause(&pace, 64, 0) <= 1000 * US);
  }
  CHECK_EQ(dqc_pace_pause(&pace, 64, 0), 200 * US - SLACK);
}

static void test_restarted(void)
{
  struct dqc_pace pace = {0, 0, 0, 0};
  dqc_pace_pause(&pace, 64, 0);
  dqc_pace_restart(&pace);
  CHECK_EQ(dqc_pace_pause(&pace, 60, 900 * US), 60 * US - SLACK);
}

/* A processor that is busy wakes nobody up in time. */
static void test_busy(void)
{
  struct dqc_pace pace = {0, 0, 0, 0};
  int64_t pause = dqc_pace_pause(&pace, 200, 0), late = 400 * US;
  dqc_pace_paused(&pace, pause, pause + late);
  CHECK(dqc_pace_pause(&pace, 200, 0) > 0);
  dqc_pace_paused(&pace, pause, pause + 2 * late);
  for (int i = 0; i < 16; i++) CHECK_EQ(dqc_pace_pause(&pace, 200, 0), 0);
  CHECK(dqc_pace_pause(&pace, 200, 0) > 0);
}

int main(void)
{
  test_unknown();
  test_measured();
  test_few();
  test_too_long();
  test_restarted();
  test_busy();
  return check_done();
}
