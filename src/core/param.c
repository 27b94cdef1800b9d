#include "core/param.h"

#include <string.h>

#include "core/status.h"

/* SQLITE_MAX_VARIABLE_NUMBER where nobody changed it: the numbers from 1. It
 * bounds what is kept of a text, whatever that holds. */
#define HIGHEST 32766

static const struct dqc_sql_name *names_of(const struct dqc_sql *sql)
{
  return (const void *)dqc_buf_view(&sql->name_list).ptr;
}

struct dqc_sql_name dqc_sql_name_at(const struct dqc_sql *sql, size_t i)
{
  return names_of(sql)[i];
}

/* The index is a hash table with open addressing. Its slots, a power of two,
 * hold 0 or one more than a place in the list. */
static uint32_t *slots_of(const struct dqc_sql *sql)
{
  return (void *)dqc_buf_view(&sql->name_index).ptr;
}

static size_t slot_count(const struct dqc_sql *sql)
{
  return dqc_buf_len(&sql->name_index) / sizeof(uint32_t);
}

/* FNV-1a; the multiplication mixes the high bits into those that are used. */
static uint32_t hash(struct dqc_bytes bytes)
{
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < bytes.len; i++) h = (h ^ bytes.ptr[i]) * 16777619u;
  h = (h ^ (h >> 16)) * 0x85ebca6bu;
  return h ^ (h >> 13);
}

/* The slot of this name, or the free one where it belongs. */
static uint32_t *find_slot(const struct dqc_sql *sql, struct dqc_bytes text,
                           struct dqc_bytes token)
{
  uint32_t *slots = slots_of(sql);
  size_t mask = slot_count(sql) - 1;
  size_t i = hash(token) & mask;
  while (slots[i]) {
    const struct dqc_sql_name *name = &names_of(sql)[slots[i] - 1];
    if (name->len == token.len &&
        memcmp(text.ptr + name->begin, token.ptr, token.len) == 0) {
      break;
    }
    i = (i + 1) & mask;
  }
  return &slots[i];
}

static int grow_index(struct dqc_sql *sql, struct dqc_bytes text)
{
  size_t count = slot_count(sql) ? slot_count(sql) * 2 : 32;
  size_t size = count * sizeof(uint32_t);
  uint8_t *room;
  dqc_buf_truncate(&sql->name_index, 0);
  int rc = dqc_buf_reserve(&sql->name_index, size, &room);
  if (rc) return rc;
  memset(room, 0, size);
  dqc_buf_commit(&sql->name_index, size);
  for (uint32_t i = 0; i < sql->names; i++) {
    const struct dqc_sql_name *name = &names_of(sql)[i];
    struct dqc_bytes token = {text.ptr + name->begin, name->len};
    *find_slot(sql, text, token) = i + 1;
  }
  return DQC_DONE;
}

/* :a, @a, $a and #a: one that was there before has its number. */
static int count_name(struct dqc_sql *sql, struct dqc_bytes text,
                      struct dqc_bytes token)
{
  if (sql->names * 2 >= slot_count(sql)) {
    int rc = grow_index(sql, text);
    if (rc) return rc;
  }
  uint32_t *slot = find_slot(sql, text, token);
  if (*slot) return DQC_DONE;
  if (sql->params == HIGHEST) {
    sql->misnumbered = 1;
    return DQC_DONE;
  }
  struct dqc_sql_name name = {(uint32_t)sql->params + 1,
                              (uint32_t)(token.ptr - text.ptr),
                              (uint32_t)token.len};
  int rc = dqc_buf_append(&sql->name_list, &name, sizeof name);
  if (rc) return rc;
  *slot = (uint32_t)++sql->names;
  sql->params++;
  return DQC_DONE;
}

/* ? and ?5 */
static void count_number(struct dqc_sql *sql, struct dqc_bytes token)
{
  size_t number = token.len == 1 ? sql->params + 1 : 0;
  for (size_t i = 1; i < token.len && number <= HIGHEST; i++) {
    number = number * 10 + (size_t)(token.ptr[i] - '0');
  }
  if (number == 0 || number > HIGHEST) {
    sql->misnumbered = 1;
  } else if (number > sql->params) {
    sql->params = number;
  }
}

int dqc_param_count(struct dqc_sql *sql, struct dqc_bytes text,
                    struct dqc_bytes token)
{
  if (token.ptr[0] != '?') return count_name(sql, text, token);
  count_number(sql, token);
  return DQC_DONE;
}

void dqc_param_clear(struct dqc_sql *sql)
{
  dqc_buf_truncate(&sql->name_list, 0);
  dqc_buf_truncate(&sql->name_index, 0);
  sql->params = sql->names = 0;
  sql->misnumbered = 0;
}
